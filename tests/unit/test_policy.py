# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.iam.policy_document import normal_policy


def policy(**statement: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(policy(Action="s3:Get"), policy(Action=["s3:Get"]), id="one action or a list of one"),
        pytest.param(policy(Action=["a:B", "a:A"]), policy(Action=["a:A", "a:B"]), id="order of actions"),
        pytest.param(policy(Resource=["b", "a", "a"]), policy(Resource=["a", "b"]), id="resources are a set"),
        pytest.param(policy(NotAction="a:B"), policy(NotAction=["a:B"]), id="not action"),
        pytest.param(policy(Principal="*"), policy(Principal={"AWS": ["*"]}), id="everyone"),
        pytest.param(policy(Principal={"AWS": "123456789012"}), policy(Principal={"AWS": "arn:aws:iam::123456789012:root"}), id="an account and its root"),
        pytest.param(policy(Principal={"Service": ["b", "a"]}), policy(Principal={"Service": ["a", "b"]}), id="order of principals"),
        pytest.param(
            policy(Condition={"Bool": {"aws:SecureTransport": False}}),
            policy(Condition={"Bool": {"aws:SecureTransport": ["false"]}}),
            id="booleans are strings",
        ),
        pytest.param(
            policy(Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}}),
            policy(Condition={"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            id="numbers are strings",
        ),
        pytest.param({"Statement": {"Effect": "Deny"}}, {"Version": "2008-10-17", "Statement": [{"Effect": "Deny"}]}, id="one statement, default version"),
    ],
)
def test_same_meaning(one: dict[str, object], other: dict[str, object]) -> None:
    assert normal_policy(one) == normal_policy(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(policy(Action="a:A"), policy(Action="a:B"), id="action"),
        pytest.param(policy(Action="a:A"), policy(NotAction="a:A"), id="not action"),
        pytest.param(policy(Action="a:A"), policy(Action="a:A", Effect="Deny"), id="effect"),
        pytest.param(policy(Action="a:A"), policy(Action="a:A", Sid="x"), id="sid"),
        pytest.param(policy(Principal={"AWS": "x"}), policy(Principal={"Service": "x"}), id="kind of principal"),
        pytest.param(
            policy(Principal={"AWS": "arn:aws:iam::123456789012:role/root"}),
            policy(Principal={"AWS": "123456789012"}),
            id="a role called root is not the account",
        ),
        pytest.param(policy(Condition={"Bool": {"k": True}}), policy(Condition={"Bool": {"k": False}}), id="condition value"),
        pytest.param(policy(), {"Statement": [{"Effect": "Allow"}]}, id="version"),
    ],
)
def test_other_meaning(one: dict[str, object], other: dict[str, object]) -> None:
    assert normal_policy(one) != normal_policy(other)


def test_is_its_own_normal_form_and_leaves_the_input() -> None:
    document = policy(Action="a:A", Principal="*", Condition={"Bool": {"k": True}})
    normal = normal_policy(document)
    assert normal_policy(normal) == normal
    assert document == policy(Action="a:A", Principal="*", Condition={"Bool": {"k": True}})
