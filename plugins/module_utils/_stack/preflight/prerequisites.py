# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what is in the way of `bootstrap`: existing zones that are not what they should be, and what others have under its names."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.hosted_zone import public_zones
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.quotas import ADDRESSES, Quotas, VPCS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.roles import BOUNDARY, Roles
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS

OFFSETS = (0, 10, 20)
"""The third bytes of the first subnet of each kind, as the role `bootstrap` has them."""
ZONES = 6
"""The most zones of a region: a subnet has the number of its zone."""


MOST_NATS = 3
"""As many as the role `bootstrap` chooses zones."""
BUCKET_NAME = 63
"""Characters of the name of a bucket."""

NOT_OURS = ", which bootstrap did not make"


class Prerequisites(Checks):
    def checks(self) -> list[Check]:
        """With state absent, nothing is in the way: what others have is left alone, and that is said."""
        absent = self.inputs.get("mlflow_bootstrap_state") == "absent"
        rows: list[Check] = [
            (self.zones, (f"mlflow_bootstrap_{kind}zone_id", f"mlflow_{kind}zone_id", f"mlflow_{kind}zone_name"), (f"mlflow_{kind}zone_name",))
            for kind in ("", "api_")
        ]
        names = [self.vpc, self.user_pool, self.domain, self.key, *([] if absent else [self.secrets, self.address, self.access_logs_bucket, self.flow_logs])]
        rows += [(check, (), ("mlflow_unique_name",)) for check in names]
        return [(self._said, row[:2], row[2]) for row in rows] if absent else rows

    def _said(self, check: t.Callable[..., Problems], arguments: tuple[t.Any, ...]) -> Problems:
        for problem in check(*arguments):
            what = str(problem).partition(NOT_OURS)[0]
            warn(f"{what}{NOT_OURS}: it is left alone")
        yield from ()

    @property
    def name(self) -> str:
        return self.inputs["mlflow_unique_name"]

    def theirs(self, tags: dict[str, str]) -> bool:
        """Whether these are the tags of what somebody else made."""
        return not self._owner.items() <= tags.items()

    @property
    def _owner(self) -> dict[str, str]:
        manager, stack = OWNER_TAGS
        return {manager: "mlplatform.mlflow_aws", stack: f"{self.name}-bootstrap"}

    def taken(self, variable: str, what: str, remedy: str = "choose another name") -> Problem:
        owner = ", ".join(f"{k}={v}" for k, v in self._owner.items())
        return self.problem(variable, f"there is {what}{NOT_OURS}: {remedy}, or give it the tags {owner} to hand it over")

    def zones(self, given: str, made: str, name: str) -> Problems:
        zone_id = self.inputs.get(given) or self.inputs.get(made)
        if not zone_id:
            zones = public_zones(self.aws, self.inputs[name])
            if zones and all(map(self._theirs_zone, zones)):
                ids = ", ".join(zone["Id"] for zone in zones)
                yield self.taken(name, f"a hosted zone of this name already, {ids}", f"to use it give its ID as {given}, or choose another zone")
        elif self.inputs.get("mlflow_bootstrap_state") != "absent":
            yield from self.existing_zone(given if self.inputs.get(given) else made, name, zone_id)

    def _theirs_zone(self, zone: dict[str, t.Any]) -> bool:
        """What a run that died left without tags is for the module to tell."""
        unfinished = zone["CallerReference"].startswith("mlplatform.mlflow_aws ") and not set(OWNER_TAGS) & zone["Tags"].keys()
        return self.theirs(zone["Tags"]) and not (unfinished and zone.get("Config", {}).get("Comment") == self.name)

    def existing_zone(self, variable: str, name: str, zone_id: str) -> Problems:
        answer = none_if_missing(self.aws.client("route53").get_hosted_zone, "NoSuchHostedZone", Id=zone_id)
        if answer is None:
            yield self.problem(variable, f"no such hosted zone: give the ID of the zone {self.inputs[name]}, or leave it out to have one made")
            return
        zone = answer["HostedZone"]
        if zone["Name"].rstrip(".") != self.inputs[name].lower().rstrip("."):
            yield self.problem(variable, f"this zone is {zone['Name'].rstrip('.')}, but {name} is {self.inputs[name]}")
        if zone.get("Config", {}).get("PrivateZone"):
            yield self.problem(variable, "this zone is private, and the certificates are validated by records that the internet finds: give a public one")

    def vpc(self) -> Problems:
        vpcs = self.aws.pages("ec2", "describe_vpcs", "Vpcs", Filters=[{"Name": "tag:Name", "Values": [self.name]}])
        ours = [vpc for vpc in vpcs if not self.theirs(tag_dict(vpc["Tags"]))]
        if ours:
            yield from self.inside(ours[0]["VpcId"])
        elif vpcs:
            yield self.taken("mlflow_unique_name", f"a VPC of this name already, {', '.join(vpc['VpcId'] for vpc in vpcs)}")
        elif self.inputs.get("mlflow_bootstrap_state") != "absent":
            yield from Quotas(self.aws, self.inputs).room(VPCS, len(self.aws.pages("ec2", "describe_vpcs", "Vpcs")))

    def inside(self, vpc: str) -> Problems:
        """What others have put into our VPC in a place that bootstrap needs. The modules of amazon.aws would take it over."""
        if self.inputs.get("mlflow_bootstrap_state") == "absent":
            return
        here = [{"Name": "vpc-id", "Values": [vpc]}]
        variable, where = "mlflow_unique_name", f"in its VPC {vpc}"
        remedy = "have it removed from there"
        cidr = self.inputs.get("mlflow_bootstrap_vpc_cidr")
        first = ".".join(cidr.split(".")[:2]) if cidr else ""
        planned = [ipaddress.ip_network(f"{first}.{offset + n}.0/24") for offset in OFFSETS for n in range(ZONES)] if first else []
        for subnet in self.aws.pages("ec2", "describe_subnets", "Subnets", Filters=here):
            block = ipaddress.ip_network(subnet["CidrBlock"]) if subnet.get("CidrBlock") else None  # as of one of IPv6 only
            if block and self.theirs(tag_dict(subnet.get("Tags", []))) and any(block.overlaps(each) for each in planned):
                yield self.taken(variable, f"the subnet {subnet['SubnetId']} with {block} {where}", remedy)
        attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        for gateway in self.aws.pages("ec2", "describe_internet_gateways", "InternetGateways", Filters=attached):
            if self.theirs(tag_dict(gateway.get("Tags", []))):
                yield self.taken(variable, f"the internet gateway {gateway['InternetGatewayId']} {where}", remedy)
        nats = self.aws.pages("ec2", "describe_nat_gateways", "NatGateways", Filter=here) if self._nat_gateways != "none" else []
        for gateway in nats:
            if gateway["State"] in ("pending", "available") and self.theirs(tag_dict(gateway.get("Tags", []))):
                yield self.taken(variable, f"the NAT gateway {gateway['NatGatewayId']} {where}", remedy)
        for endpoint in self.aws.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=here):
            interface = endpoint["VpcEndpointType"] == "Interface"
            service = endpoint.get("ServiceName", "")  # which endpoints of resources and of service networks have none of
            if self.theirs(tag_dict(endpoint.get("Tags", []))) and (self._nat_gateways == "none" if interface else service.endswith(".s3")):
                yield self.taken(variable, f"the endpoint {endpoint['VpcEndpointId']} of {service} {where}", remedy)

    def address(self) -> Problems:
        """Of the NAT gateways."""
        wanted = {"none": 0, "one": 1, "one_per_zone": MOST_NATS}[self._nat_gateways]
        if wanted:
            addresses = self.aws.client("ec2").describe_addresses()["Addresses"]
            ours = sum(not self.theirs(tag_dict(address.get("Tags", []))) for address in addresses)
            if wanted > ours:
                yield from Quotas(self.aws, self.inputs).room(ADDRESSES, len(addresses), wanted - ours)

    @property
    def _nat_gateways(self) -> str:
        """As the role has them."""
        by_endpoints = self.inputs.get("mlflow_bootstrap_internet_access") == "vpc_endpoints"
        return "none" if by_endpoints else self.inputs.get("mlflow_bootstrap_nat_gateways", "one")

    def access_logs_bucket(self) -> Problems:
        bucket = self.names.access_logs_bucket
        if self.inputs.get("mlflow_bootstrap_access_logs_bucket") and len(bucket) > BUCKET_NAME:
            maximum = BUCKET_NAME - len(bucket) + len(self.name)
            yield self.problem("mlflow_unique_name", f"with mlflow_bootstrap_access_logs_bucket it may have {maximum} characters, for the name of that bucket")

    def flow_logs(self) -> Problems:
        """What has the names of the flow log's role and log group, and the boundary that the role is to get."""
        if not self.inputs.get("mlflow_bootstrap_flow_logs"):
            return
        name, group, path = self.names.flow_logs_role, self.names.flow_log_group, self.inputs["mlflow_iam_role_path"]
        answer = none_if_missing(self.aws.client("iam").get_role, "NoSuchEntity", RoleName=name)
        role = answer["Role"] if answer else {}
        if role and self.theirs(tag_dict(role.get("Tags", []))):
            yield self.taken("mlflow_unique_name", f"the role {name} already")
        elif role and role["Path"] != path:
            remedy = f"give {role['Path']}, or run bootstrap once with mlflow_bootstrap_flow_logs: false"
            yield self.problem("mlflow_iam_role_path", f"IAM cannot move a role, and {name} is at {role['Path']}: {remedy}")
        arn = f"arn:{self.aws.partition}:logs:{self.aws.region}:{self.aws.account_id}:log-group:{group}"
        tags = none_if_missing(self.aws.client("logs").list_tags_for_resource, "ResourceNotFoundException", resourceArn=arn)
        if tags and self.theirs(tags["tags"]):
            yield self.taken("mlflow_unique_name", f"the log group {group} already")
        if self.inputs.get(BOUNDARY):
            yield from Roles(self.aws, self.inputs).policy(BOUNDARY, self.inputs[BOUNDARY])

    def pools(self) -> dict[str, dict[str, str]]:
        """The tags of each user pool of our name, by its ID."""
        cognito = self.aws.client("cognito-idp")
        ids = [pool["Id"] for pool in self.aws.pages("cognito-idp", "list_user_pools", "UserPools", MaxResults=60) if pool["Name"] == self.name]
        return {each: cognito.describe_user_pool(UserPoolId=each)["UserPool"].get("UserPoolTags", {}) for each in ids}

    def user_pool(self) -> Problems:
        pools = self.aws.once("pools", self.pools)
        if pools and all(map(self.theirs, pools.values())):
            yield self.taken("mlflow_unique_name", f"a user pool of this name already, {', '.join(pools)}")

    def domain(self) -> Problems:
        variable = "mlflow_bootstrap_cognito_domain"
        domain = self.inputs.get(variable) or self.names.cognito_domain
        described = self.aws.client("cognito-idp").describe_user_pool_domain(Domain=domain).get("DomainDescription") or {}
        pool = described.get("UserPoolId")
        if pool and self.theirs(self.aws.once("pools", self.pools).get(pool, {})):
            yield self.problem(variable, f"there is the domain {domain} of the user pool {pool}{NOT_OURS}: give another prefix")

    def key(self) -> Problems:
        kms, alias = self.aws.client("kms"), f"alias/{self.name}"
        answer = none_if_missing(kms.describe_key, "NotFoundException", KeyId=alias)
        if answer is None:
            return
        key = answer["KeyMetadata"]["KeyId"]
        tags = {tag["TagKey"]: tag["TagValue"] for tag in self.aws.pages("kms", "list_resource_tags", "Tags", KeyId=key)}
        if self.theirs(tags):
            yield self.taken("mlflow_unique_name", f"the KMS alias {alias} of the key {key} already")

    def secrets(self) -> Problems:
        with_users = [self.names.api_credentials_secret] if self.inputs.get("mlflow_bootstrap_api_users") else []
        for name in (self.names.database_password_secret, *with_users):
            answer = none_if_missing(self.aws.client("secretsmanager").describe_secret, "ResourceNotFoundException", SecretId=name)
            if answer and self.theirs(tag_dict(answer.get("Tags", []))):
                yield self.taken("mlflow_unique_name", f"the secret {name} already")
