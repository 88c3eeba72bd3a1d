# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module has what makes it one of the collection's: without its action plugin it would change AWS outside the lease."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
WITHOUT_AWS = {"plan_report", "stack_report"}
"""Modules that take no connection, and so no defaults of the action group."""


def names(folder: str) -> set[str]:
    return {file.stem for file in (ROOT / "plugins" / folder).glob("*.py")}


def test_each_module_has_an_action_plugin():
    assert names("action") == names("modules")


def test_each_module_that_asks_aws_is_in_the_action_group():
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["aws"]
    assert len(group) == len(set(group))
    assert set(group) == names("modules") - WITHOUT_AWS


def test_each_module_that_changes_tags_is_in_the_action_group_of_those():
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["tagged"]
    assert group == sorted(file.stem for file in (ROOT / "plugins" / "modules").glob("*.py") if "**TAGS" in file.read_text(encoding="utf-8"))


def test_no_module_warns_through_its_base_class():
    """AnsibleAWSModule hands what it warns of to exit_json too, which ansible-core 2.23 takes no more: warn() of common.warnings does not."""
    files = (ROOT / "plugins").rglob("*.py")
    assert [file.name for file in files if "module.warn(" in file.read_text(encoding="utf-8")] == []
