# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: which web ACL of AWS WAF protects a load balancer."""

from __future__ import annotations


from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State

WEB_ACL_TAG = "mlflow-web-acl"
"""The tag of a load balancer with the ARN of the web ACL that the stack has associated with it, from before that until after it was
disassociated: what others have associated is theirs.
"""


def associated_web_acl(aws: Aws, load_balancer_arn: str) -> str | None:
    """The ARN of the web ACL that a load balancer had before this run."""

    def read() -> str | None:
        answer = aws.client("wafv2").get_web_acl_for_resource(ResourceArn=load_balancer_arn)
        return answer["WebACL"]["ARN"] if answer.get("WebACL") else None

    return aws.once(("web ACL", load_balancer_arn), read)


class WebAclAssociation(Resource):
    """``spec``: ``arn`` of the web ACL; as absent, of the one that the stack has associated. Its parent is the load balancer."""

    kind = "wafv2_web_acl_association"
    parent: Resource

    def describe(self) -> State | None:
        arn = None if self.parent.newly_created() else associated_web_acl(self.aws, self.parent.actual["arn"])
        others = self.absent and arn != self.spec["arn"]  # somebody has put another one in its place
        return None if arn is None or others else {"web_acl_arn": arn}

    def desired(self) -> State:
        return {"web_acl_arn": self.spec["arn"]}

    def create(self, desired: State) -> None:
        load_balancer = self.parent.actual
        self.parent.retag(load_balancer, {WEB_ACL_TAG: desired["web_acl_arn"]}, [])
        # AWS WAF does not know a new load balancer at once.
        retry_on(
            self.aws.client("wafv2").associate_web_acl,
            "WAFUnavailableEntityException",
            timeout=300,
            WebACLArn=desired["web_acl_arn"],
            ResourceArn=load_balancer["arn"],
        )

    def update(self, before: State, changes: State) -> None:
        self.create(changes)

    def delete(self, before: State) -> None:
        load_balancer = self.parent.actual
        self.aws.client("wafv2").disassociate_web_acl(ResourceArn=load_balancer["arn"])
        self.parent.retag(load_balancer, {}, [WEB_ACL_TAG])

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["requests are no longer filtered by this web ACL"] if self.absent else []
