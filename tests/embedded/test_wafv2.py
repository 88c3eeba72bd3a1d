# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS WAF of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

from embedded.helpers import Network, refused
from embedded_aws.client import EmbeddedAWS
from support.stack import web_acl


def test_web_acls_of_load_balancers(aws: EmbeddedAWS, network: Network) -> None:
    """AssociateWebACL, GetWebACLForResource and DeleteWebACL in the AWS WAFV2 API Reference."""
    waf, elbv2 = aws.client("wafv2"), aws.client("elbv2")
    balancer = elbv2.create_load_balancer(Name="b", Subnets=network.subnets, Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
    one, other = web_acl(aws, "one"), web_acl(aws, "other")
    refused("WAFNonexistentItemException", waf.associate_web_acl, WebACLArn=f"{one}0", ResourceArn=balancer)
    refused("WAFUnavailableEntityException", waf.associate_web_acl, WebACLArn=one, ResourceArn=f"{balancer}0")
    assert "WebACL" not in waf.get_web_acl_for_resource(ResourceArn=balancer)
    for arn in (one, other):
        waf.associate_web_acl(WebACLArn=arn, ResourceArn=balancer)
        assert waf.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]["ARN"] == arn
    (summary,) = (each for each in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if each["ARN"] == other)
    which = {"Name": "other", "Scope": "REGIONAL", "Id": summary["Id"], "LockToken": summary["LockToken"]}
    refused("WAFAssociatedItemException", waf.delete_web_acl, **which)
    elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    waf.delete_web_acl(**which)
