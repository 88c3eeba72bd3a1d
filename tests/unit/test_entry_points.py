# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each entry point of a role that a playbook uses is documented in the role's argument specs, and each one there exists."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
COLLECTION = "mlplatform.mlflow_aws."


def role_tasks(node: t.Any) -> t.Iterator[tuple[str, str]]:
    """Role and entry point of every task that imports or includes a role, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from role_tasks(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
                yield value["name"].removeprefix(COLLECTION), value.get("tasks_from", "main")
            else:
                yield from role_tasks(value)


def used() -> set[tuple[str, str]]:
    files = sorted((ROOT / "playbooks").rglob("*.yml"))
    return {found for file in files for found in role_tasks(yaml.safe_load(file.read_text(encoding="utf-8"))) if "{{" not in found[1]}


def documented(role: str) -> dict[str, t.Any]:
    return yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]


def test_what_the_playbooks_use_is_documented() -> None:
    assert len(used()) > 20
    assert sorted((role, entry) for role, entry in used() if entry not in documented(role)) == []


@pytest.mark.parametrize("role", ROLES)
def test_what_is_documented_exists(role: str) -> None:
    assert [entry for entry in documented(role) if not (ROOT / "roles" / role / "tasks" / f"{entry}.yml").exists()] == []
