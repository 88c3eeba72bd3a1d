# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: sessions of botocore that get credentials where nobody is there to answer a question, and that fail in one way only."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

try:
    from botocore.exceptions import CredentialRetrievalError
    from botocore.session import Session
    from botocore.utils import parse_timestamp
except ImportError:  # AnsibleAWSModule reports the missing library
    Session = object


class UnattendedSession(Session):
    """A session whose providers of credentials raise nothing but botocore's own errors.

    botocore asks for the MFA code of a role on the terminal, and lets through what goes wrong with the program of a ``credential_process``.
    Neither has a public hook.
    """

    def _create_credential_resolver(self) -> t.Any:
        resolver = super()._create_credential_resolver()
        resolver.get_provider("assume-role")._prompter = _refuse
        process = resolver.get_provider("custom-process")
        process._retrieve_credentials_using = _in_own_words(process._retrieve_credentials_using)
        return resolver


def _refuse(question: str) -> str:
    raise CredentialRetrievalError(provider="assume-role", error_msg=f"the profile asks for an MFA code ({question.strip(' :')}), and a run asks nobody")


def _in_own_words(retrieve: t.Callable[[str], t.Any]) -> t.Callable[[str], t.Any]:
    def retrieve_credentials(process: str) -> t.Any:
        try:
            answer = retrieve(process)
            expiry = answer.get("expiry_time")
            if not expiry or parse_timestamp(expiry) > datetime.now(timezone.utc):
                return answer
            problem = f"what it writes has expired, at {expiry}"
        except OSError as error:
            problem = f"credential_process cannot be run: {error.strerror}: {error.filename}"
        except ValueError:
            problem = "credential_process is no command, or what it writes is no JSON"
        raise CredentialRetrievalError(provider="custom-process", error_msg=problem)

    return retrieve_credentials
