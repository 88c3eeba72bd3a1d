# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.password import password_problem, secret_password, secret_problem

MYSQL, POSTGRESQL = "aurora-mysql", "aurora-postgresql"


@pytest.mark.parametrize(
    ("value", "password"),
    [
        ("plain-Passw0rd", "plain-Passw0rd"),
        ("12345678", "12345678"),
        ('"quoted"', '"quoted"'),
        ("{not json", "{not json"),
        ('{"username": "u", "password": "p"}', "p"),
        ('{"username": "u"}', ""),
        ('{"password": 12345678}', ""),
    ],
)
def test_secret_password(value, password):
    assert secret_password(value) == password


@pytest.mark.parametrize(
    ("password", "engine", "problem"),
    [
        ("x" * 8, MYSQL, None),
        ("x" * 41, MYSQL, None),
        ("x" * 99, POSTGRESQL, None),
        ("!#$%&'()*+,-.:;<=>?[\\]^_`{|}~", MYSQL, None),
        ("x" * 7, MYSQL, "7 characters"),
        ("x" * 42, MYSQL, "8 to 41"),
        ("x" * 100, POSTGRESQL, "8 to 99"),
        ("", POSTGRESQL, "0 characters"),
        *((f"12345678{character}", POSTGRESQL, "refuses") for character in '/"@ \t\n\x7fä'),
    ],
)
def test_password_problem(password, engine, problem):
    found = password_problem(password, engine)
    assert found is None if problem is None else problem in found
    assert len(password) < 9 or password not in (found or "")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("12345678", None),  # the whole value is text for everybody
        ('{"password": "12345678"}', None),
        ('{"password": 12345678}', "is a number"),
        ('{"password": 1.5e300}', "is a number"),
        ('{"password": true}', "is no text"),
        ('{"password": ["12345678"]}', "is no text"),
        ('{"username": "u"}', "0 characters"),
        ('["12345678"]', "refuses"),
    ],
)
def test_secret_problem(value, problem):
    found = secret_problem(value, POSTGRESQL)
    assert found is None if problem is None else problem in found
    assert "12345678" not in (found or "")
