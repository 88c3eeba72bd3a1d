# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account's resources as a CloudFormation template, on which cfn-lint judges by AWS's resource schemas of a region.

The members of the APIs and CloudFormation's properties mostly have the same names. C(KINDS) says where not, and what in an answer is
no property. Anything else that CloudFormation does not know is told by cfn-lint itself, as is a pattern, range or enumeration.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from support.account import Listing

State = dict[str, t.Any]

SECRET = "{{resolve:secretsmanager:secret}}"
"""In place of what no answer has and CloudFormation asks for."""


class Kind(t.NamedTuple):
    """How a resource of the listing becomes one of the template."""

    type: str
    names: t.Mapping[str, str | None] = {}
    """The property's name for the path of a member, None for what is no property: ids and states that AWS gives."""
    prepare: t.Callable[[str, State], State] = lambda _identifier, state: state
    """What is not only another name."""
    tags: t.Callable[[dict[str, str]], t.Any] = lambda tags: [{"Key": key, "Value": value} for key, value in tags.items()]


def _pairs(name: str) -> t.Callable[[str, State], State]:
    """Attributes as keys and values. AWS shows those that are not set, too, as nothing or as `off`."""

    def prepare(_identifier: str, state: State) -> State:
        attributes = state.pop("attributes")
        return {**state, name: [{"Key": key, "Value": value} for key, value in attributes.items() if value]}

    return prepare


def _subnets_of(state: State) -> list[str]:
    return [subnet["SubnetIdentifier"] for subnet in state["Subnets"]]


def _load_balancer(identifier: str, state: State) -> State:
    subnets = [zone["SubnetId"] for zone in state["AvailabilityZones"]]
    return {**_pairs("LoadBalancerAttributes")(identifier, state), "Subnets": subnets}


def _actions(actions: list[State]) -> list[State]:
    """Each group of a forward action is shown in two ways; CloudFormation takes one of them."""
    return [{key: value for key, value in action.items() if not (key == "TargetGroupArn" and "ForwardConfig" in action)} for action in actions]


def _listener(_identifier: str, state: State) -> State:
    return {**state, "DefaultActions": _actions(state["DefaultActions"])}


def _rule(identifier: str, state: State) -> State:
    for action in state["Actions"]:
        if "AuthenticateOidcConfig" in action:
            action["AuthenticateOidcConfig"]["ClientSecret"] = SECRET
    conditions = [{key: value for key, value in condition.items() if key != "Values" or len(condition) == 2} for condition in state["Conditions"]]
    listener = re.sub(":listener-rule/(.*)/[^/]+$", r":listener/\1", identifier)
    return {**state, "Priority": int(state["Priority"]), "ListenerArn": listener, "Conditions": conditions, "Actions": _actions(state["Actions"])}


def _cluster(_identifier: str, state: State) -> State:
    groups = [group["VpcSecurityGroupId"] for group in state["VpcSecurityGroups"]]
    return {**state, "VpcSecurityGroupIds": groups, "MasterUserPassword": SECRET}


def _instance(_identifier: str, state: State) -> State:
    return {**state, "DBSubnetGroupName": state["DBSubnetGroup"]["DBSubnetGroupName"]}


def _bucket(name: str, state: State) -> State:
    encryption, lifecycle = state["encryption"], state["lifecycle_configuration"]
    rules = [
        # CloudFormation has the members of Filter and Expiration in the rule itself.
        {"Id": rule.pop("ID"), **rule.pop("Filter"), **rule.pop("Expiration", {}), **rule}
        for rule in json.loads(json.dumps((lifecycle or {"Rules": []})["Rules"]))
    ]
    for rule in rules:
        for transition in rule.get("Transitions", []):
            transition["TransitionInDays"] = transition.pop("Days")
    cors = [
        {{"ID": "Id", "ExposeHeaders": "ExposedHeaders", "MaxAgeSeconds": "MaxAge"}.get(key, key): value for key, value in rule.items()}
        for rule in (state.get("cors") or {"CORSRules": []})["CORSRules"]
    ]
    found = {
        "BucketName": name,
        "CorsConfiguration": cors and {"CorsRules": cors},
        "VersioningConfiguration": state["versioning"],
        "BucketEncryption": encryption and {"ServerSideEncryptionConfiguration": encryption["ServerSideEncryptionConfiguration"]["Rules"]},
        "LifecycleConfiguration": lifecycle and {"Rules": rules, "TransitionDefaultMinimumObjectSize": lifecycle.get("TransitionDefaultMinimumObjectSize")},
        "OwnershipControls": state["ownership_controls"] and state["ownership_controls"]["OwnershipControls"],
        "PublicAccessBlockConfiguration": state["public_access_block"] and state["public_access_block"]["PublicAccessBlockConfiguration"],
    }
    return {key: value for key, value in found.items() if value}


def _function(_identifier: str, state: State) -> State:
    return {**state, "Code": {"S3Bucket": "code", "S3Key": "code.zip"}}  # what is in the listing is its hash only


def _repository(_identifier: str, state: State) -> State:
    policy = state.pop("lifecycle_policy")
    return {**{name: value for name, value in state.items() if name != "images"}, "LifecyclePolicy": {"LifecyclePolicyText": policy}}


def _role(_identifier: str, state: State) -> State:
    boundary = state.get("PermissionsBoundary")
    managed = [policy["PolicyArn"] for policy in state.pop("attached")]
    return {**state, "ManagedPolicyArns": managed, **({"PermissionsBoundary": boundary["PermissionsBoundaryArn"]} if boundary else {})}


def _of_api(identifier: str, state: State) -> State:
    return {**state, "ApiId": identifier.partition("/")[0]}


def _mapping(identifier: str, state: State) -> State:
    return {**state, "DomainName": identifier.partition("/")[0]}


def _security_group_rule(_identifier: str, state: State) -> State:
    other = state.pop("ReferencedGroupInfo", {}).get("GroupId")
    side = "Destination" if state["IsEgress"] else "Source"
    listed = state.pop("PrefixListId", None)
    return {**state, **({f"{side}SecurityGroupId": other} if other else {}), **({f"{side}PrefixListId": listed} if listed else {})}


def _record(_identifier: str, state: State) -> State:
    records = [record["Value"] for record in state.pop("ResourceRecords", [])]
    return {**state, "HostedZoneId": "Z0123456789ABCDEFGHIJ", **({"ResourceRecords": records} if records else {})}


def _event_rule(_identifier: str, state: State) -> State:
    return {**state, "EventPattern": json.loads(state["EventPattern"])}


def _nothing(*names: str) -> dict[str, None]:
    return dict.fromkeys(names)


def _as_map(tags: dict[str, str]) -> dict[str, str]:
    return tags


RULE = {"CidrIpv4": "CidrIp", **_nothing("SecurityGroupRuleId", "IsEgress", "SecurityGroupRuleArn")}  # they have no tags there
ENCRYPTION = "BucketEncryption.ServerSideEncryptionConfiguration"
KINDS: dict[str, Kind] = {
    "db_cluster": Kind(
        "AWS::RDS::DBCluster",
        {
            "DBClusterParameterGroup": "DBClusterParameterGroupName",
            "DBSubnetGroup": "DBSubnetGroupName",
            "EnabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "HttpEndpointEnabled": "EnableHttpEndpoint",
            "IAMDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
            **_nothing(
                "AllocatedStorage",
                "AvailabilityZones",
                "Status",
                "Endpoint",
                "ReaderEndpoint",
                "MultiAZ",
                "ReadReplicaIdentifiers",
                "DBClusterMembers",
                "VpcSecurityGroups",
                "DbClusterResourceId",
                "DBClusterArn",
                "CrossAccountClone",
                "DomainMemberships",
                "GlobalWriteForwardingRequested",
                "PubliclyAccessible",
                "ActivityStreamStatus",
                "EarliestRestorableTime",
                "AssociatedRoles",
            ),
        },
        _cluster,
    ),
    "db_instance": Kind(
        "AWS::RDS::DBInstance",
        {
            "PerformanceInsightsEnabled": "EnablePerformanceInsights",
            **_nothing(
                "DBInstanceStatus",
                "Endpoint",
                "VpcSecurityGroups",
                "DBParameterGroups",
                "DBSubnetGroup",
                "ReadReplicaDBInstanceIdentifiers",
                "OptionGroupMemberships",
                "DbInstancePort",
                "DbiResourceId",
                "DomainMemberships",
                "DBInstanceArn",
                "AvailabilityZone",
                # the cluster's
                "MasterUsername",
                "DBName",
                "AllocatedStorage",
                "BackupRetentionPeriod",
                "PreferredBackupWindow",
                "StorageEncrypted",
                "KmsKeyId",
                "EnabledCloudwatchLogsExports",
                "DeletionProtection",
                "StorageType",
                "DBSecurityGroups",
                "MultiAZ",
                "ReadReplicaSourceDBInstanceIdentifier",
                "CopyTagsToSnapshot",
                "IAMDatabaseAuthenticationEnabled",
            ),
        },
        _instance,
    ),
    "db_subnet_group": Kind(
        "AWS::RDS::DBSubnetGroup",
        _nothing("VpcId", "SubnetGroupStatus", "Subnets", "DBSubnetGroupArn"),
        lambda _identifier, state: {**state, "SubnetIds": _subnets_of(state)},
    ),
    "db_cluster_parameter_group": Kind(
        "AWS::RDS::DBClusterParameterGroup",
        {"DBParameterGroupFamily": "Family", **_nothing("DBClusterParameterGroupArn")},
        lambda _identifier, state: {**state, "Parameters": {k: v for k, v in state.pop("parameters").items() if v is not None}},
    ),
    "ecr_repository": Kind("AWS::ECR::Repository", _nothing("RepositoryArn", "RegistryId", "RepositoryUri"), _repository),
    "ecr_pull_through_cache_rule": Kind("AWS::ECR::PullThroughCacheRule", _nothing("RegistryId", "CreatedAt", "UpdatedAt")),
    "ecs_cluster": Kind(
        "AWS::ECS::Cluster",
        {
            "Settings": "ClusterSettings",
            **_nothing("ClusterArn", "Status", "RegisteredContainerInstancesCount", "ActiveServicesCount", "Statistics", "Attachments", "AttachmentsStatus"),
        },
    ),
    "ecs_service": Kind(
        "AWS::ECS::Service",
        {
            "ClusterArn": "Cluster",
            "PlacementStrategy": "PlacementStrategies",
            **_nothing("ServiceArn", "Status", "RunningCount", "PendingCount", "PlatformFamily", "TaskSets", "Deployments", "RoleArn", "CreatedBy"),
        },
    ),
    "task_definition": Kind(
        "AWS::ECS::TaskDefinition",
        {
            "Volumes.EfsVolumeConfiguration": "EFSVolumeConfiguration",
            "Volumes.EfsVolumeConfiguration.FileSystemId": "FilesystemId",
            "Volumes.EfsVolumeConfiguration.AuthorizationConfig.Iam": "IAM",
            **_nothing("TaskDefinitionArn", "Revision", "Status", "Compatibilities", "RegisteredBy", "RegisteredAt", "RequiresAttributes", "DeregisteredAt"),
        },
    ),
    "load_balancer": Kind(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {"LoadBalancerName": "Name", **_nothing("LoadBalancerArn", "DNSName", "CanonicalHostedZoneId", "VpcId", "State", "AvailabilityZones")},
        _load_balancer,
    ),
    "listener": Kind("AWS::ElasticLoadBalancingV2::Listener", _nothing("ListenerArn"), _listener),
    "listener_certificates": Kind("AWS::ElasticLoadBalancingV2::ListenerCertificate"),
    "listener_rule": Kind("AWS::ElasticLoadBalancingV2::ListenerRule", _nothing("RuleArn", "IsDefault", "Port"), _rule),
    "target_group": Kind(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {"TargetGroupName": "Name", **_nothing("TargetGroupArn", "LoadBalancerArns")},
        _pairs("TargetGroupAttributes"),
    ),
    "api": Kind("AWS::ApiGatewayV2::Api", _nothing("ApiEndpoint", "ApiId"), tags=_as_map),
    "api_stage": Kind("AWS::ApiGatewayV2::Stage", _nothing("LastDeploymentStatusMessage"), _of_api, _as_map),
    "api_integration": Kind("AWS::ApiGatewayV2::Integration", _nothing("IntegrationId"), _of_api),
    "api_route": Kind("AWS::ApiGatewayV2::Route", _nothing("RouteId"), _of_api),
    "api_authorizer": Kind("AWS::ApiGatewayV2::Authorizer", _nothing("AuthorizerId"), _of_api),
    "vpc_link": Kind("AWS::ApiGatewayV2::VpcLink", _nothing("VpcLinkId", "VpcLinkStatus", "VpcLinkStatusMessage", "VpcLinkVersion"), tags=_as_map),
    "api_domain_name": Kind(
        "AWS::ApiGatewayV2::DomainName",
        _nothing(
            "ApiMappingSelectionExpression",
            "DomainNameArn",
            "DomainNameConfigurations.ApiGatewayDomainName",
            "DomainNameConfigurations.DomainNameStatus",
            "DomainNameConfigurations.HostedZoneId",
            "DomainNameConfigurations.DomainNameStatusMessage",
        ),
        tags=_as_map,
    ),
    "api_mapping": Kind("AWS::ApiGatewayV2::ApiMapping", _nothing("ApiMappingId"), _mapping),
    "function": Kind(
        "AWS::Lambda::Function",
        _nothing("FunctionArn", "CodeSize", "CodeSha256", "Version", "State", "LastUpdateStatus", "RevisionId", "Policy", "SnapStart.OptimizationStatus"),
        _function,
    ),
    "role": Kind("AWS::IAM::Role", _nothing("RoleId", "Arn"), _role),
    "role_policy": Kind("AWS::IAM::RolePolicy"),
    "bucket": Kind("AWS::S3::Bucket", {f"{ENCRYPTION}.ApplyServerSideEncryptionByDefault": "ServerSideEncryptionByDefault"}, _bucket),
    "bucket_policy": Kind("AWS::S3::BucketPolicy"),
    "query_definition": Kind("AWS::Logs::QueryDefinition", _nothing("QueryDefinitionId")),
    "log_group": Kind("AWS::Logs::LogGroup", _nothing("MetricFilterCount", "Arn", "LogGroupArn", "StoredBytes")),
    "scalable_target": Kind("AWS::ApplicationAutoScaling::ScalableTarget", _nothing("ScalableTargetARN")),
    "scaling_policy": Kind("AWS::ApplicationAutoScaling::ScalingPolicy", _nothing("PolicyARN", "Alarms")),
    "secret": Kind("AWS::SecretsManager::Secret", _nothing("ARN", "SecretVersionsToStages", "DeletedDate")),
    "security_group": Kind(
        "AWS::EC2::SecurityGroup",
        {"Description": "GroupDescription", **_nothing("GroupId", "IpPermissions", "IpPermissionsEgress", "SecurityGroupArn", "OwnerId")},
    ),
    "security_group_ingress": Kind("AWS::EC2::SecurityGroupIngress", RULE, _security_group_rule),
    "security_group_egress": Kind("AWS::EC2::SecurityGroupEgress", RULE, _security_group_rule),
    "record": Kind("AWS::Route53::RecordSet", prepare=_record),
    "metric_alarm": Kind("AWS::CloudWatch::Alarm", _nothing("AlarmArn", "StateValue", "StateReason", "StateReasonData")),
    "dashboard": Kind("AWS::CloudWatch::Dashboard"),
    "topic": Kind("AWS::SNS::Topic", _nothing("Policy")),
    "topic_subscription": Kind("AWS::SNS::Subscription"),
    "event_rule": Kind("AWS::Events::Rule", _nothing("Arn", "EventBusName"), _event_rule),
    "event_subscription": Kind(
        "AWS::RDS::EventSubscription",
        {
            "CustSubscriptionId": "SubscriptionName",
            "SourceIdsList": "SourceIds",
            "EventCategoriesList": "EventCategories",
            **_nothing("CustomerAwsId", "Status", "EventSubscriptionArn"),
        },
    ),
    "metric_filter": Kind("AWS::Logs::MetricFilter"),
    "user_pool": Kind(
        "AWS::Cognito::UserPool",
        {
            "Name": "UserPoolName",
            "Tags": "UserPoolTags",
            **_nothing("Id", "Arn", "EstimatedNumberOfUsers", "Domain", "SchemaAttributes"),  # of the attributes all are Cognito's own
        },
        tags=_as_map,
    ),
    "user_pool_client": Kind("AWS::Cognito::UserPoolClient", _nothing("ClientId", "ClientSecret")),
}
NOT_JUDGED = {
    # What AWS makes by itself, or the prerequisites of the tests
    "alarm",
    "db_cluster_snapshot",
    "network_interface",
    "vpc",
    "subnet",
    "route_table",
    "internet_gateway",
    "hosted_zone",
    "certificate",
    "key",
    # The lease: a parameter whose value is not in the listing
    "lease",
}


def _named(value: t.Any, names: t.Mapping[str, str | None], path: str = "") -> t.Any:
    """The value with CloudFormation's names. Keys that are no member's name, such as those of options, are left alone."""
    if isinstance(value, list):
        return [_named(each, names, path) for each in value]
    if not isinstance(value, dict):
        return value
    named = {}
    for member, inner in value.items():
        key = member[:1].upper() + member[1:] if re.fullmatch("[a-z][A-Za-z0-9]*", member) else member
        name = names.get(path + key, key)
        if name and inner not in ([], None):  # where nothing was given, AWS may answer an empty list
            named[name] = _named(inner, names, f"{path}{key}.")
    return named


def _resources(account: Listing) -> t.Iterator[tuple[str, str, State]]:
    """What the stacks of an account made, and what cannot carry their tags, one for each resource that CloudFormation knows."""
    scheduled = [state for (kind, _identifier), state in account.items() if kind == "scheduled_action"]
    for (kind, identifier), found in account.items():
        if "mlflow-stack" not in found.get("tags", {"mlflow-stack": ""}) or (kind == "record" and found["Type"] in ("NS", "SOA")):
            continue
        state = json.loads(json.dumps(found, default=str))
        if kind == "security_group_rule":
            del state["tags"]
            kind = "security_group_egress" if state["IsEgress"] else "security_group_ingress"
        elif kind == "bucket" and state["policy"]:
            yield "bucket_policy", identifier, {"Bucket": identifier, "PolicyDocument": json.loads(state["policy"]["Policy"])}
        elif kind == "scalable_target":
            members = ("ScheduledActionName", "Schedule", "Timezone", "ScalableTargetAction")
            of_it = [action for action in scheduled if action["ResourceId"] == identifier]
            state["ScheduledActions"] = [{name: action[name] for name in members if name in action} for action in of_it]
        if kind not in NOT_JUDGED | {"scheduled_action"}:
            yield kind, identifier, state


def template(account: Listing) -> State:
    """The template. A kind that C(KINDS) lacks is an error: it has to be judged, or be named as not judged."""
    resources = {}
    for kind, identifier, state in _resources(account):
        how, tags = KINDS[kind], state.pop("tags", {})
        properties = _named({**how.prepare(identifier, state), **({"Tags": how.tags(tags)} if tags else {})}, how.names)
        resources[f"{kind.title().replace('_', '')}{len(resources)}"] = {"Type": how.type, "Properties": properties}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


REGIONS = ["eu-west-1", "us-east-1"]
"""That of the tests, and another one, since the schemas of the regions differ."""


def findings(account: Listing) -> list[str]:
    """What cfn-lint has to say, one line for each finding."""
    pytest.importorskip("cfnlint")  # what is skipped is named as not run
    from cfnlint.api import lint

    document = template(account)
    found = lint(json.dumps(document), regions=REGIONS)
    return [f"{each.rule.id} {each.path[1]} {'.'.join(map(str, each.path[3:]))}: {each.message}" for each in found]
