# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the names of a stack in AWS. Pure."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS


def owner(stack: str) -> dict[str, str]:
    """The owner tags of everything in a stack, as the role ``mlflow`` gives them."""
    return dict(zip(OWNER_TAGS, ("mlplatform.mlflow_aws", stack), strict=True))
