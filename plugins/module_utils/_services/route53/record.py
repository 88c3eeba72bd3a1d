# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: DNS records, and whose they are."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.warnings import warn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import Arguments
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, differences
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owner_tags
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.route53.record_list import AliasTarget, RecordList, dns_name, entry

OWNER_TTL = 300
PAGE_SIZE = "20"
ALIAS_RECORD: Arguments = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["A", "AAAA"], "default": "A"},
    "zone_id": {"type": "str", "required": True},
}
"""The options of a record that leads to what a module manages."""


def leads_to(record: dict[str, t.Any]) -> State:
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
    """A record, and the TXT record beside it that says whose it is.

    ``spec``: ``name``, ``type``, ``zone_id``, ``tags`` of which some say whose it is, and where it leads: ``alias``, or ``values`` and ``ttl``;
    these are left out where it leads to the ``target`` of this run. With ``wait`` a change has ended when all name servers have it: nothing in AWS
    waits for that.
    """

    kind = "route53_record"
    change_id = ""

    def __init__(self, *args: t.Any, target: AliasTarget | None = None, record_list: RecordList | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.target, self.record_list = target, record_list
        self.owner_name = f"_mlflow-stack-{self.spec['type'].lower()}.{dns_name(self.name)}"
        self.owner = ",".join(f"{k}={v}" for k, v in owner_tags(self.spec["tags"]).items())

    def describe(self) -> State | None:
        sets = self.record_sets()
        record, owner_record = sets.get((dns_name(self.name), self.spec["type"])), sets.get((self.owner_name, "TXT"))
        owner = leads_to(owner_record)["values"][0].strip('"') if owner_record else None
        theirs = self._is_theirs(owner)
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
        return {**state, **leads_to(record)}

    def _is_theirs(self, owner: str | None) -> bool:
        return bool(self.owner) and owner != self.owner

    def _check_owner(self, before: State | None) -> None:
        """Another's record is taken over where it leads to the same."""
        if before is None or not self._is_theirs(before["owner"]) or differences(before, self._leads_to()) == {}:
            return
        there = before["alias"]["dns_name"] if "alias" in before else ", ".join(before["values"])
        raise AwsError(
            f"it exists already, leads to {there}, and is not of this stack. Choose another name, "
            "delete it, or, to hand it over to the stack, add the TXT record "
            f'{self.owner_name} with the value "{self.owner}"'
        )

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
        return {**self._leads_to(), "owner": self.owner or None, "remembered": True if self.record_list else None}

    def _leads_to(self) -> State:
        return leads_to(self._record_set())

    def _record_set(self) -> dict[str, t.Any]:
        record: dict[str, t.Any] = {"Name": self.name, "Type": self.spec["type"]}
        alias = {"evaluate_target_health": False, **self.target.alias()} if self.target else self.spec["alias"]
        if alias:
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
        if not self.change_id or not self.spec.get("wait"):
            return False
        return self.aws.client("route53").get_change(Id=self.change_id)["ChangeInfo"]["Status"] == "PENDING"


class ReleasedRecord(Resource):
    """A listed record that is left to others: it stays as it is, and is not listed any more. Nothing is asked of Route 53."""

    kind = "route53_record"

    def __init__(self, target: AliasTarget, record: dict[str, str], record_list: RecordList) -> None:
        super().__init__(target.aws, record["name"], record, needs=[target])
        self.record_list = record_list

    def describe(self) -> State:
        return {"remembered": True}

    def desired(self) -> State:
        return {"remembered": False}

    def update(self, before: State, changes: State) -> None:
        self.record_list.remove(t.cast("dict[str, str]", self.spec))

    def warn(self, before: State | None, changes: State) -> list[str]:
        return [f"the record stays in the hosted zone {self.spec['zone_id']} as it is, and no run changes or removes it any more"]


def alias_records(target: AliasTarget, records: t.Sequence[State], *, manage: bool = True, needs: t.Sequence[Resource] = ()) -> list[Resource]:
    """The resources for the records that lead to a target, which was read already: those wanted, and as absent those listed beside them.

    A new record is created before a former one goes. With an absent target all are absent, and go before it. Where they are others' to
    ``manage``, none is wanted, and those listed stay.
    """
    if not manage:
        return _left_to_others(target)
    wanted = {entry(record): {**record, "tags": target.tags or {}} for record in records}
    record_list = None if target.absent else RecordList(target)
    listed = {entry(record): {**record, "tags": target.tags or {}} for record in target.dns_records}
    former = [
        Record(target.aws, record["name"], record, absent=True, record_list=record_list, needs=[target, *needs] if target.absent else [])
        for name, record in listed.items()
        if name not in wanted
    ]
    # The former ones go last: what needs them comes before.
    before = [target, *needs, *([] if target.absent else former)]
    new = [Record(target.aws, record["name"], record, target=target, record_list=record_list, needs=before, absent=target.absent) for record in wanted.values()]
    return [*new, *former]


def _left_to_others(target: AliasTarget) -> list[Resource]:
    if not target.absent:
        record_list = RecordList(target)
        return [ReleasedRecord(target, record, record_list) for record in target.dns_records]
    for record in target.dns_records:
        warn(f"the record {record['name']} stays in the hosted zone {record['zone_id']}, and leads nowhere")
    return []
