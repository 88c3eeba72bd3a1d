# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight makes of AWS's answers, as tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight import host_names
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.buckets import Buckets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.keys import Keys, Thing, Unusable
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import Network
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.prerequisites import Prerequisites
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.quotas import Quotas
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.secrets import MIN_PASSWORD, credentials_reason
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.checks import Preflight, problems_with_aws


def preflight(checks, answer, **inputs):
    return checks(SimpleNamespace(region="eu-west-1", once=lambda _key, read: read(), pages=lambda *_a, **_k: answer), inputs)


OLD = {"EngineVersion": "8.0.mysql_aurora.3.04.4", "ServerlessV2FeaturesSupport": {"MinCapacity": 0.5, "MaxCapacity": 128}}
NEW = {"EngineVersion": "8.0.mysql_aurora.3.10.3", "ServerlessV2FeaturesSupport": {"MinCapacity": 0, "MaxCapacity": 256}}


@pytest.mark.parametrize(
    ("version", "pause", "most", "problems"),
    [
        (NEW["EngineVersion"], True, 256, []),
        (OLD["EngineVersion"], False, 128, []),
        (OLD["EngineVersion"], True, 1, ["mlflow_database_auto_pause"]),
        (OLD["EngineVersion"], False, 129, ["mlflow_database_max_capacity"]),
        ("8.0.mysql_aurora.3.99.0", True, 1, ["mlflow_rds_cluster_engine_version"]),
    ],
)
def test_the_version_must_do_what_is_asked_of_it(version, pause, most, problems):
    check = preflight(
        Database,
        [OLD, NEW, {"EngineVersion": "8.0.mysql_aurora.3.11.0"}],
        mlflow_database_engine="aurora-mysql",
        mlflow_rds_cluster_engine_version=version,
        mlflow_database_auto_pause=pause,
        mlflow_database_max_capacity=most,
    )
    assert [problem.variable for problem in check.engine()] == problems


@pytest.mark.parametrize(
    ("zones", "problems"),
    [
        ("abc", []),
        ("aaa", ["mlflow_load_balancer_subnet_ids", "mlflow_service_subnet_ids"]),
        ("aab", ["mlflow_load_balancer_subnet_ids"]),  # the others may have several in a zone
    ],
)
def test_a_load_balancer_takes_one_subnet_in_each_zone(zones, problems):
    known = [{"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "AvailabilityZone": zone, "CidrBlock": "10.0.0.0/24"} for n, zone in enumerate(zones)]
    ids = [subnet["SubnetId"] for subnet in known]
    check = preflight(Network, known, mlflow_vpc_id="vpc-1", mlflow_load_balancer_subnet_ids=ids, mlflow_service_subnet_ids=ids)
    assert [problem.variable for problem in check.subnets()] == problems


LONG = "hunter2-and-13-others"


@pytest.mark.parametrize(
    ("users", "named"),
    [
        ({"ci": LONG}, None),
        ({"ci": "x" * 20, "jürgen": "ä" * 20}, None),
        ({"ci": "x" * 19}, "the password of 'ci' is shorter than 20 characters"),
        ({"ci": {"password": "x" * 20, "groups": ["a"]}, "old": "x" * 20}, None),
        ({"ci": {"password": "x" * 20}}, None),
        ({"ci": {"password": "x" * 19}}, "the password of 'ci' is shorter than 20 characters"),
        ({"ci": {"password": 7}}, "the password of 'ci' is no text but a number"),
        ({"ci": {"password": "x" * 20, "groups": "a"}}, "give 'ci' a password and a list of the names of groups"),
        ({"ci": {"password": "x" * 20, "groups": [7]}}, "give 'ci' a password and a list of the names of groups"),
        ({"ci": {"password": "x" * 20, "group": ["a"]}}, "give 'ci' a password and a list of the names of groups"),
        ({"ci": {"groups": ["a"]}}, "JSON object of user name to password"),
        ({"ci": LONG, "weak": "hunter2", "weaker": "x"}, "the password of 'weak', 'weaker' is shorter"),
        ({f"user{n}": "hunter2" for n in range(9)}, "'user4' and 4 more is shorter"),
        ({"a\nb\x1b[2J": "hunter2"}, r"the password of 'a\nb\x1b[2J' is shorter"),
        ({"ci": ""}, "a JSON object of user name to password"),
        ({"ci": 12345678901234567890123}, "a JSON object of user name to password"),
        ({"": LONG}, "no user name that is empty"),
        ({"a:b": LONG}, "no user name that is empty or holds a colon"),
        ({}, "a JSON object of user name to password"),
        ([LONG], "a JSON object of user name to password"),
    ],
)
def test_the_secret_of_http_basic_is_told_by_its_users_and_never_by_a_password(users, named):
    reason = credentials_reason(json.dumps(users))
    assert (reason is None) == (named is None) and (named or "") in (reason or "")
    assert "hunter2" not in (reason or "") and (reason or "").isprintable()


def test_the_authorizer_takes_what_preflight_takes():
    code = Path(__file__).parents[2] / "roles/apigw/files/authorizer/basic_credentials.py"
    assert re.findall(r"^MIN_PASSWORD = (\d+)", code.read_text(encoding="utf-8"), re.MULTILINE) == [str(MIN_PASSWORD)]


def test_a_subnet_without_ipv4_addresses_is_refused():
    known = [{"SubnetId": f"subnet-{zone}", "VpcId": "vpc-1", "AvailabilityZone": zone} for zone in "ab"]
    known[0]["CidrBlock"] = "10.0.0.0/24"
    check = preflight(Network, known, mlflow_vpc_id="vpc-1", mlflow_service_subnet_ids=["subnet-a", "subnet-b"])
    (problem,) = check.subnets()
    assert problem.variable == "mlflow_service_subnet_ids" and problem.remedy.startswith("subnet-b has IPv6 addresses only")


class Asked:
    """An AWS that gives the answers that a test says, by the operation."""

    region, account_id = "eu-west-1", "123456789012"

    def __init__(self, **answers):
        self.answers = answers
        self.module = SimpleNamespace()

    def once(self, _key, read):
        return read()

    def pages(self, _service, operation, *_result, **_arguments):
        return self.answers.get(operation, [])

    def client(self, _service):
        return SimpleNamespace(**{operation: lambda answer=answer, **_arguments: answer for operation, answer in self.answers.items()})


UNKNOWN_QUOTA = ClientError({"Error": {"Code": "NoSuchResourceException"}}, "GetServiceQuota")


@pytest.mark.parametrize(
    ("quota", "links", "full"),
    [
        ({"Value": 20.0}, 19, False),
        ({"Value": 20.0}, 20, True),
        ({"Value": 20.0}, 21, True),
        (UNKNOWN_QUOTA, 10, True),
        (UNKNOWN_QUOTA, 11, False),  # which shows that the account may have more than the default
        ({"ErrorReason": {"ErrorCode": "DEPENDENCY_ACCESS_DENIED_ERROR"}}, 10, False),
    ],
)
def test_a_quota_that_aws_does_not_say_is_not_full(quota, links, full):
    def ask(**_arguments):
        if quota is UNKNOWN_QUOTA:
            raise quota
        return {"Quota": quota}

    aws = Asked(get_vpc_links=[{"Name": f"other-{n}", "SubnetIds": ["subnet-1"]} for n in range(links)])
    aws.client = lambda _service: SimpleNamespace(get_service_quota=ask)
    assert bool(list(Quotas(aws, {"mlflow_unique_name": "team-x"}).vpc_links())) == full


def test_a_load_balancer_of_another_kind_has_no_scheme():
    link = {"Name": "team-x", "SubnetIds": ["subnet-1"]}
    check = Network(Asked(describe_load_balancers={"LoadBalancers": [{"Type": "gateway"}]}, get_vpc_links=[link]), {"mlflow_unique_name": "team-x"})
    assert check.placed() == (set(), {"subnet-1"})
    assert check.known() == {}, "EC2 is not asked for no subnets"


def test_subnets_without_ipv4_and_endpoints_without_a_service_are_not_in_the_way_of_bootstrap():
    subnets = [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2", "CidrBlock": "10.0.0.0/24"}]
    endpoints = [{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Resource"}]
    check = Prerequisites(
        Asked(describe_subnets=subnets, describe_vpc_endpoints=endpoints), {"mlflow_unique_name": "team-x", "mlflow_bootstrap_vpc_cidr": "10.0.0.0/16"}
    )
    (problem,) = check.inside("vpc-1")
    assert "subnet-2 with 10.0.0.0/24" in problem.remedy


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:eu-west-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        ("alias/team", "arn:aws:kms:eu-west-1:210987654321:alias/team"),
        ("arn:aws:kms:eu-west-1:210987654321:key/1234", "arn:aws:kms:eu-west-1:210987654321:key/1234"),
        ("alias/aws/secretsmanager", None),
        ("", None),
    ],
)
def test_the_key_of_another_accounts_secret_is_of_that_account(given, key):
    """Secrets Manager tells the key as whoever made the secret has named it."""
    check = Keys(Asked(describe_secret={"KmsKeyId": given} if given else {}), {})
    thing = Thing("mlflow_service_secrets", "arn:aws:secretsmanager:eu-west-1:210987654321:secret:token-AbCdEf", "role")
    if key:
        assert check.key_of_secret(thing) == key
    else:
        with pytest.raises(Unusable, match="which nobody here can use"):
            check.key_of_secret(thing)


def test_a_place_with_a_variable_that_nobody_knows_is_no_place_of_artifacts():
    container = {"name": "mlflow", "command": ["sh", "-c", "mlflow server --default-artifact-root s3://$BUCKET/x"]}
    check = Buckets(Asked(describe_task_definition={"taskDefinition": {"containerDefinitions": [container]}}), {"mlflow_unique_name": "team-x"})
    assert list(check.artifacts()) == []


@pytest.mark.parametrize(("balancer", "refused"), [("team-x", False), ("team-x-api", False), ("team-xy", True)])
def test_a_private_certificate_that_the_stack_uses_already_is_only_warned_of(monkeypatch, balancer, refused):
    used = [f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/{balancer}/0123456789abcdef"]
    aws = Asked(describe_certificate={"Certificate": {"Type": "PRIVATE", "InUseBy": used}})
    check = host_names.HostNames(aws, {"mlflow_unique_name": "team-x", "mlflow_api_cert_arn": "arn:1"})
    warnings = []
    monkeypatch.setattr(host_names, "warn", warnings.append)
    assert (len(list(check.trusted())), len(warnings)) == (refused, not refused)


def test_an_answer_that_nobody_expects_ends_no_check_with_a_traceback():
    def odd(**_arguments):
        raise KeyError("Odd")

    aws = Asked()
    aws.client = lambda _service: SimpleNamespace(describe_ssl_policies=odd)
    (problem,) = problems_with_aws(Preflight(aws, {"mlflow_load_balancer_ssl_policy": "x"}), "restore")
    assert problem.variable == "mlflow_load_balancer_ssl_policy" and "(KeyError 'Odd'): please report this" in problem.remedy
