# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53: names as they are kept, zones that are made once, and change batches that are refused whole."""

from __future__ import annotations

import copy
from typing import Any

from moto.route53 import models
from moto.route53.exceptions import Route53ClientError

from embedded_aws.gaps import gap
from embedded_aws.timing import Elapsed


class HostedZoneAlreadyExists(Route53ClientError):
    code = 409

    def __init__(self, reference: str) -> None:
        super().__init__("HostedZoneAlreadyExists", f"A hosted zone has already been created with the specified caller reference: {reference}")


@gap(models.FakeZone, "__init__")
def new_zone(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """The internet asks the name servers of a new zone once its parent delegates to them."""
    original(self, *args, **kwargs)
    self.delegation_time = Elapsed("delegation")


class AccessDenied(Route53ClientError):
    code = 403

    def __init__(self, account: str) -> None:
        super().__init__("AccessDenied", f"User: arn:aws:iam::{account}:user/ci is not authorized to access this resource")


@gap(models.Route53Backend, "get_hosted_zone")
def get_hosted_zone(original: Any, self: Any, id_: str) -> Any:
    """A hosted zone of another account is denied, and not unknown, whatever is asked of it."""
    others = (backend for account, _partition, backend in list(models.route53_backends.iter_backends()) if account != self.account_id)
    if any(id_.replace("/hostedzone/", "") in backend.zones for backend in others):
        raise AccessDenied(self.account_id)
    return original(self, id_)


@gap(models.Route53Backend, "create_hosted_zone")
def create_hosted_zone(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateHostedZone takes a caller reference once only, also when the zone of the first time is gone, and makes several zones of one name."""
    reference, used = kwargs.get("caller_reference"), getattr(self, "caller_references", frozenset())
    if reference in used:
        raise HostedZoneAlreadyExists(reference)
    self.caller_references = used | {reference}
    return original(self, *args, **kwargs)


@gap(models, "reverse_domain_name")
def reverse_domain_name(original: Any, domain_name: str) -> str:
    """ListResourceRecordSets sorts by names with reversed labels and a trailing dot, so that what is below a name comes right after it."""
    return f"{original(domain_name)}."


class InvalidChangeBatch(Route53ClientError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidChangeBatch", message)


@gap(models.Route53Backend, "change_resource_record_sets")
def change_resource_record_sets(original: Any, self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """A change batch is refused whole if it creates what exists, deletes what does not or breaks a CNAME's solitude."""
    changes = [{**change, "ResourceRecordSet": _normal(change["ResourceRecordSet"])} for change in change_list]
    zone = self.get_hosted_zone(zoneid)
    existing = {(each.name, each.type, each.set_identifier): each for each in zone.rrsets}
    for change in changes:
        record_set, action = change["ResourceRecordSet"], change["Action"]
        name, kind = record_set["Name"], record_set["Type"]
        found = existing.get((name, kind, record_set.get("SetIdentifier")))
        described = f"resource record set [name='{name}', type='{kind}']"
        if action == "CREATE" and found:
            raise InvalidChangeBatch(f"[Tried to create {described} but it already exists]")
        if action == "DELETE" and not found:
            raise InvalidChangeBatch(f"[Tried to delete {described} but it was not found]")
        if action == "DELETE" and _values(record_set) != _values_of(found):
            raise InvalidChangeBatch(f"[Tried to delete {described} but the values provided do not match the current values]")
        deleted = {(each["ResourceRecordSet"]["Name"], each["ResourceRecordSet"]["Type"]) for each in changes if each["Action"] == "DELETE"}
        others = {each.type for each in zone.rrsets if each.name == name and (name, each.type) not in deleted}
        if action != "DELETE" and (others - {"CNAME"} if kind == "CNAME" else "CNAME" in others):
            raise InvalidChangeBatch(f"[RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with other records with the same DNS name]")
    # moto takes a record for existing when it was once created and any later one is there: what CREATE asks is checked
    # above.
    original(self, zoneid, [{**each, "Action": each["Action"].replace("CREATE", "UPSERT")} for each in changes])


def _normal(record_set: dict[str, Any]) -> dict[str, Any]:
    """A record set as Route 53 keeps it: lower case, fully qualified, an asterisk in octal."""
    record_set = copy.deepcopy(record_set)
    record_set["Name"] = _qualified(record_set["Name"]).replace("*", "\\052")
    if record_set.get("AliasTarget"):
        record_set["AliasTarget"]["DNSName"] = _qualified(record_set["AliasTarget"]["DNSName"])
    return record_set


def _qualified(name: str) -> str:
    return f"{name.lower().rstrip('.')}."


def _values(record_set: dict[str, Any]) -> Any:
    if record_set.get("AliasTarget"):
        return {"alias": dict(record_set["AliasTarget"])}
    return sorted(record["Value"] for record in record_set.get("ResourceRecords", [])), int(record_set.get("TTL", 0))


def _values_of(record_set: Any) -> Any:
    if record_set.alias_target:
        return {"alias": dict(record_set.alias_target)}
    return sorted(record_set.records), int(record_set.ttl or 0)
