# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS WAF: which web ACL protects which load balancer."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.wafv2 import models
from moto.wafv2.exceptions import WAFNonexistentItemException, WAFv2ClientError

from embedded_aws.gaps import gap


@gap(models.WAFV2Backend, "associate_web_acl")
def associate_web_acl(original: Any, self: Any, web_acl_arn: str, resource_arn: str) -> None:
    """AssociateWebACL needs a load balancer that exists, and takes the place of its web ACL before."""
    if web_acl_arn not in self.wacls:
        raise WAFNonexistentItemException
    if ":loadbalancer/app/" in resource_arn and resource_arn not in elbv2_backends[self.account_id][self.region_name].load_balancers:
        raise WAFv2ClientError("WAFUnavailableEntityException", "AWS WAF couldn't retrieve the resource that you requested. Retry your request.")
    self.disassociate_web_acl(resource_arn)
    original(self, web_acl_arn, resource_arn)


@gap(models.WAFV2Backend, "get_web_acl_for_resource")
def get_web_acl_for_resource(original: Any, self: Any, resource_arn: str) -> Any:
    """A deleted load balancer has no web ACL any more."""
    if ":loadbalancer/app/" in resource_arn and resource_arn not in elbv2_backends[self.account_id][self.region_name].load_balancers:
        raise WAFNonexistentItemException
    return original(self, resource_arn)


@gap(models.WAFV2Backend, "delete_web_acl")
def delete_web_acl(original: Any, self: Any, name: str, scope: str, _id: str, lock_token: str) -> None:
    """DeleteWebACL refuses one that protects a resource."""
    balancers = elbv2_backends[self.account_id][self.region_name].load_balancers
    if any(arn in balancers for wacl in self.wacls.values() if wacl.id == _id for arn in wacl.associated_resources):
        raise WAFv2ClientError("WAFAssociatedItemException", "AWS WAF couldn't perform the operation because your resource is being used by another resource.")
    original(self, name, scope, _id, lock_token)
