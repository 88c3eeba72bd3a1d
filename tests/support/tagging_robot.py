# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An organisation's robot that tags everything in its accounts, by each service's own call."""

from __future__ import annotations

import typing as t

from embedded_aws.client import ACCOUNT, EmbeddedAWS

from support.account import Listing, State, listing

ROBOT = {"CostCentre": "4711", "corp:owner": "platform", "corp:data": "internal"}
IGNORED = ["CostCentre", "corp:"]
"""What C(mlflow_ignore_tags) has to be for it."""

Tags = dict[str, str]


def tag_everything(aws: EmbeddedAWS, tags: Tags, *, but: t.Container[str] = ()) -> Listing:
    """Tag all that AWS can tag, ``but`` what has these identifiers, and return what there is then."""
    for (kind, identifier), state in listing(aws).items():
        if "tags" in state and identifier not in but:
            TAGGERS[kind](aws, identifier, state, tags)
    return listing(aws)


def untagged(found: Listing, tags: Tags) -> set[tuple[str, str]]:
    """What lacks some of the tags although AWS can tag it."""
    return {key for key, state in found.items() if "tags" in state and not tags.items() <= state["tags"].items()}


def _pairs(tags: Tags, key: str = "Key", value: str = "Value") -> list[Tags]:
    return [{key: k, value: v} for k, v in tags.items()]


def _bucket(aws: EmbeddedAWS, name: str, state: State, tags: Tags) -> None:
    aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": _pairs({**state["tags"], **tags})})


def _lease(aws: EmbeddedAWS, name: str, state: State, tags: Tags) -> None:
    ssm = aws.client("ssm")
    for parameter in ssm.get_parameters_by_path(Path="/mlplatform/mlflow_aws", Recursive=True)["Parameters"]:
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=parameter["Name"], Tags=_pairs(tags))


Tagger = t.Callable[[EmbeddedAWS, str, State, Tags], object]


def _by_arn(service: str, arn: str, pairs: tuple[str, str] | None = None) -> Tagger:
    """By TagResource, of the field C(arn): of tags as a dict, or as pairs whose members are so called."""

    def tag(aws: EmbeddedAWS, identifier: str, state: State, tags: Tags) -> None:
        client = aws.client(service)
        members = client.meta.service_model.operation_model("TagResource").input_shape.members
        which, what = members
        client.tag_resource(**{which: state[arn].removesuffix(":*"), what: _pairs(tags, *pairs) if pairs else tags})

    return tag


def _gateway(path: str) -> Tagger:
    def tag(aws: EmbeddedAWS, identifier: str, state: State, tags: Tags) -> None:
        arn = f"arn:aws:apigateway:eu-west-1::/{path.format(*identifier.split('/'))}"
        aws.client("apigatewayv2").tag_resource(ResourceArn=arn, Tags=tags)

    return tag


def _ec2(aws: EmbeddedAWS, identifier: str, state: State, tags: Tags) -> None:
    aws.client("ec2").create_tags(Resources=[identifier], Tags=_pairs(tags))


def _rds(arn: str) -> Tagger:
    return lambda aws, identifier, state, tags: aws.client("rds").add_tags_to_resource(ResourceName=state[arn], Tags=_pairs(tags))


def _elbv2(aws: EmbeddedAWS, arn: str, state: State, tags: Tags) -> None:
    aws.client("elbv2").add_tags(ResourceArns=[arn], Tags=_pairs(tags))


def _zone(aws: EmbeddedAWS, name: str, state: State, tags: Tags) -> None:
    aws.client("route53").change_tags_for_resource(ResourceType="hostedzone", ResourceId=state["Id"].rpartition("/")[2], AddTags=_pairs(tags))


def _dashboard(aws: EmbeddedAWS, name: str, state: State, tags: Tags) -> None:
    aws.client("cloudwatch").tag_resource(ResourceARN=f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}", Tags=_pairs(tags))


TAGGERS: dict[str, Tagger] = {
    **dict.fromkeys(
        ("vpc", "subnet", "route_table", "internet_gateway", "nat_gateway", "vpc_endpoint", "flow_log", "security_group", "security_group_rule"), _ec2
    ),
    "bucket": _bucket,
    "db_cluster": _rds("DBClusterArn"),
    "db_instance": _rds("DBInstanceArn"),
    "db_subnet_group": _rds("DBSubnetGroupArn"),
    "db_cluster_parameter_group": _rds("DBClusterParameterGroupArn"),
    "db_cluster_snapshot": _rds("DBClusterSnapshotArn"),
    **dict.fromkeys(("target_group", "load_balancer", "listener", "listener_rule"), _elbv2),
    "hosted_zone": _zone,
    "ecr_repository": _by_arn("ecr", "repositoryArn", ("Key", "Value")),
    "ecs_cluster": _by_arn("ecs", "clusterArn", ("key", "value")),
    "ecs_service": _by_arn("ecs", "serviceArn", ("key", "value")),
    "task_definition": _by_arn("ecs", "taskDefinitionArn", ("key", "value")),
    "scalable_target": _by_arn("application-autoscaling", "ScalableTargetARN"),
    "log_group": _by_arn("logs", "arn"),
    "role": lambda aws, name, state, tags: aws.client("iam").tag_role(RoleName=name, Tags=_pairs(tags)),
    "function": _by_arn("lambda", "FunctionArn"),
    "api": _gateway("apis/{0}"),
    "api_stage": _gateway("apis/{0}/stages/{1}"),
    "vpc_link": _gateway("vpclinks/{0}"),
    "api_domain_name": _gateway("domainnames/{0}"),
    "secret": lambda aws, name, state, tags: aws.client("secretsmanager").tag_resource(SecretId=name, Tags=_pairs(tags)),
    "certificate": lambda aws, arn, state, tags: aws.client("acm").add_tags_to_certificate(CertificateArn=arn, Tags=_pairs(tags)),
    "user_pool": _by_arn("cognito-idp", "Arn"),
    "metric_alarm": _by_arn("cloudwatch", "AlarmArn", ("Key", "Value")),
    "dashboard": _dashboard,
    "topic": lambda aws, arn, state, tags: aws.client("sns").tag_resource(ResourceArn=arn, Tags=_pairs(tags)),
    "event_rule": _by_arn("events", "Arn", ("Key", "Value")),
    "event_subscription": _rds("EventSubscriptionArn"),
    "lease": _lease,
}
