# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: DNS records, and whose they are."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.warnings import warn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owner_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import RecordList, dns_name

OWNER_TTL = 300
PAGE_SIZE = "20"


def target(record: dict[str, t.Any]) -> State:
    """Where a record leads, from a resource record set of Route 53.

    The prefix ``dualstack.``, which the console adds to the name of a load balancer, leads to the same one.
    """
    if "AliasTarget" not in record:
        values = sorted(each["Value"] for each in record.get("ResourceRecords", []))
        return {"values": values, "ttl": record.get("TTL")}
    alias = record["AliasTarget"]
    return {
        "alias": {
            "dns_name": dns_name(alias["DNSName"]).removeprefix("dualstack."),
            "zone_id": alias["HostedZoneId"],
            "evaluate_target_health": alias["EvaluateTargetHealth"],
        }
    }


class Record(Resource):
    kind = "route53_record"
    change_id = ""

    def __init__(self, *args: t.Any, record_list: RecordList | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.record_list = record_list
        self.owner_name = f"_mlflow-stack-{self.spec['type'].lower()}.{dns_name(self.name)}"
        self.owner = ",".join(f"{k}={v}" for k, v in owner_tags(self.spec["tags"]).items())

    def describe(self) -> State | None:
        sets = self.record_sets()
        record, owner_record = sets.get((dns_name(self.name), self.spec["type"])), sets.get((self.owner_name, "TXT"))
        owner = target(owner_record)["values"][0].strip('"') if owner_record else None
        theirs = bool(self.owner) and owner != self.owner
        remembered = self.record_list is not None and self.record_list.contains(self.spec)
        state: State = {"owner": owner, "remembered": remembered}
        kinds = {kind for name, kind in sets if name == dns_name(self.name)} - {self.spec["type"]}
        if not self.absent and kinds and "CNAME" in (*kinds, self.spec["type"]):
            others = ", ".join(sorted(kinds))
            raise AwsError(f"records of this name exist, of type {others}: DNS allows no CNAME beside others")
        if self.absent:
            if record and theirs:
                warn(f"the record {self.name} is kept: it is not of this stack")
            # A TXT record of ours that has lost its record to somebody's hand is still ours to remove.
            ours = [] if theirs or not (record or self.owner) else [each for each in (record, owner_record) if each]
            return {**state, "record_sets": ours, "kept": record if theirs else None} if ours or remembered else None
        if record is None:
            return None
        if theirs and target(record) != self._target():
            raise AwsError(
                f"it exists already, leads to {_shown(record)}, and is not of this stack. Choose another name, "
                "delete it, or, to hand it over to the stack, add the TXT record "
                f'{self.owner_name} with the value "{self.owner}"'
            )
        return {**state, **target(record)}

    def record_sets(self) -> dict[tuple[str, str], dict[str, t.Any]]:
        """The record sets of its name, and of the names below it as far as its owner record, by name and type."""
        # Route 53 lists the names below a name right after it: one call finds the record and its TXT record.
        start = {"StartRecordName": dns_name(self.name)}
        found: dict[tuple[str, str], dict[str, t.Any]] = {}
        while True:
            try:
                page = self.aws.client("route53").list_resource_record_sets(HostedZoneId=self.spec["zone_id"], MaxItems=PAGE_SIZE, **start)
            except ClientError as error:
                if self.absent and error_code(error) == "NoSuchHostedZone":
                    return found
                raise
            for record in page["ResourceRecordSets"]:
                name = dns_name(record["Name"])
                if not f".{name}".endswith(f".{dns_name(self.name)}"):
                    return found
                found[name, record["Type"]] = record
            if (self.owner_name, "TXT") in found or not page["IsTruncated"]:
                return found
            start = {"StartRecordName": page["NextRecordName"], "StartRecordType": page["NextRecordType"]}

    def desired(self) -> State:
        return {**self._target(), "owner": self.owner or None, "remembered": True if self.record_list else None}

    def _target(self) -> State:
        return target(self._record_set())

    def _record_set(self) -> dict[str, t.Any]:
        record: dict[str, t.Any] = {"Name": self.name, "Type": self.spec["type"]}
        if alias := self.spec["alias"]:
            return record | {
                "AliasTarget": {"DNSName": alias["dns_name"], "HostedZoneId": alias["zone_id"], "EvaluateTargetHealth": alias["evaluate_target_health"]}
            }
        values = [{"Value": value} for value in self.spec["values"]]
        return record | {"TTL": self.spec["ttl"], "ResourceRecords": values}

    def create(self, desired: State) -> None:
        if self.record_list:
            self.record_list.add(self.spec)
        # CREATE, not UPSERT: Route 53 itself refuses should somebody have created the record since it was looked for.
        self._submit("CREATE")

    def update(self, before: State, changes: State) -> None:
        if self.record_list and "remembered" in changes:
            self.record_list.add(self.spec)
        if changes.keys() - {"remembered"}:
            self._submit("UPSERT")

    def _submit(self, action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": self._record_set()}]
        if self.owner:
            value = {"Value": f'"{self.owner}"'}
            owner = {"Name": self.owner_name, "Type": "TXT", "TTL": OWNER_TTL, "ResourceRecords": [value]}
            changes.append({"Action": "UPSERT", "ResourceRecordSet": owner})
        self._change(changes)

    def delete(self, before: State) -> None:
        if before["record_sets"]:
            self._change([{"Action": "DELETE", "ResourceRecordSet": each} for each in before["record_sets"]])
        if self.record_list:
            self.record_list.remove(self.spec)

    def _change(self, changes: list[dict[str, t.Any]]) -> None:
        answer = self.aws.client("route53").change_resource_record_sets(HostedZoneId=self.spec["zone_id"], ChangeBatch={"Changes": changes})
        self.change_id = answer["ChangeInfo"]["Id"]

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["the record stays, as it is not of this stack, and is forgotten"] if before and before.get("kept") else []

    def pending(self, state: State) -> bool:
        if not self.change_id:
            return False
        return self.aws.client("route53").get_change(Id=self.change_id)["ChangeInfo"]["Status"] == "PENDING"


def _shown(record: dict[str, t.Any]) -> str:
    where = target(record)
    return where["alias"]["dns_name"] if "alias" in where else ", ".join(where["values"])
