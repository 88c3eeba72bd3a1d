# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a throwaway authority, for servers on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(directory: Path, *names: str) -> None:
    """Write ca.pem, and server.pem and server.key for these host names."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=Test CA",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    )
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={names[0]}", "-keyout", "server.key", "-out", "server.csr")
    (directory / "server.ext").write_text(
        f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\nauthorityKeyIdentifier=keyid\nkeyUsage=digitalSignature\n"
    )
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")
