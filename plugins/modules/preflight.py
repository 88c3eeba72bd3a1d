#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
version_added: 1.0.0
short_description: Check the inputs of a stack before its first change
author: mlplatform contributors (@mlplatform)
description:
  - Checks the C(mlflow_*) inputs of a host, first by themselves (types, ranges, forms, unknown names), then with AWS (the subnets
    exist, lie in the VPC and in two availability zones or more; the certificates are issued and cover the names; and so on).
  - Reports all problems at once, each with the variable, its value and the remedy, and changes nothing.
  - The inputs are gathered from the variables of the host by an action plugin of the same name. It removes the file C(mlflow_plan_path),
    so that a plan that lies there is always of the last run.
options:
  scope:
    description:
      - What the inputs are checked for. With V(site) and V(restore) also what they name in AWS, with the others only that the account
        is the expected one.
      - With V(backup) and V(restore) what there is to save, and what a restore has to do, is found out too.
    type: str
    choices: [site, backup, restore, destroy, bootstrap]
    default: site
  inputs:
    description: The inputs that are right by themselves. Filled in by the action plugin.
    type: dict
    default: {}
  roles:
    description: Values of variables of the roles that AWS cannot change later. Filled in by the action plugin.
    type: dict
    default: {}
  role_refusal:
    description: What AWS said where it refused the role C(mlflow_aws_assume_role_arn). AWS is not asked anything else then.
    type: str
    default: ""
  survey:
    description:
      - Whether to ask AWS, at the same time, for all that the modules of a deployment will ask for. They take these answers until the
        run first changes something or waits for something, at most 300 seconds long, where they run in Ansible's worker
        (O(ignore:mlflow_run_in_worker)).
      - Only for a play in which nothing else changes the stack.
      - Where there is no database yet, only a plan asks.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
"""

EXAMPLES = r"""
- name: Check the inputs of the stack
  mlplatform.mlflow_aws.preflight:
"""

RETURN = r"""
account_id:
  description: The caller's account.
  type: str
  returned: success
  sample: "123456789012"
partition:
  description: Partition of the account.
  type: str
  returned: success
  sample: aws
region:
  description: The region of the stack.
  type: str
  returned: success
  sample: eu-west-1
mlflow:
  description: Of which MLflow the database is, as the stack's tags, or else its task definition, say.
  type: dict
  returned: success and O(scope=backup)
  sample: {version: v3.18.0-full, schema: 1bd49d398cd23}
restore:
  description:
    - What a restore has to do. C(cluster) is the cluster that gets or has the data of C(origin), C(source) what it is made of, C(switch)
      whether it takes the place of another, C(done) whether an earlier run has done it all, C(discard) the cluster to remove;
      C(endpoint) and C(engine_version) are those of the database that is there.
  type: dict
  returned: success and O(scope=restore)
  sample:
    origin: snapshot:mlflow-team-x-backup-20261122t221500z
    cluster: mlflow-team-x-restored
    source: {snapshot_identifier: mlflow-team-x-backup-20261122t221500z}
    switch: true
    done: false
    discard: ""
    endpoint: mlflow-team-x.cluster-abcdefg.eu-west-1.rds.amazonaws.com
    engine_version: 8.0.mysql_aurora.3.10.3
lease:
  description: What the action plugins of this collection tell all modules of the run, so that two runs never change one stack at the same time.
  type: dict
  returned: success
  sample:
    stack: mlflow-team-x
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}
    break: ""
    began: 1767322800.5
    holder:
      who: ann@laptop
      playbook: Deploy MLflow
      host: 0d3c1f6e-2f5b-4f0f-9a50-4f4a9a8c7d11 pid:[4026531836]
      pid: 4711
      started: 815472
      directory: /home/ann/.ansible/tmp/ansible-local-4711k2j5x9
problems:
  description: What is wrong, a line for each.
  type: list
  elements: str
  returned: failure
"""

import difflib
import json
import re
import typing as t
from datetime import datetime, timezone
from functools import partial

try:
    from botocore.validate import ParamValidator
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aurora import (
    RESTORED_AT_TAG,
    RESTORED_FROM_TAG,
    is_kept,
    parameter_group_family,
    restored_name,
    version_change,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import (
    Aws,
    AwsError,
    BotoCoreError,
    ClientError,
    error_code,
    explain,
    found,
    intervals,
    known_regions,
    tag_dict,
    together,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._database import SCHEMA_TAG, VERSION_TAG
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._inputs import Inputs, Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._rds_password import password_problem, secret_password
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._restore import (
    Marks,
    Mlflow,
    Restore,
    decide,
    fits,
    requested,
)
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._survey import Deployment

Problems = t.Iterator[Problem]


class Preflight:
    """The checks that ask AWS. Each is a generator of problems and may take for granted that its inputs are there."""

    def __init__(self, aws: Aws, inputs: Inputs) -> None:
        self.aws, self.inputs = aws, inputs

    def problem(self, name: str, remedy: str) -> Problem:
        return Problem(name, self.inputs.get(name), remedy)

    def account(self) -> Problems:
        if self.inputs.get("mlflow_aws_account_id") not in (None, "", self.aws.account_id):
            yield self.problem("mlflow_aws_account_id", f"the credentials in use are of account {self.aws.account_id}: use those of the right one")

    def region(self) -> Problems:
        """A region that is none has no servers either: asking them would take minutes to fail."""
        region, known = self.aws.region, known_regions()
        if not region:
            yield Problem("mlflow_aws_region", None, "is missing: give the region of the stack, or set AWS_REGION")
        elif region not in known:
            nearest = difflib.get_close_matches(region, sorted(known), n=1, cutoff=0)[0]
            yield Problem("mlflow_aws_region", region, f"boto3 knows no such region: did you mean {nearest}? One that is new needs a newer boto3")

    def elsewhere(self) -> Problems:
        """What has to be in the region of the stack, and by its ARN is in another one."""
        for name in (name for name, value in self.inputs.items() if name.endswith("_arn") and value):
            region = self.inputs[name].split(":")[3]
            if region not in ("", self.aws.region):  # a role is in none
                yield self.problem(name, f"it is in the region {region}, but the stack is in {self.aws.region}: give one of this region")

    def subnets(self) -> Problems:
        names = [f"mlflow_{of}_subnet_ids" for of in ("load_balancer", "service", "database")]
        wanted = sorted({subnet for name in names for subnet in self.inputs.get(name) or []})
        filters = [{"Name": "subnet-id", "Values": wanted}]
        known = {s["SubnetId"]: s for s in self.aws.pages("ec2", "describe_subnets", "Subnets", Filters=filters)}
        vpc = self.inputs["mlflow_vpc_id"]
        for name in names:
            ids = self.inputs.get(name) or []
            missing = [i for i in ids if i not in known]
            elsewhere = [i for i in ids if i in known and known[i]["VpcId"] != vpc]
            if missing:
                yield self.problem(name, f"{', '.join(missing)} not found in {self.aws.region}: give subnets of mlflow_vpc_id {vpc}")
            if elsewhere:
                yield self.problem(name, f"{', '.join(elsewhere)} not in mlflow_vpc_id {vpc}: give subnets of this VPC")
            zones = {known[i]["AvailabilityZone"] for i in ids if i in known}
            if ids and not missing and len(zones) < 2:
                yield self.problem(name, f"all lie in the zone {', '.join(zones)}: give subnets in two availability zones or more")
            elif not missing and len(zones) < len(ids) and name == "mlflow_load_balancer_subnet_ids":
                yield self.problem(name, "two of them lie in one availability zone: a load balancer takes one subnet in each zone")

    def way_out(self) -> Problems:
        """Only warns: an internal load balancer may reach the identity provider by ways that route tables do not show."""
        vpc = [{"Name": "vpc-id", "Values": [self.inputs["mlflow_vpc_id"]]}]
        tables = self.aws.pages("ec2", "describe_route_tables", "RouteTables", Filters=vpc)
        of_subnet = {a["SubnetId"]: table for table in tables for a in table["Associations"] if "SubnetId" in a}
        main = next((table for table in tables if any(a.get("Main") for a in table["Associations"])), None)
        for subnet in self.inputs["mlflow_load_balancer_subnet_ids"]:
            table = of_subnet.get(subnet, main)
            routes = [r for r in table["Routes"] if r.get("State") != "blackhole"] if table else []
            if table and not any(r.get("DestinationCidrBlock") == "0.0.0.0/0" for r in routes):
                self.aws.module.warn(
                    f"mlflow_load_balancer_subnet_ids: {subnet} has no route to the internet; the load balancer has to reach "
                    "the identity provider on port 443, or nobody can sign in"
                )
        yield from ()

    def certificate(self, name: str, zone: str) -> Problems:
        arn, host = self.inputs[name], f"{self.inputs['mlflow_record_name']}.{self.inputs[zone].rstrip('.')}"
        answer = found(self.aws.client("acm").describe_certificate, "ResourceNotFoundException", CertificateArn=arn)
        if answer is None:
            yield self.problem(name, f"no such certificate in {self.aws.region}: request one for {host}")
            return
        certificate = answer["Certificate"]
        if certificate["Status"] != "ISSUED":
            yield self.problem(name, f"the certificate is {certificate['Status']}, not ISSUED: finish its validation")
        names = certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]]
        if not any(covers(pattern, host) for pattern in names):
            yield self.problem(name, f"it covers {', '.join(names)}, not {host}: request one for {host}")

    def zone(self, id_name: str, name: str) -> Problems:
        answer = found(self.aws.client("route53").get_hosted_zone, "NoSuchHostedZone", Id=self.inputs[id_name])
        if answer is None:
            yield self.problem(id_name, f"no such hosted zone: give the ID of the zone {self.inputs[name]}")
        elif answer["HostedZone"]["Name"].rstrip(".") != self.inputs[name].rstrip("."):
            yield self.problem(id_name, f"this zone is {answer['HostedZone']['Name'].rstrip('.')}, but {name} is {self.inputs[name]}")

    def secret(self, name: str, check: t.Callable[[str], str | None]) -> Problems:
        try:
            value = self.aws.client("secretsmanager").get_secret_value(SecretId=self.inputs[name]).get("SecretString")
        except ClientError as error:
            if error_code(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                raise
            yield self.problem(name, f"it cannot be read ({error_code(error)}): make the secret and give it a value")
            return
        reason = check(value) if value else "it has no text value: give it one"
        if reason:
            yield self.problem(name, reason)

    def user_pool(self) -> Problems:
        cognito = self.aws.client("cognito-idp")
        pool_id = self.inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
        domain = self.inputs.get("mlflow_aws_cognito_user_pool_domain")
        ids = [("mlflow_api_client_ids", client) for client in self.inputs.get("mlflow_api_client_ids") or []]
        sign_in = "mlflow_aws_cognito_user_pool_client_id"
        if sign_in in self.inputs:
            ids.append((sign_in, self.inputs[sign_in]))
        pool, described, *clients = together(
            lambda: found(cognito.describe_user_pool, "ResourceNotFoundException", UserPoolId=pool_id),
            lambda: cognito.describe_user_pool_domain(Domain=domain) if domain else {},
            *(partial(self.app_client, pool_id, client_id) for _name, client_id in ids),
        )
        if pool is None:
            yield self.problem("mlflow_aws_cognito_user_pool_arn", f"no such user pool in {self.aws.region}")
            return
        for (name, client_id), answer in zip(ids, clients, strict=True):
            if answer is None:
                yield Problem(name, client_id, f"the user pool {pool_id} has no such app client")
            elif name == sign_in and self.inputs.get("mlflow_load_balancer_sign_in") == "cognito":
                yield from self.sign_in_client(name, answer["UserPoolClient"])
        if domain and (described.get("DomainDescription") or {}).get("UserPoolId") != pool_id:
            yield self.problem("mlflow_aws_cognito_user_pool_domain", f"this is no domain of the user pool {pool_id}")

    def app_client(self, pool_id: str, client_id: str) -> dict[str, t.Any] | None:
        describe = self.aws.client("cognito-idp").describe_user_pool_client
        return found(describe, "ResourceNotFoundException", UserPoolId=pool_id, ClientId=client_id)

    def sign_in_client(self, name: str, client: dict[str, t.Any]) -> Problems:
        """What an Application Load Balancer asks of an app client (Elastic Load Balancing User Guide, authenticate users)."""
        if not client.get("ClientSecret"):
            yield self.problem(name, "this app client has no secret, which the load balancer needs: make one with a secret")
        if "code" not in client.get("AllowedOAuthFlows", []) or "openid" not in client.get("AllowedOAuthScopes", []):
            yield self.problem(name, "allow this app client the authorization code grant and the scope openid")
        record, zone = (self.inputs.get(f"mlflow_{part}_name") for part in ("record", "zone"))
        callback = f"https://{record}.{(zone or '').rstrip('.')}/oauth2/idpresponse"
        if record and zone and callback not in client.get("CallbackURLs", []):
            yield self.problem(name, f"add {callback} to the callback URLs of this app client")

    def engine(self) -> Problems:
        engine, version = self.inputs["mlflow_database_engine"], self.inputs["mlflow_rds_cluster_engine_version"]
        name = self.inputs.get("mlflow_unique_name")
        if name and version == (self.cluster(name) or {}).get("EngineVersion"):
            return  # it runs already: that AWS offers it to nobody else any more is no reason to stop
        offered = {v["EngineVersion"]: v for v in self.aws.pages("rds", "describe_db_engine_versions", "DBEngineVersions", Engine=engine)}
        fitting = [v for v in offered if v == version or v.startswith(f"{version}.")]
        if not fitting:
            yield self.problem("mlflow_rds_cluster_engine_version", f"AWS does not offer it for {engine}: use one of {', '.join(list(offered)[-8:])}")
            return
        limits = offered[fitting[-1]].get("ServerlessV2FeaturesSupport") or {}
        if self.inputs.get("mlflow_database_auto_pause") and limits.get("MinCapacity", 0) > 0:
            yield self.problem("mlflow_database_auto_pause", f"{engine} {version} cannot pause: choose false, or a newer version")
        if limits and self.inputs.get("mlflow_database_max_capacity", 0) > limits.get("MaxCapacity", 256):
            yield self.problem("mlflow_database_max_capacity", f"{engine} {version} takes at most {limits['MaxCapacity']:g} ACU")

    def key(self, name: str) -> Problems:
        answer = found(self.aws.client("kms").describe_key, "NotFoundException", KeyId=self.inputs[name])
        if answer is None:
            yield self.problem(name, f"no such key in {self.aws.region}")
        elif answer["KeyMetadata"]["KeyState"] != "Enabled":
            yield self.problem(name, f"the key is {answer['KeyMetadata']['KeyState']}: enable it or give another one")

    def tls_policy(self) -> Problems:
        name = "mlflow_load_balancer_ssl_policy"
        describe = self.aws.client("elbv2").describe_ssl_policies
        if found(describe, "SSLPolicyNotFound", Names=[self.inputs[name]]) is None:
            yield self.problem(name, "AWS has no such policy: give one such as ELBSecurityPolicy-TLS13-1-2-2021-06")

    def sidecars(self) -> Problems:
        """What boto3 would refuse to send, as its model of the ECS API says."""
        name = "mlflow_service_sidecar_container_definitions"
        shape = self.aws.client("ecs").meta.service_model.shape_for("ContainerDefinition")
        for index, sidecar in enumerate(self.inputs[name]):
            report = ParamValidator().validate(sidecar, shape)
            if report.has_errors():
                # without the values, which may be secret
                reasons = re.sub(r", value: .*?, type: <class '\w+'>", "", report.generate_report(), flags=re.DOTALL)
                reasons = re.sub(r"<class '(\w+)'>", r"\1", reasons)
                yield Problem(f"{name}[{index}]", None, f"{'; '.join(reasons.splitlines())}: spell it as the ECS API does")

    def access_logs(self) -> Problems:
        name = "mlflow_load_balancer_access_logs_bucket"
        try:
            self.aws.client("s3").head_bucket(Bucket=self.inputs[name])
        except ClientError as error:
            if error_code(error) == "404":  # what the caller may not see may be in the account that keeps the logs
                yield self.problem(name, "no such bucket: make it, with the policy that load balancers need, or leave the input out")

    def bucket(self) -> Problems:
        name = "mlflow_artifact_bucket_id"
        try:
            self.aws.client("s3").head_bucket(Bucket=self.inputs[name])
        except ClientError as error:
            reason = {"404": "no such bucket", "403": "the caller may not see this bucket"}.get(error_code(error), explain(error))
            yield self.problem(name, f"{reason}: give a bucket of this account, or leave the input out")

    # The database: what AWS could only change by making a new one is refused here, before anything else was changed.

    INSTEAD = "AWS cannot change it in place. Keep it, or "
    RESTORE = "take a backup (the playbook backup) and restore it with this input (the playbook restore)"
    MOVE = "take a backup and restore it into a stack of another mlflow_unique_name (docs/restore.md)"

    def database(self) -> Problems:
        name = self.inputs["mlflow_unique_name"]
        cluster = self.cluster(name)
        if cluster is None:
            left = sorted(each for each in self.clusters() if each != name)
            if left:
                remedy = f"a restore is under way: there is {', '.join(left)} and no {name}. Finish it, with the command that began it"
                yield self.problem("mlflow_unique_name", remedy)
            return
        if cluster["Status"] == "renaming":
            yield self.problem("mlflow_unique_name", f"the database {name} is being renamed: finish the restore, with the command that began it")
        elif self.marks(cluster).under_way and self.of_this_stack(cluster):
            origin = self.marks(cluster).restored_from
            yield self.problem("mlflow_unique_name", f"a restore of {origin} is under way: finish it, with the command that began it")
        if cluster["Engine"] != self.inputs.get("mlflow_database_engine"):
            remedy = f"the database {name} is {cluster['Engine']}. {self.INSTEAD}start a stack of another mlflow_unique_name"
            yield self.problem("mlflow_database_engine", remedy)
        else:
            yield from self.engine_version(f"the database {name}", cluster["EngineVersion"])
        key = self.inputs.get("mlflow_database_kms_key_arn")
        if not cluster.get("StorageEncrypted"):
            remedy = f"the database {name} is not encrypted, which it has to be. Take a backup and restore it with a key"
            yield self.problem("mlflow_database_kms_key_arn", remedy)
        elif key and self.key_arn(key) != cluster.get("KmsKeyId"):
            remedy = f"the database {name} is encrypted with {cluster.get('KmsKeyId')}. {self.INSTEAD}{self.RESTORE}"
            yield self.problem("mlflow_database_kms_key_arn", remedy)
        for variable, field in (("rds_master_username", "MasterUsername"), ("rds_database_name", "DatabaseName")):
            yield from self.role_variable(f"the database {name}", variable, cluster.get(field))
        yield from self.network(cluster)

    def network(self, cluster: dict[str, t.Any] | None) -> Problems:
        name, group = self.inputs["mlflow_unique_name"], (cluster or {}).get("DBSubnetGroup")
        describe = self.aws.client("rds").describe_db_subnet_groups
        answer = group and found(describe, "DBSubnetGroupNotFoundFault", DBSubnetGroupName=group)
        if not answer:
            return
        vpc = answer["DBSubnetGroups"][0]["VpcId"]
        if vpc != self.inputs.get("mlflow_vpc_id"):
            yield self.problem("mlflow_vpc_id", f"the database {name} is in {vpc}. {self.INSTEAD}{self.MOVE}")
        elif group != name:
            remedy = f"the database {name} is in the subnet group {group}, not {name}. {self.INSTEAD}{self.MOVE}"
            yield self.problem("mlflow_database_subnet_ids", remedy)

    def engine_version(self, what: str, have: str) -> Problems:
        """What is wrong with the wanted version for a database or a snapshot of the version C(have)."""
        variable, want = "mlflow_rds_cluster_engine_version", self.inputs.get("mlflow_rds_cluster_engine_version")
        change = want and version_change(have, want, auto_minor=False)
        if change == "downgrade":
            yield self.problem(variable, f"{what} runs {have}, and AWS takes none back to an older version: give {have} or a newer one")
        elif change == "major":
            family = parameter_group_family(self.inputs["mlflow_database_engine"], want)
            yield self.problem(
                variable,
                f"{what} runs {have}, and no run makes a major upgrade. Give {have}; when the upgrade is tested, take a backup, make it "
                f"with aws rds modify-db-cluster --db-cluster-identifier {self.inputs['mlflow_unique_name']} --engine-version {want} "
                f"--allow-major-version-upgrade --db-cluster-parameter-group-name default.{family} --apply-immediately, then give {want}",
            )

    def role_variable(self, what: str, variable: str, have: str | None) -> Problems:
        want = self.aws.module.params["roles"].get(variable)
        if want and have and have != want:
            yield Problem(variable, want, f"{what} has {have}, which AWS cannot change: give {have}")

    def artifacts(self) -> Problems:
        """MLflow finds its artifacts below one place: another one that is empty would be the loss of all of them."""
        name, roles = self.inputs["mlflow_unique_name"], self.aws.module.params["roles"]
        running = self.environment(name)
        have = running.get("MLFLOW_ARTIFACTS_DESTINATION") or running.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
        own = roles.get("s3_bucket_name") or f"{name}-{self.aws.account_id}-{self.aws.region}"
        place = (self.inputs.get("mlflow_artifact_bucket_id") or own, (self.inputs.get("mlflow_artifact_bucket_path") or "").strip("/"))
        want = "s3://" + "/".join(part for part in place if part)
        if not have or have == want or not self.holds_objects(have) or self.holds_objects(want):
            return
        variable = "mlflow_artifact_bucket_path" if have.split("/")[2] == place[0] else "mlflow_artifact_bucket_id"
        yield self.problem(variable, f"the artifacts are in {have}: put it back, or copy them first, with aws s3 sync {have} {want}")

    def holds_objects(self, root: str) -> bool:
        bucket, _slash, prefix = root.removeprefix("s3://").partition("/")
        call = self.aws.client("s3").list_objects_v2
        prefix = f"{prefix}/" if prefix else ""
        answer = found(call, "NoSuchBucket", "AccessDenied", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(answer and answer.get("KeyCount", len(answer.get("Contents", []))))

    def environment(self, family: str) -> dict[str, str]:
        """The environment of MLflow in the deployed task definition."""
        container = self.container(family)
        return {pair["name"]: pair["value"] for pair in container.get("environment", [])}

    def container(self, family: str) -> dict[str, t.Any]:
        answer = found(self.aws.client("ecs").describe_task_definition, "ClientException", taskDefinition=family)
        containers = answer["taskDefinition"]["containerDefinitions"] if answer else []
        return next((container for container in containers if container["name"] == "mlflow"), {})

    # The clusters of the stack

    def cluster(self, name: str) -> dict[str, t.Any] | None:
        describe = partial(self.aws.client("rds").describe_db_clusters, DBClusterIdentifier=name)
        answer = self.aws.once(f"cluster {name}", lambda: found(describe, "DBClusterNotFoundFault"))
        return answer["DBClusters"][0] if answer else None

    def clusters(self) -> dict[str, dict[str, t.Any]]:
        """The stack's own clusters by name: the database, the one that is being restored, and those that restores have kept."""
        name = self.inputs["mlflow_unique_name"]
        every = self.aws.pages("rds", "describe_db_clusters", "DBClusters")
        named = {c["DBClusterIdentifier"]: c for c in every if self.of_this_stack(c)}
        return {n: c for n, c in named.items() if n in (name, restored_name(name)) or is_kept(n, name)}

    def renamed_clusters(self) -> dict[str, dict[str, t.Any]]:
        """The same, once AWS has finished a renaming that a run which died has begun. Until then it shows the name of before."""
        wait = Wait("the renaming of a cluster")
        for pause in intervals():
            clusters = self.clusters()
            renaming = [name for name, cluster in clusters.items() if cluster["Status"] == "renaming"]
            if not renaming or self.aws.check_mode:
                return clusters
            wait.pause(pause, f"{renaming[0]} is renaming")
        raise AssertionError("unreachable: intervals() never ends")

    def of_this_stack(self, described: dict[str, t.Any]) -> bool:
        return tag_dict(described.get("TagList", [])).get("mlflow-stack") == self.inputs["mlflow_unique_name"]

    @staticmethod
    def marks(cluster: dict[str, t.Any]) -> Marks:
        tags = tag_dict(cluster.get("TagList", []))
        return Marks(tags.get(RESTORED_FROM_TAG), tags.get(RESTORED_AT_TAG))

    # Backup and restore

    def deployed(self) -> Mlflow:
        """Of which MLflow the database is: the tags of the URI's secret say it, or the image that runs."""
        name = self.inputs["mlflow_unique_name"]
        describe = self.aws.client("secretsmanager").describe_secret
        answer = found(describe, "ResourceNotFoundException", SecretId=f"{name}-backend-store-uri") or {}
        tags = tag_dict(answer.get("Tags", []))
        version = tags.get(VERSION_TAG) or self.container(name).get("image", "").rpartition("/")[2].partition(":")[2]
        return Mlflow(version, tags.get(SCHEMA_TAG) or "unknown")

    def something_to_save(self) -> Problems:
        name = self.inputs["mlflow_unique_name"]
        cluster = self.cluster(name)
        if cluster is None or not self.of_this_stack(cluster):
            yield self.problem("mlflow_unique_name", f"there is no database {name} in {self.aws.region}: nothing to take a backup of")

    def restore(self) -> tuple[Restore, list[Problem]]:
        """What the restore has to do, and what is in its way."""
        (variable,) = requested(self.inputs)
        value, clusters = self.inputs[variable], self.renamed_clusters()
        marks = {name: self.marks(cluster) for name, cluster in clusters.items()}
        name = self.inputs["mlflow_unique_name"]
        again = bool(self.inputs.get("mlflow_restore_again"))
        decision = decide(name, variable, value, marks, again=again)
        if isinstance(decision, Problem):
            return Restore(), [decision]
        problems = list(self.network(clusters.get(name)))
        if decision.source and decision.cluster not in clusters:
            source = self.snapshot if variable == "mlflow_restore_snapshot" else self.time
            problems += source(value, clusters)
        current = clusters.get(name, {})
        there = {"endpoint": current.get("Endpoint", ""), "engine_version": current.get("EngineVersion", "")}
        return decision._replace(**there), problems

    def snapshot(self, value: str, _clusters: dict[str, dict[str, t.Any]]) -> Problems:
        variable, name = "mlflow_restore_snapshot", self.inputs["mlflow_unique_name"]
        describe = self.aws.client("rds").describe_db_cluster_snapshots
        answer = found(describe, "DBClusterSnapshotNotFoundFault", DBClusterSnapshotIdentifier=value)
        if answer is None:
            every = self.aws.pages("rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", DBClusterIdentifier=name)
            newest = sorted(every, key=lambda s: str(s.get("SnapshotCreateTime", "")), reverse=True)[:5]
            names = ", ".join(s["DBClusterSnapshotIdentifier"] for s in newest)
            yield self.problem(variable, f"there is no such snapshot; the newest of {name}: {names or 'none'}")
            return
        snapshot, what = answer["DBClusterSnapshots"][0], f"the snapshot {value}"
        tags = tag_dict(snapshot.get("TagList", []))
        if (tags.get("mlflow-stack") or snapshot["DBClusterIdentifier"]) != name:
            owner = tags.get("mlflow-stack") or snapshot["DBClusterIdentifier"]
            yield self.problem(variable, f"it is of {owner}: give one of {name}, or, if you mean it, give it the tag mlflow-stack={name}")
            return
        if snapshot["Status"] != "available":
            yield self.problem(variable, f"its status is {snapshot['Status']}: give one that is available")
        if snapshot["Engine"] != self.inputs.get("mlflow_database_engine"):
            yield self.problem("mlflow_database_engine", f"{what} is of {snapshot['Engine']}: give that")
        else:
            yield from self.engine_version(what, snapshot["EngineVersion"])
        yield from self.role_variable(what, "rds_master_username", snapshot.get("MasterUsername"))
        recorded, tag = Mlflow(tags.get(VERSION_TAG, ""), tags.get(SCHEMA_TAG, "")), self.inputs.get("mlflow_service_image_tag", "")
        if recorded.version and not fits(recorded, self.deployed(), tag):
            yield self.problem(
                "mlflow_service_image_tag",
                f"{what} is of MLflow {recorded.version} with the schema {recorded.schema or 'unknown'}: give {recorded.version} for the "
                "restore, and upgrade afterwards",
            )

    def time(self, value: str, clusters: dict[str, dict[str, t.Any]]) -> Problems:
        cluster = clusters[self.inputs["mlflow_unique_name"]]
        earliest, latest = cluster.get("EarliestRestorableTime"), cluster.get("LatestRestorableTime")
        if value == "latest" or not earliest or not latest:
            return
        if not earliest <= datetime.fromisoformat(value).astimezone(timezone.utc) <= latest:
            window = " to ".join(f"{time.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}" for time in (earliest, latest))
            yield self.problem("mlflow_restore_time", f"the backups of {cluster['DBClusterIdentifier']} cover {window}: give a time in it, or a snapshot")

    def key_arn(self, key: str) -> str:
        """The ARN of the key itself, also for the ARN of an alias."""
        return self.aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"]

    def checks(self) -> list[tuple[t.Callable[..., Problems], tuple[t.Any, ...], tuple[str, ...]]]:
        """Each check with its arguments and the inputs without which it cannot be made."""
        record = "mlflow_record_name"
        return [
            (self.subnets, (), ("mlflow_vpc_id",)),
            (self.way_out, (), ("mlflow_vpc_id", "mlflow_load_balancer_subnet_ids")),
            *((self.certificate, pair, (*pair, record)) for pair in (
                ("mlflow_certificate_arn", "mlflow_zone_name"), ("mlflow_api_cert_arn", "mlflow_api_zone_name"))),
            *((self.zone, pair, pair) for pair in (
                ("mlflow_zone_id", "mlflow_zone_name"), ("mlflow_api_zone_id", "mlflow_api_zone_name"))),
            *((self.secret, (name, check), (name,)) for name, check in (
                ("mlflow_database_password_secret_arn", self.password_reason),
                ("mlflow_api_credentials_secret_arn", credentials_reason),
                ("mlflow_load_balancer_oidc_client_secret_arn", lambda value: None))),
            (self.user_pool, (), ("mlflow_aws_cognito_user_pool_arn",)),
            (self.engine, (), ("mlflow_database_engine", "mlflow_rds_cluster_engine_version")),
            *((self.key, (name,), (name,)) for name in (
                "mlflow_key_arn", "mlflow_database_kms_key_arn", "mlflow_artifact_bucket_encryption_key_arn")),
            (self.bucket, (), ("mlflow_artifact_bucket_id",)),
            (self.access_logs, (), ("mlflow_load_balancer_access_logs_bucket",)),
            (self.tls_policy, (), ("mlflow_load_balancer_ssl_policy",)),
            (self.sidecars, (), ("mlflow_service_sidecar_container_definitions",)),
            (self.artifacts, (), ("mlflow_unique_name",)),
        ]

    def password_reason(self, value: str) -> str | None:
        return password_problem(secret_password(value), self.inputs.get("mlflow_database_engine", "aurora-mysql"))


def covers(pattern: str, host: str) -> bool:
    """Whether a name of a certificate covers a host name (RFC 6125: a wildcard stands for one whole label)."""
    pattern, host = pattern.lower(), host.lower()
    return pattern == host or (pattern.startswith("*.") and re.fullmatch(r"[^.]+" + re.escape(pattern[1:]), host) is not None)


def credentials_reason(value: str) -> str | None:
    """What is wrong with the secret of the user names and passwords, or None."""
    try:
        users = json.loads(value)
    except ValueError:
        users = None
    if not isinstance(users, dict) or not users or not all(isinstance(p, str) and p for p in users.values()):
        return 'give the secret a JSON object of user name to password, such as {"ci": "..."}'
    if any(not user or ":" in user for user in users):
        return "HTTP Basic takes no user name that is empty or holds a colon"
    return None


def problems_with_aws(preflight: Preflight, scope: str) -> list[Problem]:
    """All that AWS says is wrong with the inputs, in the order of the checks. A call that AWS refuses is a problem too."""
    elsewhere = list(preflight.elsewhere())
    wrong = {problem.variable for problem in elsewhere}
    preflight = Preflight(preflight.aws, {name: value for name, value in preflight.inputs.items() if name not in wrong})
    checks = preflight.checks()
    if scope == "site":
        checks.append((preflight.database, (), ("mlflow_unique_name",)))

    def attempt(check: t.Callable[..., Problems], arguments: tuple[t.Any, ...], needs: tuple[str, ...]) -> list[Problem]:
        try:
            return list(check(*arguments))
        except (ClientError, BotoCoreError) as error:
            return [Problem(needs[0], None, f"it cannot be checked: {explain(error)}")]

    possible = [row for row in checks if all(preflight.inputs.get(n) not in (None, "", []) for n in row[2])]
    answers = together(*(partial(attempt, *row) for row in possible))
    return elsewhere + [problem for problems in answers for problem in problems]


def problems_with(preflight: Preflight, scope: str) -> list[Problem]:
    """What is wrong: first with the way to AWS, then, if that is right, with what AWS has."""
    problems = list(preflight.region()) or list(preflight.account())
    if problems or scope not in ("site", "restore"):
        return problems
    problems, _asked = together(partial(problems_with_aws, preflight, scope), partial(survey, preflight))
    return problems


def survey(preflight: Preflight) -> None:
    """Ask for what the stack has, for the modules to come. Not where it is not there, and its parts are about to be made."""
    if not preflight.aws.record:
        return
    try:
        cluster = preflight.cluster(preflight.inputs["mlflow_unique_name"])
    except (ClientError, BotoCoreError):
        return  # which a check tells
    if cluster or preflight.aws.check_mode:
        Deployment(preflight.aws, preflight.inputs, cluster).run()


def task_of(preflight: Preflight, scope: str) -> tuple[dict[str, t.Any], list[Problem]]:
    """What a backup or a restore has to know, and what is in its way."""
    if not preflight.inputs.get("mlflow_unique_name"):
        return {}, []
    if scope == "restore" and len(requested(preflight.inputs)) == 1:
        restore, problems = preflight.restore()
        return {"restore": restore._asdict()}, problems
    if scope == "backup":
        problems = list(preflight.something_to_save())
        return {} if problems else {"mlflow": preflight.deployed()._asdict()}, problems
    return {}, []


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "scope": {"type": "str", "choices": ["site", "backup", "restore", "destroy", "bootstrap"], "default": "site"},
            "inputs": {"type": "dict", "default": {}},
            "roles": {"type": "dict", "default": {}},
            "role_refusal": {"type": "str", "default": ""},
            "survey": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    inputs, scope, refusal = (module.params[name] for name in ("inputs", "scope", "role_refusal"))
    try:
        if refusal:
            problems = [Problem("mlflow_aws_assume_role_arn", inputs.get("mlflow_aws_assume_role_arn"), refusal)]
        else:
            aws = Aws(module, record=module.params["survey"])
            aws.outdate()  # what a play before this one has read
            preflight, facts = Preflight(aws, inputs), {}
            problems = problems_with(preflight, scope)
            if not problems:
                facts, problems = task_of(preflight, scope)
        if not problems:
            if aws.record:
                aws.record.save()
            module.exit_json(changed=False, account_id=aws.account_id, partition=aws.partition, region=aws.region, **facts)
    except AwsError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json(msg=f"AWS cannot be asked: {explain(error)}")
    lines = list(dict.fromkeys(map(str, problems)))
    module.fail_json(msg="; ".join(lines), problems=lines)


if __name__ == "__main__":
    main()
