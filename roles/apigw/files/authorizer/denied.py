# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception by which any part of the authorizer refuses a request."""

from __future__ import annotations


class Denied(Exception):
    """The request is refused.

    `reason` is a short constant such as ``expired``. It is what gets logged, so it never contains
    anything that came with the request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
