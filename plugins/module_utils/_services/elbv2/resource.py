# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the resources of Elastic Load Elbv2Resource have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN, State
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_dict, tag_list

TAGS_PER_CALL = 20


def attribute_dict(attributes: t.Iterable[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in attributes}


def attribute_values(attributes: dict[str, t.Any]) -> dict[str, str]:
    """Attributes as AWS spells their values: ``true``, ``false``, numbers as text."""
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in attributes.items()}


def tags_of(aws: Aws, arns: t.Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of several resources of Elastic Load Elbv2Resource, by ARN, in as few calls as AWS allows."""
    tags: dict[str, dict[str, str]] = {}
    for start in range(0, len(arns), TAGS_PER_CALL):
        answer = aws.client("elbv2").describe_tags(ResourceArns=arns[start : start + TAGS_PER_CALL])
        tags |= {each["ResourceArn"]: tag_dict(each["Tags"]) for each in answer["TagDescriptions"]}
    return tags


class Elbv2Resource(Resource):
    """What every resource of Elastic Load Elbv2Resource has: an ARN, and tags that are changed by it."""

    def unknown(self) -> State:
        return {"arn": UNKNOWN}

    def retag(self, before: State, to_set: dict[str, str], to_unset: list[str]) -> None:
        elbv2 = self.aws.client("elbv2")
        if to_unset:
            elbv2.remove_tags(ResourceArns=[before["arn"]], TagKeys=to_unset)
        if to_set:
            elbv2.add_tags(ResourceArns=[before["arn"]], Tags=tag_list(to_set))
