# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: public hosted zones, and whose they are."""

from __future__ import annotations

import hashlib
import itertools
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import CONSISTENCY_WINDOW, Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, StaleState, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS, owner_tags, tag_dict, tag_list

REFERENCE = "mlplatform.mlflow_aws"
"""How the caller references of our zones begin."""
TAGS_AT_ONCE = 10
"""As many tags as ChangeTagsForResource sets, and as many as it removes."""


def public_zones(aws: Aws, name: str) -> list[dict[str, t.Any]]:
    """The public zones of this name as Route 53 describes them, their ``Id`` bare, with their ``Tags`` as a dict."""
    route53, wanted = aws.client("route53"), f"{name.lower().rstrip('.')}."
    zones = route53.list_hosted_zones_by_name(DNSName=wanted)["HostedZones"]  # sorted, this name first; a hundred at once
    public = [{**zone, "Id": zone["Id"].rpartition("/")[2]} for zone in zones if zone["Name"] == wanted and not zone.get("Config", {}).get("PrivateZone")]
    for zone in public:
        answer = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone["Id"])
        zone["Tags"] = tag_dict(answer["ResourceTagSet"]["Tags"])
    return public


class HostedZone(Resource):
    kind = "route53_hosted_zone"
    ours: State | None = None
    """The one of them that is ours, as it was read."""

    def describe(self) -> State | None:
        """Ours where there is one, or else one that is in its way."""
        zones = [
            {"id": zone["Id"], "comment": zone.get("Config", {}).get("Comment", ""), "reference": zone["CallerReference"], "tags": zone["Tags"]}
            for zone in public_zones(self.aws, self.name)
        ]
        self.ours = next((zone for zone in zones if not self._owned_by_another(zone)), None)
        return self.ours or (zones[0] if zones else None)

    def _owned_by_another(self, before: State) -> bool:
        unfinished = before.get("reference", "").startswith(REFERENCE) and not owner_tags(before["tags"])
        if unfinished and before["comment"] == self.spec["comment"]:
            return False  # the run that created it has died before it could tag it
        return not owner_tags(self.tags).items() <= before["tags"].items()

    def _check_owner(self, before: State | None) -> None:
        if before is not None and self._owned_by_another(before):
            owner = ", ".join(f"{k}={v}" for k, v in owner_tags(before["tags"]).items()) or "none of the tags " + ", ".join(OWNER_TAGS)
            raise AwsError(f"there is a public zone of this name already, {before['id']} ({owner}), and a second one would compete with it")

    def desired(self) -> State:
        return {"comment": self.spec["comment"]}

    def unknown(self) -> State:
        return {"id": UNKNOWN}

    def create(self, desired: State) -> State:
        """Route 53 creates any number of zones of one name, but takes a caller reference once only: so whoever creates a zone of this name
        with this module takes the same one, and one of them gets it. It stays taken when the zone is gone; then it is the next one's turn.
        """
        digest = hashlib.sha256(self.name.lower().rstrip(".").encode()).hexdigest()[:32]
        for number in itertools.count():
            try:
                zone = self.aws.client("route53").create_hosted_zone(
                    Name=self.name, CallerReference=f"{REFERENCE} {digest} {number}", HostedZoneConfig={"Comment": desired["comment"], "PrivateZone": False}
                )["HostedZone"]
                break
            except ClientError as error:
                if error_code(error) != "HostedZoneAlreadyExists":
                    raise
            self._wait_shown()
        state = {"id": zone["Id"].rpartition("/")[2]}
        self.retag({**state, "tags": {}}, desired["tags"], [])
        return state

    def _wait_shown(self) -> None:
        """Start over once AWS shows who has taken the reference. Where it shows nobody, that zone is gone."""
        wait = Wait(f"{self.kind} {self.name}")
        for pause in backoff():
            if public_zones(self.aws, self.name):
                raise StaleState("another run has just created it")
            if wait.seconds >= CONSISTENCY_WINDOW:
                return
            wait.pause(min(pause, CONSISTENCY_WINDOW), "another run may have just created it")

    def update(self, before: State, changes: State) -> None:
        self.aws.client("route53").update_hosted_zone_comment(Id=before["id"], Comment=changes["comment"])

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        change = self.aws.client("route53").change_tags_for_resource
        tags = tag_list({**owner_tags(to_set), **to_set})  # those that say whose it is first
        for start in range(0, max(len(tags), len(to_unset)), TAGS_AT_ONCE):
            part = slice(start, start + TAGS_AT_ONCE)
            given = {"AddTags": tags[part], "RemoveTagKeys": to_unset[part]}
            change(ResourceType="hostedzone", ResourceId=before["id"], **{k: v for k, v in given.items() if v})

    def delete(self, before: State) -> None:
        try:
            none_if_missing(self.aws.client("route53").delete_hosted_zone, "NoSuchHostedZone", Id=before["id"])
        except ClientError as error:
            if error_code(error) != "HostedZoneNotEmpty":
                raise
            raise AwsError(
                f"the zone {before['id']} holds records of others, {self._records(before)}: have them removed, or leave the zone to those "
                f"who use it, by taking its tags {', '.join(OWNER_TAGS)} off, and run the same command again"
            ) from error

    def _records(self, before: State) -> str:
        records = self.aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=before["id"])
        apex = f"{self.name.lower().rstrip('.')}."
        names = [f"{each['Type']} {each['Name']}" for each in records if each["Name"] != apex or each["Type"] not in ("NS", "SOA")]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
