# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: public certificates of ACM, and the DNS records that prove the ownership of their names."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, ClientError, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owner_tags, tag_dict, tag_list

KEY_TYPES = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"]
"""All there are: unless they are named, ACM lists certificates with short RSA keys only."""
IN_USE_SECONDS = 1200
"""How long a load balancer or a domain name that was just deleted may count as a user of its certificate."""


Record = tuple[str, str, str]
"""A validation record: name, type and value."""


class Certificate(Resource):
    kind = "acm_certificate"
    timeout = 900

    def describe(self) -> State | None:
        """Certificates have no names: it is the one with the owner tags and exactly these names. All for the first of these names, where they are to go."""
        if self.absent:
            return self._remains()
        if self.state:  # while it is waited for, whatever comes of it
            return self._state_of(self.state["arn"])
        return next(self._ours(self._list("ISSUED", "PENDING_VALIDATION")), None)

    def _list(self, *statuses: str) -> list[dict[str, t.Any]]:
        """Summaries of certificates, those with the first status first. Of any status where none is given."""
        wanted = {"CertificateStatuses": list(statuses)} if statuses else {}
        listed = self.aws.pages("acm", "list_certificates", "CertificateSummaryList", Includes={"keyTypes": KEY_TYPES}, **wanted)
        return sorted(listed, key=lambda summary: statuses.index(summary["Status"])) if statuses else listed

    def _ours(self, summaries: list[dict[str, t.Any]]) -> t.Iterator[State]:
        for summary in summaries:
            state = self._state_of(summary["CertificateArn"]) if summary.get("DomainName") == self.name else None
            if state and (self.absent or state["names"] == self._names()) and owner_tags(self.tags).items() <= state["tags"].items():
                yield state

    def _state_of(self, arn: str) -> State | None:
        acm = self.aws.client("acm")
        answer = none_if_missing(acm.describe_certificate, "ResourceNotFoundException", CertificateArn=arn)
        if answer is None:
            return None
        certificate = answer["Certificate"]
        return {
            "arn": arn,
            "names": sorted(certificate.get("SubjectAlternativeNames", [])),
            "status": certificate["Status"],
            "tags": tag_dict(acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]),
            "records": _records_of(certificate),
        }

    def _remains(self) -> State | None:
        """All that is to go: certificates of any status, and the records that prove no other certificate's names."""
        summaries = self._list()
        ours = list(self._ours(summaries))
        records = {record for certificate in ours for record in certificate["records"]}
        if self.spec["remove_orphans"]:
            records |= self._orphans()
        if records:
            names = {*self._names(), *(name for certificate in ours for name in certificate["names"])}
            records -= self._proving_others(summaries, names, {certificate["arn"] for certificate in ours})
        if not ours and not records:
            return None
        status = ours[0]["status"] if ours else "gone"
        return {"arns": [certificate["arn"] for certificate in ours], "status": status, "records": records, "tags": self.tags}

    def _orphans(self) -> set[Record]:
        """The records in the zone by which ACM validates these names."""
        try:
            sets = self.aws.pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self.spec["zone_id"])
        except ClientError as error:
            if error_code(error) != "NoSuchHostedZone":
                raise
            return set()
        bases = "|".join(re.escape(_base(name)) for name in self._names())
        return {
            (each["Name"], "CNAME", record["Value"])
            for each in sets
            for record in each.get("ResourceRecords", [])
            if each["Type"] == "CNAME" and re.fullmatch(rf"_\w+\.({bases})\.", each["Name"]) and record["Value"].rstrip(".").endswith(".acm-validations.aws")
        }

    def _proving_others(self, summaries: list[dict[str, t.Any]], those_to_go: set[str], ours: set[str]) -> set[Record]:
        """The records of the other certificates: all that an account requests for one domain share one."""
        bases = {_base(name) for name in those_to_go}
        proving: set[Record] = set()
        for summary in summaries:
            names = {summary.get("DomainName", ""), *summary.get("SubjectAlternativeNameSummaries", [])}
            used = summary.get("Status") in ("PENDING_VALIDATION", "ISSUED", "INACTIVE") and summary["CertificateArn"] not in ours
            if used and (summary.get("HasAdditionalSubjectAlternativeNames") or bases & {_base(name) for name in names}):
                describe = self.aws.client("acm").describe_certificate
                answer = none_if_missing(describe, "ResourceNotFoundException", CertificateArn=summary["CertificateArn"])
                proving |= _records_of(answer["Certificate"]) if answer else set()
        return proving

    def _names(self) -> list[str]:
        return sorted({self.name, *self.spec["subject_alternative_names"]})

    def desired(self) -> State:
        return {"names": self._names()}

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "status": UNKNOWN}

    def create(self, desired: State) -> State:
        token = hashlib.sha256(repr((desired["names"], desired["tags"])).encode()).hexdigest()[:32]
        answer = self.aws.client("acm").request_certificate(
            DomainName=self.name, SubjectAlternativeNames=desired["names"], ValidationMethod="DNS", IdempotencyToken=token, Tags=tag_list(desired["tags"])
        )
        return {"arn": answer["CertificateArn"], "status": "PENDING_VALIDATION"}

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        acm, arn = self.aws.client("acm"), before["arn"]
        if to_unset:
            acm.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": k} for k in to_unset])
        if to_set:
            acm.add_tags_to_certificate(CertificateArn=arn, Tags=tag_list(to_set))

    def delete(self, before: State) -> None:
        """The records first: once its certificate is gone nothing tells of them. As long as that is used, it may be renewed by them."""
        acm = self.aws.client("acm")
        for arn in before["arns"]:
            self._wait_unused(arn)
        for record in map(_record_set, sorted(before["records"])):
            batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
            none_if_missing(
                self.aws.client("route53").change_resource_record_sets,
                "InvalidChangeBatch",  # it was removed by hand
                "NoSuchHostedZone",
                HostedZoneId=self.spec["zone_id"],
                ChangeBatch=batch,
            )
        for arn in before["arns"]:
            retry_on(acm.delete_certificate, "ResourceInUseException", CertificateArn=arn)

    def _wait_unused(self, arn: str) -> None:
        wait = Wait(f"the users of {self.kind} {self.name}")
        for pause in backoff():
            answer = none_if_missing(self.aws.client("acm").describe_certificate, "ResourceNotFoundException", CertificateArn=arn)
            users = answer["Certificate"].get("InUseBy") if answer else None
            if not users:
                return
            if wait.seconds > IN_USE_SECONDS:
                raise AwsError(f"it is used by {', '.join(users)}: remove what uses it first")
            wait.pause(pause, "in use")

    def pending(self, state: State) -> bool:
        if state["status"] in ("FAILED", "VALIDATION_TIMED_OUT", "REVOKED"):
            raise AwsError(f"the certificate is {state['status']}: check that its zone is the one that the internet asks")
        return state["status"] == "PENDING_VALIDATION" and not self.absent

    def wait_ready(self) -> None:
        """What proves the names has to be there before waiting makes sense."""
        self._prove()
        try:
            super().wait_ready()
        except AwsError as error:
            if (self.state or {}).get("status") != "PENDING_VALIDATION":
                raise
            zone = self.spec["zone_id"]
            raise AwsError(
                f"{error}. The certificate is PENDING_VALIDATION: its records are in the hosted zone {zone}, but the internet does not "
                "find them: let the parent of this zone, or the registrar of the domain, delegate to its name servers"
            ) from error

    def _prove(self) -> None:
        records = self._records()
        changes = [{"Action": "UPSERT", "ResourceRecordSet": _record_set(record)} for record in sorted(records)]
        self.aws.client("route53").change_resource_record_sets(HostedZoneId=self.spec["zone_id"], ChangeBatch={"Comment": "ACM validation", "Changes": changes})

    def _records(self) -> set[Record]:
        """The validation records, which ACM names some seconds after the request. Two names may share one."""
        wait = Wait(f"the validation records of {self.kind} {self.name}")
        for pause in backoff():
            describe = self.aws.client("acm").describe_certificate  # which does not find a new one for some seconds
            certificate = retry_on(describe, "ResourceNotFoundException", CertificateArn=self.actual["arn"])["Certificate"]
            options = certificate.get("DomainValidationOptions", [])
            if options and all("ResourceRecord" in option for option in options):
                break
            self.pending({"status": certificate["Status"]})  # raises for a certificate that has failed and never gets them
            wait.pause(pause, certificate["Status"])
        return _records_of(certificate)


def _records_of(certificate: dict[str, t.Any]) -> set[Record]:
    """The validation records of a certificate as far as ACM has named them."""
    records = [option["ResourceRecord"] for option in certificate.get("DomainValidationOptions", []) if "ResourceRecord" in option]
    return {(record["Name"], record["Type"], record["Value"]) for record in records}


def _record_set(record: Record) -> dict[str, t.Any]:
    name, kind, value = record
    return {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": value}]}


def _base(name: str) -> str:
    """The domain by whose record ACM validates a name."""
    return name.removeprefix("*.").lower()
