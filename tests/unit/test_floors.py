# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floors of ``plugins/module_utils``: each sees only what is below it, and no two files need each other."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

UTILS = Path(__file__).parents[2] / "plugins" / "module_utils"
PACKAGE = "ansible_collections.mlplatform.mlflow_aws.plugins.module_utils."
FLOORS = ("_engine", "_services", "_stack", "_run")
"""From the lowest to the highest."""

FILES = {".".join(file.relative_to(UTILS).with_suffix("").parts): file for file in UTILS.rglob("*.py") if file.name != "__init__.py"}


def needs(file: Path) -> set[str]:
    """The files of module_utils that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(PACKAGE):
            base = f"{node.module}.".removeprefix(PACKAGE)
            names = {f"{base}{alias.name}" for alias in node.names} & FILES.keys()
            found |= names or {base.rstrip(".")}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix(PACKAGE) for alias in node.names if alias.name.startswith(PACKAGE)}
    return found


NEEDS = {name: needs(file) for name, file in sorted(FILES.items())}


def test_every_file_is_on_a_floor_and_needs_only_files_that_exist() -> None:
    assert {name.partition(".")[0] for name in FILES} == set(FLOORS)
    assert set().union(*NEEDS.values()) <= FILES.keys()


@pytest.mark.parametrize("name", NEEDS)
def test_a_file_sees_only_its_own_floor_and_those_below(name: str) -> None:
    floor = FLOORS.index(name.partition(".")[0])
    above = {need for need in NEEDS[name] if FLOORS.index(need.partition(".")[0]) > floor}
    assert not above


def test_no_files_need_each_other() -> None:
    try:
        TopologicalSorter(NEEDS).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))
