# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a moved MLflow's artifacts are, and how its database is read. Pure.

MLflow keeps the whole address of each artifact. One that names a bucket leads clients there themselves, one that begins with ``mlflow-artifacts:/``
to the server, which finds it below the root of its own.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from urllib.parse import quote, urlencode

SERVED = "mlflow-artifacts:/"
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""Of all tables, those that hold addresses, beside the tag ``TAG`` of traces."""
TAG = "mlflow.artifactLocation"

# The drivers that MLflow's image has. SQLAlchemy chooses others where none is named.
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgres": "postgresql+psycopg2", "postgresql": "postgresql+psycopg2"}


def root_of(address: str) -> str:
    """What an address is counted under: its bucket, or its scheme.

    >>> [root_of(a) for a in ("s3://bucket/1/ab/artifacts", "/mlruns/1", "dbfs:/x", "mlflow-artifacts:/1")]
    ['s3://bucket', 'file:', 'dbfs:', 'mlflow-artifacts:']
    """
    scheme, colon, rest = address.partition(":")
    if not colon or "/" in scheme:
        return "file:"
    if rest.startswith("//") and scheme not in ("mlflow-artifacts", "file"):
        return f"{scheme}://{rest[2:].split('/')[0]}"
    return f"{scheme}:"


def count_roots(addresses: t.Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(map(root_of, addresses)).items()))


def below(root: str) -> str:
    """The root as the beginning of all that lies below it.

    >>> below("s3://bucket/path/"), below("s3://bucket")
    ('s3://bucket/path/', 's3://bucket/')
    """
    return root.rstrip("/") + "/"


class Unreadable(ValueError):
    """The secret does not say how to reach a database that can be read. The message says why, without anything of the secret."""


def source_uri(secret: str) -> str:
    """The URI of the old database, with a driver that is in the image.

    :arg secret: a SQLAlchemy URI; or an object of JSON, with it as ``uri``, or with what RDS and its secrets say of a database.
    """
    try:
        found = json.loads(secret)
    except ValueError:
        found = {"uri": secret.strip()}
    if not isinstance(found, dict):
        raise Unreadable("it is no URI and no JSON object")
    if "uri" not in found:
        missing = sorted({"engine", "host", "username", "password", "dbname"} - found.keys())
        if missing:
            raise Unreadable(f"it is a JSON object without uri, and without {', '.join(missing)}")
        engine = str(found["engine"]).removeprefix("aurora-")
        port = f":{found['port']}" if found.get("port") else ""
        credentials = f"{quote(str(found['username']), safe='')}:{quote(str(found['password']), safe='')}"
        found["uri"] = f"{engine}://{credentials}@{found['host']}{port}/{quote(str(found['dbname']), safe='')}"
    scheme, separator, rest = str(found["uri"]).partition("://")
    if not separator:
        raise Unreadable("it is no URI: it has no ://")
    engine = scheme.split("+")[0]
    if engine == "sqlite":
        raise Unreadable("it is the URI of a file: put the file in S3, and give mlflow_import_sqlite_s3_uri")
    if engine not in DRIVERS:
        raise Unreadable(f"there is no driver for {engine}://: MySQL and PostgreSQL can be read")
    return f"{DRIVERS[engine]}://{rest}"


def sqlite_uri(path: str) -> str:
    """The URI of a file that SQLite opens for reading alone.

    >>> sqlite_uri("/tmp/a b.db")
    'sqlite:///file:/tmp/a%20b.db?mode=ro&uri=true'
    """
    return f"sqlite:///file:{quote(path)}?" + urlencode({"mode": "ro", "uri": "true"})
