# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment package: the same bytes for the same files, and a zip that Lambda can use."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.lambda_ import build_zip, code_sha256

AUTHORIZER = Path(__file__).parents[2] / "roles/apigw/files/authorizer"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "function"
    for name, text in {"b.py": "b = 1\n", "a.py": "a = 1\n", "pkg/c.py": "c = 1\n", "pkg/données.txt": "é"}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_contents(directory: Path) -> None:
    package = zipfile.ZipFile(io.BytesIO(build_zip(directory)))
    assert package.testzip() is None
    assert package.namelist() == ["a.py", "b.py", "pkg/c.py", "pkg/données.txt"]
    assert package.read("a.py") == b"a = 1\n"
    assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {oct(entry.external_attr >> 16) for entry in package.infolist()} == {oct(0o100644)}
    assert {entry.create_system for entry in package.infolist()} == {3}


def test_what_is_not_content_does_not_count(directory: Path, tmp_path: Path) -> None:
    before = build_zip(directory)
    copy = tmp_path / "elsewhere"
    shutil.copytree(directory, copy)
    for path in copy.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (2_000_000_000, 2_000_000_000))
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "a.cpython-313.pyc").write_bytes(b"bytecode")
    (copy / "pkg" / "__pycache__").mkdir()
    (copy / "pkg" / "__pycache__" / "c.cpython-313.pyc").write_bytes(b"bytecode")
    (copy / "empty").mkdir()
    assert build_zip(copy) == before
    assert build_zip(str(copy)) == before


@pytest.mark.parametrize("change", [("a.py", "a = 2\n"), ("new.py", "")])
def test_content_counts(directory: Path, change: tuple[str, str]) -> None:
    before = build_zip(directory)
    (directory / change[0]).write_text(change[1], encoding="utf-8")
    assert build_zip(directory) != before


def test_a_name_counts(directory: Path) -> None:
    before = build_zip(directory)
    (directory / "a.py").rename(directory / "aa.py")
    assert build_zip(directory) != before


def test_nothing_to_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file to package"):
        build_zip(tmp_path)
    with pytest.raises(ValueError, match="no file to package"):
        build_zip(tmp_path / "missing")


def test_code_sha256() -> None:
    assert code_sha256(b"abc") == base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    assert code_sha256(b"abc") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="


def test_the_authorizer_runs_from_its_package(tmp_path: Path) -> None:
    """In an interpreter that has nothing but the package and the standard library on its path."""
    path = tmp_path / "package.zip"
    path.write_bytes(build_zip(AUTHORIZER))
    program = f"import sys; sys.path.insert(0, {str(path)!r}); import authorizer; print(authorizer.handler({{}}, None))"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "{'isAuthorized': False}"
    assert result.stderr.strip() == "denied reason=missing"
