# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: where the containers of a stack have MLflow keep artifacts. Pure."""

from __future__ import annotations

import re
import shlex
import string
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State

PLACES = {"--artifacts-destination": "MLFLOW_ARTIFACTS_DESTINATION", "--default-artifact-root": "MLFLOW_DEFAULT_ARTIFACT_ROOT"}
"""The options of ``mlflow server`` that say where artifacts are, and the variables that do."""
PRESIGNED_ONLY = "MLFLOW_ARTIFACTS_PRESIGNED_ONLY"
"""The variable with which the server passes no artifact on: clients go to S3, by URLs that it signs."""


def artifact_places(container: dict[str, t.Any]) -> dict[str, str]:
    """Where a container has MLflow keep artifacts, by the variable that says it. Its command can say it too, and counts for more.

    >>> artifact_places({"command": ["sh", "-c", "mlflow server --default-artifact-root=s3://$B/x"], "environment": {"B": "a"}})
    {'MLFLOW_DEFAULT_ARTIFACT_ROOT': 's3://a/x'}
    """
    environment = _environment(container)
    places = {name: environment[name] for name in PLACES.values() if environment.get(name)}
    texts = [*(container.get("entryPoint") or ()), *(container.get("command") or ())]
    says = any(option in text for option in PLACES for text in texts)  # it takes long to find the words of a program of 25 KiB
    words = [word for text in texts for word in _words(text)] if says else []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        option, equals, value = word.partition("=")
        if option in PLACES and (value if equals else after):
            places[PLACES[option]] = string.Template(value if equals else after).safe_substitute(environment)
    return {name: place.rstrip("/") for name, place in places.items()}


def _environment(container: dict[str, t.Any]) -> dict[str, str]:
    environment = container.get("environment") or {}
    return {pair["name"]: pair.get("value", "") for pair in environment} if isinstance(environment, list) else environment


def _words(text: str) -> list[str]:
    """An argument, or the words of one that is a command of a shell, which may hold another."""
    if not re.search(r"\s", text):
        return [text]
    shell = shlex.shlex(text, posix=True, punctuation_chars=True)
    shell.whitespace_split, shell.commenters = True, ""
    try:
        return [each for word in shell for each in (_words(word) if " --" in word else [word])]
    except ValueError:  # a quote that does not end
        return text.split()


def artifact_warnings(before: State, after: State) -> list[str]:
    """What becomes of artifacts, and of clients, where the containers ``after`` have MLflow keep them elsewhere or pass them on otherwise
    than those ``before``."""
    return [*_left_behind(before, after), *_shut_out(before, after)]


def _shut_out(before: State, after: State) -> list[str]:
    was, is_now = (any(_environment(container).get(PRESIGNED_ONLY) == "true" for container in containers.values()) for containers in (before, after))
    if was or not is_now:
        return []
    return [
        "clients older than MLflow 3.18 can no longer log artifacts without settings of their own, and clients that do not reach S3 can neither log nor "
        "read any (docs/artifacts.md)"
    ]


def _left_behind(before: State, after: State) -> list[str]:
    old, new = ({name: place for container in containers.values() for name, place in artifact_places(container).items()} for containers in (before, after))
    proxied, direct = "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_DEFAULT_ARTIFACT_ROOT"
    if old.get(proxied) not in (None, new.get(proxied)):
        now = f"passes on those below {new[proxied]}" if proxied in new else "no longer passes any on"
        return [
            f"artifacts below {old[proxied]} can no longer be reached through the server, which {now}: copy them, or keep "
            "mlflow_artifact_bucket_id, mlflow_artifact_bucket_path and mlflow_artifact_access"
        ]
    if old.get(direct) not in (None, new.get(direct), new.get(proxied)):
        return [
            f"existing experiments keep their artifacts below {old[direct]}, which the server can no longer read: name the "
            "bucket in mlflow_artifact_buckets_mlflow_will_read"
        ]
    return []
