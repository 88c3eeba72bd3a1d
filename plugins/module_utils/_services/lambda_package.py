# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployment packages of Lambda functions."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path


def build_zip(directory: str | Path) -> bytes:
    """Return a zip of the files under `directory`, the same bytes for the same files on every machine.

    Names are relative to `directory`; bytecode is left out. Raises ValueError when there is no file.
    """
    root = Path(directory)
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.relative_to(root).parts}
    if not files:
        raise ValueError(f"no file to package under {root}")
    buffer = io.BytesIO()
    # Stored, not deflated: what deflate gives depends on the zlib at hand, and a package that differs
    # between two machines would be deployed again by each of them.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = 0o100644 << 16  # a regular file that Lambda's user can read
            package.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()


def code_sha256(package: bytes) -> str:
    """Return the Base64 of the SHA-256 of `package`, which is what Lambda calls CodeSha256."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode("ascii")
