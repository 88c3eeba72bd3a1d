# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWS account holds, as far as the collection uses AWS, to compare one moment with another."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from collections.abc import Iterator

from embedded_aws.client import EmbeddedAWS

State = dict[str, t.Any]
Listing = dict[tuple[str, str], State]
"""Kind and identifier to what AWS says of it, with C(tags), a dict, where AWS can tag such a thing."""

NOT_STATE = {
    "ResponseMetadata",
    "CreatedDate",
    "CreatedTime",
    "CreateTime",
    "creationTime",
    "CreationDate",
    "LastModified",
    "LastModifiedTime",
    "LastModifiedDate",
    "LastAccessedDate",
    "LastUpdatedDate",
    "EarliestRestorableTime",
    "LatestRestorableTime",
    "RoleLastUsed",
    "storedBytes",
    "events",
    "createdAt",
    "updatedAt",
    "StateUpdatedTimestamp",
    "AlarmConfigurationUpdatedTimestamp",
    "SubscriptionCreationTime",
    "ClusterCreateTime",
    "InstanceCreateTime",
    "SnapshotCreateTime",
    "LastChangedDate",
    "registeredAt",
    "CreateDate",
    "CreationTime",
    "StateTransitionedTimestamp",
    "runningTasksCount",
    "pendingTasksCount",
}
"""Times and counters: they move by themselves."""


def listing(aws: EmbeddedAWS) -> Listing:
    """All resources of the account. Secrets are listed, their values are not."""
    found: Listing = {}
    for read in READERS:
        for kind, identifier, state in read(aws):
            assert (kind, identifier) not in found, (kind, identifier)
            found[kind, identifier] = still(state)
    return found


def changed(before: Listing, after: Listing) -> dict[str, set[tuple[str, str]]]:
    """What was C(added), C(removed) and C(altered) between two listings."""
    return {
        "added": after.keys() - before.keys(),
        "removed": before.keys() - after.keys(),
        "altered": {key for key in before.keys() & after.keys() if before[key] != after[key]},
    }


def pages(client: t.Any, operation: str, key: str, **arguments: t.Any) -> list[t.Any]:
    """All items of a listing operation."""
    if not client.can_paginate(operation):
        return getattr(client, operation)(**arguments)[key]
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]


def tags(pairs: t.Iterable[dict[str, str]]) -> dict[str, str]:
    return {tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in pairs}


def still(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {k: still(v) for k, v in value.items() if k not in NOT_STATE}
    if isinstance(value, list):
        return [still(item) for item in value]
    return value


Found = Iterator[tuple[str, str, State]]


def _ec2(aws: EmbeddedAWS) -> Found:
    ec2 = aws.client("ec2")
    for kind, operation, key, identifier in (
        ("vpc", "describe_vpcs", "Vpcs", "VpcId"),
        ("subnet", "describe_subnets", "Subnets", "SubnetId"),
        ("route_table", "describe_route_tables", "RouteTables", "RouteTableId"),
        ("internet_gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("nat_gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
        ("vpc_endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("flow_log", "describe_flow_logs", "FlowLogs", "FlowLogId"),
        ("network_interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("security_group", "describe_security_groups", "SecurityGroups", "GroupId"),
        ("security_group_rule", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
    ):
        for item in pages(ec2, operation, key):
            if kind == "subnet":  # network interfaces come and go
                del item["AvailableIpAddressCount"]
            if kind == "network_interface":  # nobody can tag those that a service makes for itself
                item.pop("TagSet", None)
                yield kind, item[identifier], item
            else:
                yield kind, item[identifier], {"tags": tags(item.pop("Tags", [])), **item}


def _s3(aws: EmbeddedAWS) -> Found:
    s3 = aws.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name, state = bucket["Name"], {"tags": {}}
        for part in ("versioning", "encryption", "lifecycle_configuration", "policy", "ownership_controls", "logging", "cors", "tagging"):
            state[part] = _or_none(getattr(s3, f"get_bucket_{part}"), Bucket=name)
        state["public_access_block"] = _or_none(s3.get_public_access_block, Bucket=name)
        state["tags"] = tags((state.pop("tagging") or {"TagSet": []})["TagSet"])
        state["objects"] = [o["Key"] for o in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        yield "bucket", name, state


def _or_none(operation: t.Callable[..., State], **arguments: t.Any) -> State | None:
    """What is answered, or None if AWS says that there is none."""
    try:
        return operation(**arguments)
    except operation.__self__.exceptions.ClientError as error:  # type: ignore[attr-defined]
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404, error
        return None


def _rds(aws: EmbeddedAWS) -> Found:
    rds = aws.client("rds")
    for kind, operation, key, identifier, arn in (
        ("db_cluster", "describe_db_clusters", "DBClusters", "DBClusterIdentifier", "DBClusterArn"),
        ("db_instance", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", "DBInstanceArn"),
        ("db_subnet_group", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", "DBSubnetGroupArn"),
        (
            "db_cluster_parameter_group",
            "describe_db_cluster_parameter_groups",
            "DBClusterParameterGroups",
            "DBClusterParameterGroupName",
            "DBClusterParameterGroupArn",
        ),
        ("db_cluster_snapshot", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier", "DBClusterSnapshotArn"),
    ):
        for item in pages(rds, operation, key):
            item.pop("TagList", None)
            item.pop("HostedZoneId", None)  # AWS's own, of the endpoint
            if kind == "db_cluster_parameter_group":
                group = {"DBClusterParameterGroupName": item[identifier]}
                found = pages(rds, "describe_db_cluster_parameters", "Parameters", **group)
                item["parameters"] = {p["ParameterName"]: p.get("ParameterValue") for p in found}
            pairs = rds.list_tags_for_resource(ResourceName=item[arn])["TagList"]
            yield kind, item[identifier], {**item, "tags": tags(pairs)}


def _elbv2(aws: EmbeddedAWS) -> Found:
    elb = aws.client("elbv2")

    def state(item: State, arn: str, **more: t.Any) -> State:
        return {**item, **more, "tags": tags(elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])}

    for group in pages(elb, "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        attributes = tags(elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
        yield "target_group", arn, state(group, arn, attributes=attributes)
    for balancer in pages(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        attributes = tags(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
        yield "load_balancer", arn, state(balancer, arn, attributes=attributes)
        for listener in pages(elb, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            listener_arn = listener["ListenerArn"]
            yield "listener", listener_arn, state(listener, listener_arn)
            certificates = pages(elb, "describe_listener_certificates", "Certificates", ListenerArn=listener_arn)
            if further := [{"CertificateArn": each["CertificateArn"]} for each in certificates if not each["IsDefault"]]:
                yield "listener_certificates", listener_arn, {"ListenerArn": listener_arn, "Certificates": further}
            for rule in pages(elb, "describe_rules", "Rules", ListenerArn=listener_arn):
                if not rule["IsDefault"]:  # that one is the listener's default action
                    yield "listener_rule", rule["RuleArn"], state(rule, rule["RuleArn"], port=listener["Port"])


def _route53(aws: EmbeddedAWS) -> Found:
    route53 = aws.client("route53")
    for zone in pages(route53, "list_hosted_zones", "HostedZones"):
        zone.pop("ResourceRecordSetCount")
        zone_id = zone["Id"].removeprefix("/hostedzone/")
        answer = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)
        yield "hosted_zone", zone["Name"], {**zone, "tags": tags(answer["ResourceTagSet"]["Tags"])}
        for record in pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id):
            yield "record", f"{record['Name']} {record['Type']}", record


def _ecs(aws: EmbeddedAWS) -> Found:
    ecs = aws.client("ecs")
    for arn in pages(ecs, "list_clusters", "clusterArns"):
        cluster = ecs.describe_clusters(clusters=[arn], include=["TAGS", "SETTINGS"])["clusters"][0]
        yield "ecs_cluster", arn, {**cluster, "tags": tags(cluster["tags"])}
        for service_arn in pages(ecs, "list_services", "serviceArns", cluster=arn):
            service = ecs.describe_services(cluster=arn, services=[service_arn], include=["TAGS"])["services"][0]
            yield "ecs_service", service_arn, {**service, "tags": tags(service["tags"])}
    for arn in pages(ecs, "list_task_definitions", "taskDefinitionArns", status="ACTIVE"):
        answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        yield "task_definition", arn, {**answer["taskDefinition"], "tags": tags(answer["tags"])}


def _application_autoscaling(aws: EmbeddedAWS) -> Found:
    scaling = aws.client("application-autoscaling")
    ecs = {"ServiceNamespace": "ecs"}
    for target in pages(scaling, "describe_scalable_targets", "ScalableTargets", **ecs):
        answer = scaling.list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])
        yield "scalable_target", target["ResourceId"], {**target, "tags": answer["Tags"]}
    for policy in pages(scaling, "describe_scaling_policies", "ScalingPolicies", **ecs):
        yield "scaling_policy", policy["PolicyName"], policy
    for action in pages(scaling, "describe_scheduled_actions", "ScheduledActions", **ecs):
        yield "scheduled_action", action["ScheduledActionName"], action


def _monitoring(aws: EmbeddedAWS) -> Found:
    cloudwatch, sns, events = (aws.client(service) for service in ("cloudwatch", "sns", "events"))

    def tags_of(arn: str) -> dict[str, str]:
        return tags(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])

    for alarm in pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        name = alarm["AlarmName"]
        if name.startswith("TargetTracking-"):  # AWS makes them for the scaling policies
            yield "alarm", name, alarm
        else:
            yield "metric_alarm", name, {**alarm, "tags": tags_of(alarm["AlarmArn"])}
    for entry in pages(cloudwatch, "list_dashboards", "DashboardEntries"):
        name, arn = entry["DashboardName"], entry["DashboardArn"]
        body = cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
        yield "dashboard", name, {"DashboardName": name, "DashboardBody": body, "tags": tags_of(arn)}
    for topic in pages(sns, "list_topics", "Topics"):
        arn = topic["TopicArn"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        state = {"TopicName": arn.rpartition(":")[2], "Policy": json.loads(attributes["Policy"]), "KmsMasterKeyId": attributes.get("KmsMasterKeyId")}
        yield "topic", arn, {**state, "tags": tags(sns.list_tags_for_resource(ResourceArn=arn)["Tags"])}
        for each in pages(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn):
            known = {name: each[name] for name in ("TopicArn", "Protocol", "Endpoint")}
            yield "topic_subscription", f"{arn} {each['Endpoint']}", known
    for rule in pages(events, "list_rules", "Rules"):
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        yield "event_rule", rule["Name"], {**rule, "Targets": targets, "tags": tags(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"])}
    rds = aws.client("rds")
    for found in pages(rds, "describe_event_subscriptions", "EventSubscriptionsList"):
        pairs = rds.list_tags_for_resource(ResourceName=found["EventSubscriptionArn"])["TagList"]
        yield "event_subscription", found["CustSubscriptionId"], {**found, "tags": tags(pairs)}
    for each in pages(aws.client("logs"), "describe_metric_filters", "metricFilters"):
        yield "metric_filter", f"{each['logGroupName']} {each['filterName']}", each


def _ecr(aws: EmbeddedAWS) -> Found:
    ecr = aws.client("ecr")
    for repository in pages(ecr, "describe_repositories", "repositories"):
        name = repository["repositoryName"]
        try:
            policy = ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
        except ecr.exceptions.LifecyclePolicyNotFoundException:
            policy = ""
        images = pages(ecr, "describe_images", "imageDetails", repositoryName=name)
        state = {**repository, "lifecycle_policy": policy, "images": {image["imageDigest"]: image.get("imageTags") for image in images}}
        yield "ecr_repository", name, {**state, "tags": tags(ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"])}
    for rule in pages(ecr, "describe_pull_through_cache_rules", "pullThroughCacheRules"):
        yield "ecr_pull_through_cache_rule", rule["ecrRepositoryPrefix"], rule


def _logs(aws: EmbeddedAWS) -> Found:
    logs = aws.client("logs")
    for group in pages(logs, "describe_log_groups", "logGroups"):
        answer = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))
        yield "log_group", group["logGroupName"], {**group, "tags": answer["tags"]}
    for query in logs.describe_query_definitions()["queryDefinitions"]:
        query.pop("lastModified")
        yield "query_definition", query["name"], query


def _iam(aws: EmbeddedAWS) -> Found:
    iam = aws.client("iam")
    for role in pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        role.pop("Tags", None)
        attached = pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
        yield "role", name, {**role, "attached": attached, "tags": tags(iam.list_role_tags(RoleName=name)["Tags"])}
        for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name):
            yield "role_policy", f"{name}/{policy}", iam.get_role_policy(RoleName=name, PolicyName=policy)


def _lambda(aws: EmbeddedAWS) -> Found:
    functions = aws.client("lambda")
    for function in pages(functions, "list_functions", "Functions"):
        policy = _or_none(functions.get_policy, FunctionName=function["FunctionName"])
        function_tags = functions.list_tags(Resource=function["FunctionArn"])["Tags"]
        yield "function", function["FunctionName"], {**function, "policy": policy, "tags": function_tags}


def _apigatewayv2(aws: EmbeddedAWS) -> Found:
    gateway = aws.client("apigatewayv2")

    def state(item: State) -> State:
        return {"tags": item.pop("Tags", {}), **item}

    for api in gateway.get_apis()["Items"]:
        api_id = api["ApiId"]
        yield "api", api_id, state(api)
        for kind, operation, identifier in (
            ("api_route", "get_routes", "RouteId"),
            ("api_integration", "get_integrations", "IntegrationId"),
            ("api_authorizer", "get_authorizers", "AuthorizerId"),
        ):
            for item in getattr(gateway, operation)(ApiId=api_id)["Items"]:
                yield kind, f"{api_id}/{item[identifier]}", item
        for stage in gateway.get_stages(ApiId=api_id)["Items"]:
            stage.pop("DeploymentId", None)
            yield "api_stage", f"{api_id}/{stage['StageName']}", state(stage)
    for link in gateway.get_vpc_links()["Items"]:
        yield "vpc_link", link["VpcLinkId"], state(link)
    for domain in gateway.get_domain_names()["Items"]:
        yield "api_domain_name", domain["DomainName"], state(domain)
        for mapping in gateway.get_api_mappings(DomainName=domain["DomainName"])["Items"]:
            yield "api_mapping", f"{domain['DomainName']}/{mapping['ApiMappingId']}", mapping


def _secrets_and_certificates(aws: EmbeddedAWS) -> Found:
    for secret in pages(aws.client("secretsmanager"), "list_secrets", "SecretList", IncludePlannedDeletion=True):
        yield "secret", secret["Name"], {"tags": tags(secret.pop("Tags", [])), **secret}
    for key in pages(aws.client("kms"), "list_keys", "Keys"):
        yield "key", key["KeyId"], aws.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    acm = aws.client("acm")
    for summary in pages(acm, "list_certificates", "CertificateSummaryList"):
        arn = summary["CertificateArn"]
        certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        certificate.pop("InUseBy", None)
        pairs = acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        yield "certificate", arn, {**certificate, "tags": tags(pairs)}


def _cognito(aws: EmbeddedAWS) -> Found:
    cognito = aws.client("cognito-idp")
    for summary in pages(cognito, "list_user_pools", "UserPools", MaxResults=60):
        pool = cognito.describe_user_pool(UserPoolId=summary["Id"])["UserPool"]
        yield "user_pool", pool["Id"], {"tags": pool.pop("UserPoolTags", {}), **pool}
        for client in pages(cognito, "list_user_pool_clients", "UserPoolClients", UserPoolId=pool["Id"]):
            yield "user_pool_client", client["ClientId"], client


def _leases(aws: EmbeddedAWS) -> Found:
    """Of each stack the last one as C(<stack> 0), those before it as C(<stack> 1) and so on, whatever their numbers and holders."""
    ssm = aws.client("ssm")
    seen: dict[str, int] = {}
    found = pages(ssm, "get_parameters_by_path", "Parameters", Path="/mlplatform/mlflow_aws", Recursive=True)
    for parameter in sorted(found, key=lambda p: -int(p["Name"].rpartition("/")[2])):
        stack = parameter["Name"].split("/")[3]
        age = seen[stack] = seen.get(stack, -1) + 1
        pairs = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter["Name"])["TagList"]
        yield "lease", f"{stack} {age}", {"tags": tags(pairs)}


READERS: tuple[t.Callable[[EmbeddedAWS], Found], ...] = (
    _ec2,
    _s3,
    _rds,
    _elbv2,
    _route53,
    _ecs,
    _application_autoscaling,
    _ecr,
    _logs,
    _iam,
    _lambda,
    _apigatewayv2,
    _secrets_and_certificates,
    _cognito,
    _leases,
    _monitoring,
)

NAMES = {
    "security_group": "GroupName",
    "load_balancer": "LoadBalancerName",
    "target_group": "TargetGroupName",
    "listener": "Port",
    "api": "Name",
    "vpc_link": "Name",
    "api_authorizer": "Name",
    "api_integration": "IntegrationMethod",
    "api_route": "RouteKey",
    "api_mapping": "ApiMappingKey",
    "secret": "Name",
    "user_pool_client": "ClientName",
}
"""What tells those apart that other resources refer to by an id that AWS chose."""
CHOSEN_BY_AWS = re.compile(
    r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?:eni|sgr)-[0-9a-f]+|[0-9a-f]{16,}|d-[0-9a-f]{10}|AROA[A-Z0-9]{17}"
    r"|(?:cluster|db)-[A-Z0-9]{26}|(?<=scalable-target/)[a-z0-9]+|\d+(?=\.[a-z0-9-]+\.elb\.)"
    r"|\d{4}(?:-\d\d){4}-\d+|\d{8}t\d{6}z|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00:00)(?!\w)"
)
"""Ids without a meaning, and the times in the names of snapshots and elsewhere."""


def comparable(account: Listing, known: Listing) -> Counter[str]:
    """An account as lines, one for each attribute of each resource, which are the same where only ids and times differ.

    An id that AWS chose becomes the name of what it is the id of. Those in C(known), what was there before, stay.
    """
    made = {key: state for key, state in account.items() if known.get(key) != state}
    before = json.dumps(list(known.values()), default=str)
    names = {
        str(state.get("ARN") or identifier).rpartition("/")[2].rpartition(":")[2]: f"<{kind} {state[NAMES[kind]]}>"
        for (kind, identifier), state in made.items()
        if kind in NAMES and (kind, identifier) not in known
    }
    ids = re.compile("|".join(map(re.escape, names)) or "(?!)")

    def named(text: str) -> str:
        text = ids.sub(lambda found: names[found[0]], text)
        return CHOSEN_BY_AWS.sub(lambda found: found[0] if found[0] in before else "<id>", text)

    lines = Counter(f"{kind} {identifier} is gone" for kind, identifier in known.keys() - account.keys())
    for (kind, identifier), state in made.items():
        attributes = sorted(named(line) for line in _flat(state))
        # What has no name is known by all that it is.
        name = named(identifier)
        lines.update([f"{kind} {name}: {', '.join(attributes)}"] if "<id>" in name else [f"{kind} {name} {line}" for line in attributes])
    return lines


def _flat(value: t.Any, path: str = "") -> t.Iterator[str]:
    """Each value inside, with the way to it. The order of a list is no difference."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for inner in value:
            yield f"{path}[] = {json.dumps(sorted(_flat(inner)))}"
    else:
        yield f"{path} = {value}"


NOT_HELD = {"rds.events", "ecs.tasks", "rds.resource_map"}
"""What moto keeps that is nothing of the account, such as tasks that have ended."""


class Account:
    """What is compared of an account: its resources, how much moto holds of each kind, and the form of each secret."""

    def __init__(self, aws: EmbeddedAWS, known: Listing) -> None:
        """C(known) is what was there before, and is the same in all accounts that are compared."""
        found = listing(aws)
        read = aws.client("secretsmanager").get_secret_value
        self.lines = comparable(found, known)
        self.holdings = {name: number for name, number in aws.holdings().items() if name not in NOT_HELD}
        for (kind, name), state in found.items():
            if kind == "secret" and (kind, name) not in known and "DeletedDate" not in state:
                fields = json.loads(read(SecretId=name)["SecretString"])
                self.lines.update(f"secret {name} has {len(value)} characters in {key}" for key, value in fields.items())

    def differences(self, expected: Account) -> list[str]:
        """What there is too little (-) and too much (+), and too few or too many."""
        numbers = {name: (expected.holdings.get(name, 0), self.holdings.get(name, 0)) for name in expected.holdings | self.holdings}
        return [
            *(f"- {line[:500]}" for line in expected.lines - self.lines),
            *(f"+ {line[:500]}" for line in self.lines - expected.lines),
            *(f"{name}: {is_now} instead of {wanted}" for name, (wanted, is_now) in numbers.items() if is_now != wanted),
        ]
