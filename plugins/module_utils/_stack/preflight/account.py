# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: which account and region the stack is in."""

from __future__ import annotations

import difflib
import re

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import known_regions
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ec2.availability_zones import VPC_LINKS


class Account(Checks):
    """The way to AWS, which all other checks take."""

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

    def supported_region(self) -> None:
        """Whether it is known that a stack can be in the region: its VPC link cannot be in all."""
        if self.aws.region not in VPC_LINKS:
            warn(
                f"mlflow_aws_region: this collection does not know whether API Gateway makes VPC links in {self.aws.region}, without which there is no "
                "stack; https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-vpc-links-v2.html has AWS's list"
            )

    def role(self) -> Problems:
        """A role that the caller may not take on is told first: with it AWS refuses all calls alike."""
        if self.inputs.get("mlflow_aws_assume_role_arn"):
            try:
                self.aws.account_id
            except ClientError as error:
                if error.operation_name != "AssumeRole":
                    raise
                too_long = re.search("MaxSessionDuration|session limit", str(error))
                yield self.problem(f"mlflow_aws_assume_role_{'duration' if too_long else 'arn'}", explain(error))

    def regions(self) -> Problems:
        """What has to be in the region of the stack, and by its ARN is in another one."""
        for name in (name for name, value in self.inputs.items() if name.endswith("_arn") and value):
            region = self.inputs[name].split(":")[3]
            if region not in ("", self.aws.region):  # a role is in none
                yield self.problem(name, f"it is in the region {region}, but the stack is in {self.aws.region}: give one of this region")
