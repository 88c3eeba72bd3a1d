# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway database servers in place of Aurora: MariaDB and PostgreSQL, on loopback, that take TLS connections only.

Like a cluster of RDS each has a master user that is not a superuser.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from runtime import certificates

ENGINES = ("aurora-mysql", "aurora-postgresql")
PROGRAMS = {"aurora-mysql": "mariadbd", "aurora-postgresql": "initdb"}
"""By which it is known whether there is a server for an engine."""
# The hardest password for quoting that RDS accepts: any printable character but / @ " and space.
MASTER_PASSWORD = "Aa1'\\%s%%:?#&=;$`{}[]|<>~^+*!"

# What the documentation of RDS gives the master user of MySQL; DELETE HISTORY is MariaDB's own.
_MYSQL_MASTER_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, DELETE HISTORY"
)


def find_binary(name: str) -> str:
    """Return the path of a server's program, which Debian keeps out of PATH for PostgreSQL and in sbin for MariaDB."""
    candidates = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)
    found = next(iter(candidates), None) or shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise FileNotFoundError(f"{name} is not installed (Debian: apt-get install mariadb-server postgresql)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Database:
    """A database server with its data in a directory of its own.

    ``host``, ``port``, ``master_username`` and ``master_password`` are as a cluster's; ``ca_file`` verifies it.
    """

    host = "localhost"

    def __init__(self, directory: Path, master_username: str, master_password: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.master_username = master_username
        self.master_password = master_password
        self.ca_file = directory / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._user: dict[str, object] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self._environment = {**os.environ, "TZ": "UTC", "TMPDIR": str(directory)}  # where that user may write

    def create(self) -> None:
        """Make the data directory, start the server and make its master user."""
        certificates.make(self.directory, self.host)
        if self._user:
            for path in (self.directory, *self.directory.iterdir()):
                shutil.chown(path, "nobody", "nogroup")
        self._make_data()
        self.start()
        self._make_master()

    def _run(self, *command: str, sql: str | None = None) -> str:
        result = subprocess.run(command, input=sql, cwd=self.directory, env=self._environment, capture_output=True, text=True, check=False, **self._user)
        if result.returncode:
            raise RuntimeError(f"{command[0]}: {result.stderr}")
        return result.stdout.strip()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self._server_command(), cwd=self.directory, stdout=log, stderr=log, env=self._environment, **self._user)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.execute("SELECT 1")
                return
            except RuntimeError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.directory / "log").read_text()) from None
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, as a paused cluster: connections are refused."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def set_master_password(self, password: str) -> None:
        """Change the master user's password, as ModifyDBCluster does."""
        self.master_password = password
        self._make_master()

    def _literal(self, text: str) -> str:
        """Quote ``text`` as a string of SQL."""
        raise NotImplementedError

    def _make_data(self) -> None:
        raise NotImplementedError

    def _make_master(self) -> None:
        raise NotImplementedError

    def _server_command(self) -> list[str]:
        raise NotImplementedError

    def execute(self, sql: str, database: str = "") -> str:
        """Run statements as the superuser, over the server's own socket, and return the rows, one a line."""
        raise NotImplementedError

    def make_database(self, name: str) -> None:
        """Make an empty database, as RDS makes the one that a cluster is created with."""
        raise NotImplementedError

    def connections(self, user: str) -> int:
        """Return how many connections ``user`` has open."""
        raise NotImplementedError

    def last_connection(self, user: str) -> datetime | None:
        """Return when ``user`` was last let in, as the server has logged it, to the second."""
        found = self._logged_connections(user, self._connection_log().read_text(errors="replace"))
        return max(found, default=None)

    def _connection_log(self) -> Path:
        raise NotImplementedError

    @staticmethod
    def _logged_connections(user: str, log: str) -> Iterator[datetime]:
        """The time of each connection of ``user`` in the server's log."""
        raise NotImplementedError


class MariaDB(Database):
    engine = "aurora-mysql"

    def _literal(self, text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

    def _make_data(self) -> None:
        self._run(
            find_binary("mariadb-install-db"), "--no-defaults", f"--datadir={self.directory}/data", "--auth-root-authentication-method=normal", "--skip-test-db"
        )

    def _server_command(self) -> list[str]:
        return [
            find_binary("mariadbd"),
            "--no-defaults",
            f"--datadir={self.directory}/data",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.directory}/socket",
            f"--pid-file={self.directory}/pid",
            f"--ssl-ca={self.ca_file}",
            f"--ssl-cert={self.directory}/server.pem",
            f"--ssl-key={self.directory}/server.key",
            "--require-secure-transport=ON",
            "--general-log=ON",
            f"--general-log-file={self._connection_log()}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
        ]

    def _make_master(self) -> None:
        user, password = f"'{self.master_username}'@'%'", self._literal(self.master_password)
        self.execute(
            f"CREATE USER IF NOT EXISTS {user};ALTER USER {user} IDENTIFIED BY {password};GRANT {_MYSQL_MASTER_PRIVILEGES} ON *.* TO {user} WITH GRANT OPTION;"
        )

    def execute(self, sql: str, database: str = "") -> str:
        return self._run(
            find_binary("mariadb"),
            "--no-defaults",
            f"--socket={self.directory}/socket",
            "--user=root",
            "--batch",
            "--skip-column-names",
            f"--database={database}",
            sql=sql,
        )

    def make_database(self, name: str) -> None:
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    def connections(self, user: str) -> int:
        return int(self.execute(f"SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user}'"))

    def _connection_log(self) -> Path:
        return self.directory / "general.log"

    @staticmethod
    def _logged_connections(user: str, log: str) -> Iterator[datetime]:
        # A line tells the time only where the second is another than that of the line before.
        line = re.compile(rf"^(?:(\d{{6}} +\d+:\d\d:\d\d)|\t)\t +\d+ (?:(Connect)\t{user}@)?", re.MULTILINE)
        time_of_day = ""
        for each in line.finditer(log):
            time_of_day = each[1] or time_of_day
            if each[2]:
                yield datetime.strptime(time_of_day, "%y%m%d %H:%M:%S").replace(tzinfo=timezone.utc)


class PostgreSQL(Database):
    engine = "aurora-postgresql"

    def _literal(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def _make_data(self) -> None:
        self._run(find_binary("initdb"), f"--pgdata={self.directory}/data", "--username=rdsadmin", "--auth=trust", "--encoding=UTF8", "--no-sync")
        (self.directory / "data" / "pg_hba.conf").write_text("local all rdsadmin trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        self._run("chmod", "600", f"{self.directory}/server.key")

    def _server_command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "ssl": "on",
            "ssl_cert_file": self.directory / "server.pem",
            "ssl_key_file": self.directory / "server.key",
            "fsync": "off",
            "log_statement": "all",
            "log_connections": "on",
            "log_timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [find_binary("postgres"), "-D", f"{self.directory}/data", *options]

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            # SIGTERM would wait for the clients to go.
            self._process.send_signal(signal.SIGINT)
        super().stop()

    def _make_master(self) -> None:
        user = self.master_username
        exists = self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'")
        self.execute(f"{'ALTER' if exists else 'CREATE'} ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD {self._literal(self.master_password)}")

    def execute(self, sql: str, database: str = "") -> str:
        return self._run(
            find_binary("psql"),
            "-h",
            str(self.directory),
            "-p",
            str(self.port),
            "-U",
            "rdsadmin",
            "-d",
            database or "postgres",
            "-qtAX",
            "-v",
            "ON_ERROR_STOP=1",
            sql=sql,
        )

    def make_database(self, name: str) -> None:
        self.execute(f"CREATE DATABASE {name} OWNER {self.master_username}")

    def connections(self, user: str) -> int:
        return int(self.execute(f"SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '{user}'"))

    def _connection_log(self) -> Path:
        return self.directory / "log"

    @staticmethod
    def _logged_connections(user: str, log: str) -> Iterator[datetime]:
        line = re.compile(rf"^(\S+ \S+) UTC \[\d+] LOG:  connection authorized: user={user} ", re.MULTILINE)
        for each in line.finditer(log):
            yield datetime.fromisoformat(f"{each[1]}+00:00")


@contextmanager
def running(engine: str, master_username: str = "team_admin", master_password: str = MASTER_PASSWORD) -> Iterator[Database]:
    """Run a server for one of ``ENGINES``, and leave nothing of it behind."""
    # Not pytest's directory: the server's user could not enter it.
    directory = Path(tempfile.mkdtemp(prefix="mlflow-db-"))
    servers = {"aurora-mysql": MariaDB, "aurora-postgresql": PostgreSQL}
    database = servers[engine](directory, master_username, master_password)
    try:
        database.create()
        yield database
    finally:
        database.stop()
        shutil.rmtree(directory, ignore_errors=True)
