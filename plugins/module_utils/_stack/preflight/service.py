# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the containers."""

from __future__ import annotations

import re

try:
    from botocore.validate import ParamValidator
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, NOT_ALLOWED, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import LOG, MOUNTS, SIDECARS, VOLUMES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.jobs import AS_BEFORE, all_servers_run_jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.server_environment import names_in_file, refusal
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.jobs import Jobs

SPELLED = ((SIDECARS, "ContainerDefinition"), (VOLUMES, "Volume"), (MOUNTS, "MountPoint"), (LOG, "LogConfiguration"))
"""Inputs that are spelled as the ECS API spells them, and what it calls one of them."""
FILES = "mlflow_service_environment_files"
FILE_SIZE = 1 << 20
"""Bytes of an environment file that are looked at."""


class Service(Checks):
    def checks(self) -> list[Check]:
        return [
            *((self.spelling, row, row[:1]) for row in SPELLED),
            *((self.environment_file, (arn,), (FILES,)) for arn in self.inputs.get(FILES) or []),
            (self.jobs, (), ("mlflow_unique_name", "mlflow_service_max_capacity")),
        ]

    def jobs(self) -> Problems:
        """Only warns: whoever uses no jobs loses nothing."""
        servers = maximum_servers(self.inputs)
        if servers > 1 and all_servers_run_jobs(self.inputs) and Jobs(self.aws, self.inputs).decision().mode == AS_BEFORE:
            warn(
                f"mlflow_service_max_capacity: MLflow's jobs are on and up to {servers} servers run: each that starts runs the unfinished jobs of "
                "all others once more, and periodic tasks (online scoring, issue detection) are off, since each server would run them; set "
                "mlflow_jobs, and leave MLflow's own variables for it out of mlflow_service_environment"
            )
        yield from ()

    def spelling(self, name: str, structure: str) -> Problems:
        """What boto3 would refuse to send, as its model of the ECS API says."""
        shape, given = self.aws.client("ecs").meta.service_model.shape_for(structure), self.inputs[name]
        single = [(name, given)] if given else []
        for where, document in single if isinstance(given, dict) else [(f"{name}[{index}]", each) for index, each in enumerate(given)]:
            report = ParamValidator().validate(document, shape)
            if report.has_errors():
                # without the values, which may be secret
                reasons = re.sub(r", value: .*?, type: <class '\w+'>", "", report.generate_report(), flags=re.DOTALL)
                reasons = re.sub(r"<class '(\w+)'>", r"\1", reasons)
                yield Problem(where, None, f"{'; '.join(reasons.splitlines())}: spell it as the ECS API does")

    def environment_file(self, arn: str) -> Problems:
        """What ECS would not find, and variables that the team file may not set either."""
        bucket, _slash, key = arn.partition(":::")[2].partition("/")
        try:
            text = self.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(FILE_SIZE).decode(errors="replace")
        except ClientError as error:
            if error_code(error) in NOT_ALLOWED:
                warn(f"{FILES}: {arn}: the caller may not read it: see that it is there and holds no variable that mlflow_service_environment may not")
            elif error_code(error) in ("NoSuchBucket", "NoSuchKey"):
                yield Problem(FILES, arn, "there is no such object, without which no task starts: upload it")
            else:
                raise
            return
        for name in names_in_file(text):
            remedy = refusal(name, "file")
            if remedy:
                yield Problem(FILES, arn, f"it sets {name}: {remedy}")
