# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the public hosted zones of a name."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict


def public_zones(aws: Aws, name: str) -> list[dict[str, t.Any]]:
    """The public zones of this name as Route 53 describes them, their ``Id`` bare, with their ``Tags`` as a dict."""
    route53, wanted = aws.client("route53"), f"{name.lower().rstrip('.')}."
    zones = route53.list_hosted_zones_by_name(DNSName=wanted)["HostedZones"]  # sorted, this name first; a hundred at once
    public = [{**zone, "Id": zone["Id"].rpartition("/")[2]} for zone in zones if zone["Name"] == wanted and not zone.get("Config", {}).get("PrivateZone")]
    for zone in public:
        answer = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone["Id"])
        zone["Tags"] = tag_dict(answer["ResourceTagSet"]["Tags"])
    return public
