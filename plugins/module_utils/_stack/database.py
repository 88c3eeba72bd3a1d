# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's own database user: its password, the SQLAlchemy URI it connects with, and what the secret with that URI remembers."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlencode

PREPARED_TAG = "mlflow-database-prepared"
"""The tag of the secret with the URI that says for what the database was prepared."""
UPGRADING = "upgrading"
"""What PREPARED_TAG says from the moment on in which SNAPSHOT_TAG names a new snapshot: one call sets both, or a death between two
would leave an upgrade that takes the snapshot of an earlier one for its own.
"""
VERSION_TAG = "mlflow-version"
"""The tag, also of snapshots, that says of which MLflow a database is: the tag of its image."""
SCHEMA_TAG = "mlflow-database-schema"
"""The tag, also of snapshots, that says which revision the database's schema has."""
SNAPSHOT_VERSION_TAG = "mlflow-database-snapshot-version"
"""The tag of the secret that says of which MLflow that snapshot is."""
SNAPSHOT_TAG = "mlflow-database-snapshot"
"""The tag of the secret that names the snapshot of before the last upgrade, or the one that is under way."""

# The drivers are named because SQLAlchemy's default for postgresql:// differs between its releases.
_DRIVERS = {"aurora-mysql": "mysql+pymysql", "aurora-postgresql": "postgresql+psycopg2"}


def derive_password(master_password: str, unique_name: str) -> str:
    """Return the password of MLflow's database user: 64 hexadecimal digits.

    It follows from the master password, so it is stored nowhere else and changes when that changes; the stack's
    name is the salt, so two stacks with one master password do not share it. scrypt keeps a leaked URI from
    revealing a weak master password.
    """
    salt = f"mlplatform.mlflow_aws:{unique_name}".encode()
    return hashlib.scrypt(master_password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32).hex()


def backend_store_uri(*, engine: str, user: str, password: str, host: str, port: int, database: str, ca_file: str = "") -> str:
    """Return the SQLAlchemy URI of MLflow's backend store; the connection is always encrypted.

    :arg engine: ``aurora-mysql`` or ``aurora-postgresql``; anything else raises ``KeyError``.
    :arg ca_file: path, in the container, of the CA certificates that the server's certificate and name are
        verified against; without it the server is not verified.
    """
    if engine == "aurora-mysql":
        # In the URI, because MLFLOW_MYSQL_SSL_CA encrypts without verifying (PyMySQL's ssl_ca alone does).
        tls = {"ssl_ca": ca_file} if ca_file else {"ssl_check_hostname": "false"}
    else:
        tls = {"sslmode": "verify-full", "sslrootcert": ca_file} if ca_file else {"sslmode": "require"}
    # PyMySQL's default; libpq would wait for ever for a database that resumes from a pause.
    options = {**tls, "connect_timeout": "10"}
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"{_DRIVERS[engine]}://{credentials}@{host}:{port}/{quote(database, safe='')}?{urlencode(options)}"
