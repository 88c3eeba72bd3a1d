# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what an import has to find."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import first_or_none
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.imports import GROUP
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.secrets import Secrets

FILE, SECRET = "mlflow_import_sqlite_s3_uri", "mlflow_import_database_secret_arn"


class Imports(Database):
    def checks(self) -> list[Check]:
        secrets = Secrets(self.aws, self.inputs)
        return [
            (self.stack, (), ("mlflow_unique_name",)),
            (secrets.secret, (SECRET, lambda value: None), (SECRET,)),  # what it says, the task finds out
            (self.security_group, (), (GROUP, "mlflow_vpc_id")),
            (self.file, (), (FILE,)),
        ]

    def stack(self) -> Problems:
        name = self.inputs["mlflow_unique_name"]
        cluster = self.cluster(name)
        if cluster is None or not self.of_this_stack(cluster):
            yield self.problem("mlflow_unique_name", f"there is no stack {name} in {self.aws.region} to import into: deploy it first, with the playbook site")

    def security_group(self) -> Problems:
        describe = self.aws.client("ec2").describe_security_groups
        group = first_or_none(describe, "SecurityGroups", "InvalidGroup.NotFound", GroupIds=[self.inputs[GROUP]])
        if group is None:
            yield self.problem(GROUP, f"no such security group in {self.aws.region}")
        elif group["VpcId"] != self.inputs["mlflow_vpc_id"]:
            yield self.problem(GROUP, f"it is in {group['VpcId']}, and the task runs in {self.inputs['mlflow_vpc_id']}: give one of that VPC")

    def file(self) -> Problems:
        """The task reads it with the rights of the servers."""
        bucket = self.inputs[FILE].removeprefix("s3://").partition("/")[0]
        readable = [self.inputs.get("mlflow_artifact_bucket_id") or self.names.bucket]
        readable += [each.rpartition(":")[2].partition("/")[0] for each in self.inputs.get("mlflow_artifact_buckets_mlflow_will_read") or []]
        if bucket not in readable:
            yield self.problem(
                FILE, f"the servers may not read {bucket}: put the file into {readable[0]}, or add {bucket} to mlflow_artifact_buckets_mlflow_will_read"
            )
