# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: in which availability zones AWS has what a stack needs, as far as it says so. Pure.

Zones go by their IDs, which are the same for all accounts, unlike their names. Such lists grow old: what they do not know may be all
right.
"""

from __future__ import annotations

VPC_LINKS = {
    "ap-east-1": ("ape1-az2", "ape1-az3"),
    "ap-northeast-1": ("apne1-az1", "apne1-az2", "apne1-az4"),
    "ap-northeast-2": ("apne2-az1", "apne2-az2", "apne2-az3"),
    "ap-south-1": ("aps1-az1", "aps1-az2", "aps1-az3"),
    "ap-southeast-1": ("apse1-az1", "apse1-az2", "apse1-az3"),
    "ap-southeast-2": ("apse2-az1", "apse2-az2", "apse2-az3"),
    "ca-central-1": ("cac1-az1", "cac1-az2"),
    "eu-central-1": ("euc1-az1", "euc1-az2", "euc1-az3"),
    "eu-north-1": ("eun1-az1", "eun1-az2", "eun1-az3"),
    "eu-south-2": ("eus2-az1", "eus2-az2", "eus2-az3"),
    "eu-west-1": ("euw1-az1", "euw1-az2", "euw1-az3"),
    "eu-west-2": ("euw2-az1", "euw2-az2", "euw2-az3"),
    "eu-west-3": ("euw3-az1", "euw3-az3"),
    "me-south-1": ("mes1-az1", "mes1-az2", "mes1-az3"),
    "sa-east-1": ("sae1-az1", "sae1-az2", "sae1-az3"),
    "us-east-1": ("use1-az1", "use1-az2", "use1-az4", "use1-az5", "use1-az6"),
    "us-east-2": ("use2-az1", "use2-az2", "use2-az3"),
    "us-gov-west-1": ("usgw1-az1", "usgw1-az2", "usgw1-az3"),
    "us-west-1": ("usw1-az1", "usw1-az3"),
    "us-west-2": ("usw2-az1", "usw2-az2", "usw2-az3", "usw2-az4"),
}
"""The zones in which API Gateway makes VPC links for HTTP APIs, by region (API Gateway Developer Guide, "VPC links V2")."""

WITHOUT_VPC_LINKS = frozenset({"ape1-az1", "apne1-az3", "apne2-az4", "cac1-az4", "euw3-az2", "use1-az3", "usw1-az2"})
"""The other zones that these regions had when the list was made: any other is newer than it."""

WITHOUT_FARGATE = frozenset({"apne1-az3", "cnn1-az3", "usw1-az2"})
"""Zones of regions of which only others are said to have Fargate (Amazon ECS Developer Guide, "Supported Regions … on AWS Fargate")."""

UNSUITED = WITHOUT_VPC_LINKS | WITHOUT_FARGATE


def lacks(zone_id: str) -> str:
    """What AWS is known not to have in a zone, of what tasks and VPC link need; empty where it has all, or nothing is known.

    >>> lacks("euw3-az2"), lacks("usw1-az2"), lacks("euw3-az1"), lacks("euw3-az9")
    ('VPC links', 'VPC links and Fargate', '', '')
    """
    lists = (("VPC links", WITHOUT_VPC_LINKS), ("Fargate", WITHOUT_FARGATE))
    return " and ".join(what for what, zones in lists if zone_id in zones)


def is_known(region: str, zone_id: str) -> bool:
    """Whether the lists say anything about a zone."""
    return zone_id in UNSUITED or zone_id in VPC_LINKS.get(region, ())
