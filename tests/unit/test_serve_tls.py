# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes TLS in front of MLflow's server, with a server of files in place of MLflow. tests/runtime has the real one."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

SCRIPT = Path(__file__).parents[2] / "roles" / "ecs" / "files" / "serve_tls.py"
BIG = os.urandom(1 << 20) * 8
UNVERIFIED = ssl._create_unverified_context()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("task")
    (folder / "big").write_bytes(BIG)
    (folder / "tmp").mkdir()
    mlflow = folder / "mlflow"
    mlflow.write_text(f'#!/bin/sh\n[ "$*" = server ] && exec {sys.executable} -m http.server --bind 127.0.0.1 --protocol HTTP/1.1 "$MLFLOW_PORT"\n')
    mlflow.chmod(0o755)
    port = free_port()
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "MLFLOW_PORT": str(free_port()), "TMPDIR": str(folder / "tmp")}
    command = [sys.executable, "-c", SCRIPT.read_text(encoding="utf-8"), str(port), "2", "mlflow", "server"]
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/")
                connection.getresponse()
                break
            except (OSError, http.client.HTTPException):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        yield port
        assert list((folder / "tmp").iterdir()) == []  # no key is left behind
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_certificate_is_of_this_task_alone(port: int) -> None:
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert certificate.issuer == certificate.subject


def test_all_processes_have_the_same_certificate(port: int) -> None:
    assert len({ssl.get_server_certificate(("127.0.0.1", port)) for _number in range(10)}) == 1


@pytest.mark.parametrize(
    "connection",
    [lambda port: http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=UNVERIFIED), lambda port: http.client.HTTPConnection("127.0.0.1", port)],
    ids=["TLS", "plain, during a change"],
)
def test_requests_and_answers_arrive_whole_on_one_connection(port: int, connection: t.Callable[[int], http.client.HTTPConnection]) -> None:
    open_connection = connection(port)
    for _number in range(3):
        open_connection.request("GET", "/big")
        assert open_connection.getresponse().read() == BIG
    open_connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_of_tls(port: int, version: ssl.TLSVersion) -> None:
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), 10) as connection, context.wrap_socket(connection) as secured:
        assert secured.version() == version.name.replace("_", ".")


def test_what_is_neither_ends_nothing(port: int) -> None:
    for garbage in (b"", b"\x16", b"\x16garbage" * 100, b"\x00"):
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(garbage)
    test_requests_and_answers_arrive_whole_on_one_connection(port, lambda port: http.client.HTTPConnection("127.0.0.1", port))
