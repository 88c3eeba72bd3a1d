# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the buckets, and where the artifacts are."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._aws import ClientError, error_code, explain, found
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._ecs import artifact_places
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._preflight.base import Check, Checks, Problems


class Buckets(Checks):
    def checks(self) -> list[Check]:
        return [
            (self.bucket, (), ("mlflow_artifact_bucket_id",)),
            (self.access_logs, (), ("mlflow_load_balancer_access_logs_bucket",)),
            (self.artifacts, (), ("mlflow_unique_name",)),
        ]

    def bucket(self) -> Problems:
        name = "mlflow_artifact_bucket_id"
        try:
            self.aws.client("s3").head_bucket(Bucket=self.inputs[name])
        except ClientError as error:
            reason = {"404": "no such bucket", "403": "the caller may not see this bucket"}.get(error_code(error), explain(error))
            yield self.problem(name, f"{reason}: give a bucket of this account, or leave the input out")

    def access_logs(self) -> Problems:
        name = "mlflow_load_balancer_access_logs_bucket"
        try:
            self.aws.client("s3").head_bucket(Bucket=self.inputs[name])
        except ClientError as error:
            if error_code(error) == "404":  # what the caller may not see may be in the account that keeps the logs
                yield self.problem(name, "no such bucket: make it, with the policy that load balancers need, or leave the input out")

    def artifacts(self) -> Problems:
        """MLflow finds its artifacts below one place: another one that is empty would be the loss of all of them."""
        name, roles = self.inputs["mlflow_unique_name"], self.aws.module.params["roles"]
        running = {variable: place for container in self.containers(name) for variable, place in artifact_places(container).items()}
        have = running.get("MLFLOW_ARTIFACTS_DESTINATION") or running.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
        own = roles.get("s3_bucket_name") or f"{name}-{self.aws.account_id}-{self.aws.region}"
        place = (self.inputs.get("mlflow_artifact_bucket_id") or own, (self.inputs.get("mlflow_artifact_bucket_path") or "").strip("/"))
        want = "s3://" + "/".join(part for part in place if part)
        if not have or not have.startswith("s3://") or have == want or not self.holds_objects(have) or self.holds_objects(want):
            return
        variable = "mlflow_artifact_bucket_path" if have.split("/")[2] == place[0] else "mlflow_artifact_bucket_id"
        yield self.problem(variable, f"the artifacts are in {have}: put it back, or copy them first, with aws s3 sync {have} {want}")

    def holds_objects(self, root: str) -> bool:
        bucket, _slash, prefix = root.removeprefix("s3://").partition("/")
        call = self.aws.client("s3").list_objects_v2
        prefix = f"{prefix}/" if prefix else ""
        answer = found(call, "NoSuchBucket", "AccessDenied", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(answer and answer.get("KeyCount", len(answer.get("Contents", []))))

    def containers(self, family: str) -> list[dict[str, t.Any]]:
        """Those of the deployed task definition, MLflow's last."""
        answer = found(self.aws.client("ecs").describe_task_definition, "ClientException", taskDefinition=family)
        containers = answer["taskDefinition"]["containerDefinitions"] if answer else []
        return sorted(containers, key=lambda container: container["name"] == "mlflow")

    def container(self, family: str) -> dict[str, t.Any]:
        return next((container for container in self.containers(family) if container["name"] == "mlflow"), {})
