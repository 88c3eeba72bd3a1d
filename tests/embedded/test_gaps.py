# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of gaps."""

from __future__ import annotations

from pathlib import Path

from embedded_aws import gaps


def test_every_gap_says_what_aws_does() -> None:
    assert all(gap.aws_does.endswith(".") and "\n" not in gap.aws_does for gap in gaps.load())


def test_readme_lists_every_gap() -> None:
    readme = Path(gaps.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert gaps.as_markdown() in readme, "replace the table by the output of: python tests/embedded_aws --list-gaps"
