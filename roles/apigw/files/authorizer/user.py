# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls."""

from __future__ import annotations

from typing import NamedTuple


class User(NamedTuple):
    """A person or a program whose credentials are good."""

    name: str
    groups: tuple[str, ...] = ()
    subject: str = ""
    """What never changes of a user of a user pool; empty for a user of the secret."""
