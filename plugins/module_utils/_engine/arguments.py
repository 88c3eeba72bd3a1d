# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the options that most modules share, for their argument specifications."""

from __future__ import annotations

import typing as t

Arguments = dict[str, dict[str, t.Any]]

STATE: Arguments = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
TAGS: Arguments = {"tags": {"type": "dict", "default": {}}, "ignore_tags": {"type": "list", "elements": "str", "default": []}}
WAIT: Arguments = {"wait": {"type": "bool", "default": True}}
