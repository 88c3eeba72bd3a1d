# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import backend_store_uri, derive_password


def test_the_derived_password_is_the_same_in_every_release() -> None:
    # Another value would lock every deployed server out of its database.
    assert derive_password("Aa1'%s:é", "team-x") == ("40f79507d8288d2a0db37935513d46d97bb2e03cf9acb6487c2b1ac45aa661f5")


def test_the_derived_password_depends_on_password_and_stack() -> None:
    derived = {derive_password(password, name) for password in ("secret-1", "secret-2") for name in ("team-x", "team-y")}
    assert len(derived) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", password) for password in derived)


@pytest.mark.parametrize(
    ("engine", "port", "ca_file", "expected"),
    [
        ("aurora-mysql", 3306, "", "mysql+pymysql://mlflow:p@db:3306/mlflow?ssl_check_hostname=false&connect_timeout=10"),
        ("aurora-mysql", 3306, "/tls/ca.pem", "mysql+pymysql://mlflow:p@db:3306/mlflow?ssl_ca=%2Ftls%2Fca.pem&connect_timeout=10"),
        ("aurora-postgresql", 5432, "", "postgresql+psycopg2://mlflow:p@db:5432/mlflow?sslmode=require&connect_timeout=10"),
        (
            "aurora-postgresql",
            5432,
            "/tls/ca.pem",
            "postgresql+psycopg2://mlflow:p@db:5432/mlflow?sslmode=verify-full&sslrootcert=%2Ftls%2Fca.pem&connect_timeout=10",
        ),
    ],
)
def test_the_uri_always_encrypts_and_an_attempt_to_connect_ends(engine: str, port: int, ca_file: str, expected: str) -> None:
    uri = backend_store_uri(engine=engine, user="mlflow", password="p", host="db", port=port, database="mlflow", ca_file=ca_file)
    assert uri == expected


def test_what_a_uri_cannot_hold_is_encoded() -> None:
    password = "p:a/s@s?w#o%r d+é"
    parts = urlsplit(backend_store_uri(engine="aurora-mysql", user="a b", password=password, host="db", port=1, database="d/b"))
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("a b", password)
    assert (parts.hostname, parts.port, unquote(parts.path)) == ("db", 1, "/d/b")


def test_another_engine_is_an_error() -> None:
    with pytest.raises(KeyError):
        backend_store_uri(engine="sqlite", user="u", password="p", host="db", port=1, database="d")
