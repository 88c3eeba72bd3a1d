# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: tags: AWS's forms of them, and whose a resource is."""

from __future__ import annotations

import typing as t

try:
    from botocore import xform_name
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

OWNER_TAGS = ("managed-by", "mlflow-stack")
"""The tags that say whose a resource is: a resource of the right name that has neither is somebody else's."""


def own_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags without those that AWS itself sets (``aws:…``), which nobody can change."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def tag_dict(tags: t.Iterable[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of tags as a dict, without those that AWS itself sets."""
    return own_tags({tag[key]: tag[value] for tag in tags})


def tag_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """A dict of tags as the list that most AWS APIs take."""
    return [{key: k, value: v} for k, v in sorted(tags.items())]


def change_tags(client: t.Any, resource: str, to_set: dict[str, str], to_unset: list[str]) -> None:
    """Change tags by UntagResource and TagResource, whose arguments each service spells in its own way.

    ``resource`` is the ARN, or whatever else the service knows it by.
    """
    for operation, tags in (("UntagResource", to_unset), ("TagResource", to_set)):
        if tags:
            members = client.meta.service_model.operation_model(operation).input_shape.members
            which, what = members
            as_list = tags is to_set and members[what].type_name == "list"
            value = tag_list(to_set, *members[what].member.members) if as_list else tags
            getattr(client, xform_name(operation))(**{which: resource, what: value})


def is_ignored(key: str, ignored: t.Iterable[str]) -> bool:
    """Whether a tag is others' to set: its key is among those ``ignored``, or begins with one of them that ends in ``-`` or ``:``."""
    return any(key == each or (each.endswith(("-", ":")) and key.startswith(each)) for each in ignored)


def owner_tags(tags: dict[str, str] | None) -> dict[str, str]:
    """Those of the tags that say whose a resource is."""
    return {name: tags[name] for name in OWNER_TAGS if tags and name in tags}


def owned_by_another(has: dict[str, str], ours: dict[str, str]) -> bool:
    """Whether a resource with the tags ``has`` is somebody else's. A lost ``mlflow-stack`` tag alone does not make it so."""
    manager, stack = OWNER_TAGS
    if not owner_tags(ours):
        return False  # the caller makes no claim
    if stack in has:
        return has[stack] != ours.get(stack)
    return manager not in ours or has.get(manager) != ours[manager]
