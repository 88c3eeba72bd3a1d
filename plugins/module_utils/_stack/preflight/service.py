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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers, runs_jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Checks, Problems


class Service(Checks):
    def checks(self) -> list[Check]:
        return [(self.sidecars, (), ("mlflow_service_sidecar_container_definitions",)), (self.jobs, (), ("mlflow_service_max_capacity",))]

    def jobs(self) -> Problems:
        """Only warns: whoever uses no jobs loses nothing."""
        servers = maximum_servers(self.inputs)
        if servers > 1 and runs_jobs(self.inputs):
            warn(
                f"mlflow_service_max_capacity: MLflow's jobs are on and up to {servers} servers run: each that starts runs the unfinished jobs of "
                "all others once more, and periodic tasks (online scoring, issue detection) are off, since each server would run them; have one "
                'server, or set MLFLOW_SERVER_ENABLE_JOB_EXECUTION to "false" in mlflow_service_environment'
            )
        yield from ()

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
