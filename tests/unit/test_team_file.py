# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that bootstrap writes: wherever the playbook is, its path begins at the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import WRITTEN, _others_file

VARS = Path(__file__).parents[2] / "roles" / "mlflow" / "vars" / "main" / "files.yml"


@pytest.mark.parametrize("given", ["made.yml", "./made.yml", "$FOLDER/made.yml", "~/made.yml", "{tmp_path}/made.yml"])
def test_it_is_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Modules and lookups of Ansible would look for a relative path beside the playbook."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    rule = trust_as_template(yaml.safe_load(VARS.read_text(encoding="utf-8"))["mlflow_team_file_path"])
    path = Templar(DataLoader(), {"mlflow_bootstrap_team_file": given.format(tmp_path=tmp_path)}).template(rule)
    assert Path(path).is_absolute() and Path(path).resolve() == tmp_path.resolve() / "made.yml"


@pytest.mark.parametrize(("content", "refused"), [(None, False), (b"mlflow_tags: {}\n", True), (WRITTEN + b": of x\n", False)])
def test_a_file_of_somebody_else_is_not_written_over(tmp_path: Path, content: bytes | None, refused: bool) -> None:
    file = tmp_path / "made.yml"
    if content is not None:
        file.write_bytes(content)
    assert [problem.variable for problem in _others_file({"mlflow_bootstrap_team_file": str(file)})] == ["mlflow_bootstrap_team_file"] * refused


def test_it_needs_a_name() -> None:
    assert "it is empty" in str(*_others_file({"mlflow_bootstrap_team_file": ""}))
    assert not list(_others_file({}))  # a value that is wrong by itself is told by another check
