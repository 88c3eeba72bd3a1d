# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: certificates of a listener beside its default one, of which it presents the one for the name that a client asks for (SNI)."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State

CERTIFICATES_TAG = "mlflow-certificates"
"""The tag of a listener with the IDs of the certificates that the stack has added to it, from before that until after they were removed: what
others have added is theirs.
"""


def additional_certificates(aws: Aws, listener_arn: str) -> set[str]:
    """The ARNs of the certificates that a listener had beside its default one before this run."""

    def read() -> set[str]:
        every = aws.pages("elbv2", "describe_listener_certificates", "Certificates", ListenerArn=listener_arn)
        return {each["CertificateArn"] for each in every if not each["IsDefault"]}

    return aws.once(("certificates", listener_arn), read)


def _id(arn: str) -> str:
    """What the tag has of a certificate, whose account and region are the listener's; ARNs would soon fill a tag."""
    return arn.rpartition("/")[2]


class ListenerCertificates(Resource):
    """``arns`` are wanted; ``listener_arn`` is the listener that there was before this run, whose tag ``listed`` IDs. The parent is the listener."""

    kind = "elbv2_listener_certificates"
    deleted_with_parent = True
    parent: Resource

    def __init__(self, parent: Resource, arns: list[str], *, listener_arn: str | None, listed: list[str]) -> None:
        super().__init__(parent.aws, parent.name, {"arns": arns}, parent=parent, absent=not arns)
        there = additional_certificates(self.aws, listener_arn) if listener_arn else set()
        ours = sorted(arn for arn in there if arn in arns or _id(arn) in listed)
        self.existing = {"certificate_arns": ours} if ours or listed else None  # one that is listed may have been removed by hand

    def describe(self) -> State | None:
        return self.existing

    def desired(self) -> State:
        return {"certificate_arns": self.spec["arns"]}

    def create(self, desired: State) -> None:
        self._change(set(), set(desired["certificate_arns"]))

    def update(self, before: State, changes: State) -> None:
        self._change(set(before["certificate_arns"]), set(changes["certificate_arns"]))

    def delete(self, before: State) -> None:
        self._change(set(before["certificate_arns"]), set())

    def _change(self, before: set[str], after: set[str]) -> None:
        elbv2, listener = self.aws.client("elbv2"), self.parent.actual
        if after - before:
            self._list(before | after)
            elbv2.add_listener_certificates(ListenerArn=listener["arn"], Certificates=_certificates(after - before))
        if before - after:
            elbv2.remove_listener_certificates(ListenerArn=listener["arn"], Certificates=_certificates(before - after))
        if before - after or not after:
            self._list(after)

    def _list(self, arns: set[str]) -> None:
        tag = {CERTIFICATES_TAG: " ".join(sorted(map(_id, arns)))}
        self.parent.retag(self.parent.actual, tag if arns else {}, [] if arns else [CERTIFICATES_TAG])

    def warn(self, before: State | None, changes: State) -> list[str]:
        return ["clients that ask for another name than that of the default certificate are refused by it"] if self.absent and not self.parent.absent else []


def _certificates(arns: t.Iterable[str]) -> list[dict[str, str]]:
    return [{"CertificateArn": arn} for arn in sorted(arns)]
