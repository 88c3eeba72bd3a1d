# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two exceptions by which any part of the authorizer ends: a refusal, and that it cannot tell."""

from __future__ import annotations


class Denied(Exception):
    """The request is refused, for what the caller sent and nothing else.

    `reason` is a short constant such as ``expired``. It is what gets logged, so it never contains
    anything that came with the request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(Exception):
    """Whether the request is to be refused cannot be told now, because AWS cannot be asked.

    `reason` is a short constant such as ``keys_unavailable``, for the log as well.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
