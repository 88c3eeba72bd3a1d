# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cfn-lint as a judge of what an account holds. tests/site asks it of whole stacks; here it has to find something."""

from __future__ import annotations

import pytest
from support.account import Listing
from support.cloudformation import findings, template

STACK = {"mlflow-stack": "mlflow-team-x"}
GROUP = {"logGroupName": "/ecs/mlflow-team-x", "retentionInDays": 90, "arn": "arn:…", "tags": STACK}
BUCKET = {
    "policy": None,
    "ownership_controls": None,
    "public_access_block": None,
    "versioning": {"Status": "Enabled"},
    "tags": STACK,
    "encryption": {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}},
    "lifecycle_configuration": {
        "Rules": [{"ID": "rarely-used", "Filter": {"Prefix": ""}, "Status": "Enabled", "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}]}]
    },
}
RULE = {
    "SecurityGroupRuleId": "sgr-1",
    "GroupId": "sg-0a1b2c3d4e5f67890",
    "IsEgress": True,
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "CidrIpv4": "192.0.2.0/24",
    "Description": "People",
    "tags": STACK,
}
SERVICE = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [SERVICE]}


RIGHT: Listing = {("log_group", "/ecs/mlflow-team-x"): GROUP, ("bucket", "mlflow-team-x"): BUCKET, ("security_group_rule", "sgr-1"): RULE}
WRONG: Listing = {
    ("log_group", "pattern"): {**GROUP, "logGroupName": "a b"},
    ("log_group", "enumeration"): {**GROUP, "logGroupName": "/1", "retentionInDays": 91},
    ("log_group", "no property"): {**GROUP, "logGroupName": "/2", "retention": 90},
    ("bucket", "nested"): {**BUCKET, "versioning": {"Status": "On"}},
    ("security_group_rule", "format"): {**RULE, "CidrIpv4": "192.0.2.0/33"},
    ("role", "range"): {"RoleName": "x", "AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 60, "attached": [], "tags": STACK},
}


def test_says_nothing_of_what_is_right() -> None:
    assert len(template(RIGHT)["Resources"]) == len(RIGHT)
    assert findings(RIGHT) == []


def test_tells_what_is_wrong() -> None:
    found = {" ".join(finding.split()[1:3]) for finding in findings(WRONG)}
    assert found == {
        "LogGroup0 LogGroupName:",
        "LogGroup1 RetentionInDays:",
        "LogGroup2 Retention:",
        "Bucket3 VersioningConfiguration.Status:",
        "SecurityGroupEgress4 CidrIp:",
        "Role5 MaxSessionDuration:",
    }


def test_a_kind_that_it_does_not_know_is_an_error() -> None:
    with pytest.raises(KeyError, match="queue"):
        template({("queue", "mlflow-team-x"): {"tags": STACK}})


def test_leaves_out_what_is_not_of_a_stack() -> None:
    assert template({("log_group", "theirs"): {**GROUP, "tags": {}}})["Resources"] == {}
