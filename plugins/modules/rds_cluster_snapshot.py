#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster_snapshot
version_added: 1.0.0
short_description: Take a named snapshot of an Aurora cluster
author: mlplatform contributors (@mlplatform)
description:
  - Takes a snapshot (C(CreateDBClusterSnapshot)) and waits until it is available. A snapshot that exists is left as it is, its tags
    included, because they say what was true when it was taken.
  - Snapshots are never removed or changed.
  - Used in place of M(amazon.aws.rds_cluster_snapshot), which has no diff, sets the tags of a snapshot that exists, and polls every
    30 seconds.
options:
  cluster_identifier:
    description: Name of the cluster.
    type: str
    required: true
  snapshot_identifier:
    description:
      - Name of the snapshot, in lower case. A name that a snapshot of another cluster has is an error.
      - Default is C(<cluster_identifier>-backup-<UTC time>).
    type: str
  tags:
    description:
      - The tags of a new snapshot.
      - A snapshot of the right name that carries neither the C(managed-by) nor the C(mlflow-stack) tag given here is owned by somebody
        else, which is an error.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.wait
"""

EXAMPLES = r"""
- name: Take a snapshot before the big change
  mlplatform.mlflow_aws.rds_cluster_snapshot:
    cluster_identifier: mlflow-team-x
    snapshot_identifier: mlflow-team-x-before-the-big-change
    tags:
      managed-by: mlplatform.mlflow_aws
      mlflow-stack: mlflow-team-x
"""

RETURN = r"""
snapshot:
  description: The snapshot, as it is after the run. In check mode the values that AWS would choose are C((known after apply)).
  type: dict
  returned: success
  sample:
    id: mlflow-team-x-backup-20261122t221500z
    arn: arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:mlflow-team-x-backup-20261122t221500z
    created: "2026-11-22T22:15:03Z"
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}
ready:
  description: Whether AWS has finished its work on all of it; without O(wait) it may not have. True in check mode.
  type: bool
  returned: success
  sample: true
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(create).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: rds_cluster_snapshot
    name:
      description: Name of the resource.
      type: str
    fields:
      description: What differs, each with C(name), C(before) and C(after).
      type: list
      elements: dict
    warnings:
      description: What the change costs, such as downtime.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import TAGS, WAIT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.base import describe_cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import timestamp
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.snapshot import Snapshot


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    cluster = params["cluster_identifier"]
    if describe_cluster(aws, cluster) is None:
        raise AwsError(f"there is no cluster {cluster} to take a snapshot of")
    now = UNKNOWN if aws.check_mode else timestamp()
    snapshot = Snapshot(aws, params["snapshot_identifier"] or f"{cluster}-backup-{now}", params, tags=params["tags"])
    return [snapshot], lambda: {"snapshot": snapshot.result()}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"cluster_identifier": {"type": "str", "required": True}, "snapshot_identifier": {"type": "str"}, "tags": TAGS["tags"], **WAIT},
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()
