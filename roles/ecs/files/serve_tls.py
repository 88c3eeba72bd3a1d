# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start MLflow's server for this machine alone, and take TLS for it on the port of the task: python -c <this file> <port> <processes> <command>.

It uses what the image has: Python, and cryptography, which MLflow needs. MLflow itself speaks plain HTTP to 127.0.0.1, as the jobs that it
starts expect it, whichever its web server is. The certificate is made anew for each task and is signed by nobody: the load balancer encrypts,
and does not verify. Plain HTTP is taken too, because each target group takes the place of another in a stack that is in use; only the load balancer can
connect at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import socket
import ssl
import sys
import tempfile
import typing as t

CLIENT_HELLO = b"\x16"
"""How a connection begins that is TLS. No request of HTTP does."""
CHUNK = 2**18
DAYS = 3650
SECONDS = 60
"""For the first byte of a connection."""


def certificate() -> bytes:
    """A new private key and its certificate, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mlflow")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + made.public_bytes(serialization.Encoding.PEM)


def context() -> ssl.SSLContext:
    """What all processes share. Python reads a key from a file only: it has mode 0600, and is gone when this returns."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate())
        file.flush()
        made.load_cert_chain(file.name)
    return made


async def begins_with(connection: socket.socket) -> bytes:
    """The first byte of a connection, which stays there to be read. Empty where none came."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), SECONDS)
        return connection.recv(1, socket.MSG_PEEK)
    finally:
        loop.remove_reader(connection)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def relay(connection: socket.socket, tls: ssl.SSLContext, upstream: int) -> None:
    """Carry one connection to MLflow and back, until either ends it."""
    loop, writers = asyncio.get_running_loop(), list[asyncio.StreamWriter]()
    with contextlib.suppress(OSError, asyncio.TimeoutError), contextlib.closing(connection):
        encrypted = await begins_with(connection) == CLIENT_HELLO
        reader = asyncio.StreamReader(CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _protocol = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls if encrypted else None)
        writers.append(asyncio.StreamWriter(transport, protocol, reader, loop))
        try:
            from_mlflow, to_mlflow = await asyncio.open_connection("127.0.0.1", upstream, limit=CHUNK)
            writers.append(to_mlflow)
            ways = [asyncio.ensure_future(copy(reader, to_mlflow)), asyncio.ensure_future(copy(from_mlflow, writers[0]))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


async def serve(listener: socket.socket, tls: ssl.SSLContext, upstream: int) -> t.NoReturn:
    loop, under_way = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    while True:
        connection, _address = await loop.sock_accept(listener)
        connection.setblocking(False)
        task = loop.create_task(relay(connection, tls, upstream))
        under_way.add(task)
        task.add_done_callback(under_way.discard)


def main(port: int, processes: int, command: list[str]) -> None:
    """Become MLflow's server; the processes beside it end with the container."""
    listener = socket.create_server(("0.0.0.0", port), backlog=1024, reuse_port=False)
    listener.setblocking(False)
    tls = context()
    for _number in range(processes):
        if os.fork() == 0:
            asyncio.run(serve(listener, tls, int(os.environ["MLFLOW_PORT"])))
    listener.close()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
