#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rds_cluster_switchover
version_added: 1.0.0
short_description: Replace one Aurora cluster by another
author: mlplatform contributors (@mlplatform)
description:
  - Renames a cluster to C(<cluster_identifier>-before-<UTC time>), and its replacement to O(cluster_identifier)
    (C(ModifyDBCluster) with C(NewDBClusterIdentifier)). The endpoints follow the names, so what connects to the endpoint of
    O(cluster_identifier) gets the new cluster.
  - The replaced cluster is kept, with deletion protection, and no longer exports logs. Instances keep their names,
    because a new name would restart them. Nothing is removed.
  - Nothing may write to either cluster meanwhile, and O(cluster_identifier) does not answer for some minutes.
  - After a run that died between the two renames, the next one continues with the second. If O(replacement_identifier) does not exist,
    the replacement is complete.
options:
  cluster_identifier:
    description: Name of the cluster that is replaced, if there is one, and the later name of its replacement.
    type: str
    required: true
  replacement_identifier:
    description: Name of the replacement.
    type: str
    required: true
  restored_from:
    description:
      - Where the data of the replacement comes from, such as V(snapshot:name). Recorded in its tag C(mlflow-restored-from) before the
        first rename.
    type: str
    required: true
  finished:
    description: Whether the restore is complete, which is recorded in the tag C(mlflow-restored-at) of O(cluster_identifier).
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
  - mlplatform.mlflow_aws.attributes.tags
"""

EXAMPLES = r"""
- name: Switch over to the restored cluster
  mlplatform.mlflow_aws.rds_cluster_switchover: &switchover
    cluster_identifier: mlflow-team-x
    replacement_identifier: mlflow-team-x-restored
    restored_from: snapshot:mlflow-team-x-backup-20261122t221500z
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}

- name: Record that the restore is complete
  mlplatform.mlflow_aws.rds_cluster_switchover:
    <<: *switchover
    finished: true
"""

RETURN = r"""
kept:
  description: Names of all replaced clusters that still exist.
  type: list
  elements: str
  returned: success
  sample: [mlflow-team-x-before-20261122t221500z]
changes:
  description: What the run changed, or would change in check mode.
  type: list
  elements: dict
  returned: success
  contains: &changes
    action:
      description: Always V(update).
      type: str
    kind:
      description: Kind of the resource.
      type: str
      sample: rds_cluster
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

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.arguments import TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import run
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import is_kept
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.switchover import Finished, renamings


def build(aws: Aws, params: dict[str, t.Any]) -> tuple[list[Resource], t.Callable[[], dict[str, t.Any]]]:
    name = params["cluster_identifier"]
    resources: list[Resource] = [Finished(aws, name)] if params["finished"] else [*renamings(aws, params)]

    def results() -> dict[str, t.Any]:
        every = aws.pages("rds", "describe_db_clusters", "DBClusters")
        kept = [c["DBClusterIdentifier"] for c in every if not owned_by_another(tag_dict(c.get("TagList", [])), params["tags"])]
        return {"kept": sorted(each for each in kept if is_kept(each, name))}

    return resources, results


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "cluster_identifier": {"type": "str", "required": True},
            "replacement_identifier": {"type": "str", "required": True},
            "restored_from": {"type": "str", "required": True},
            "finished": {"type": "bool", "default": False},
            **TAGS,
        },
        supports_check_mode=True,
    )
    run(module, build)


if __name__ == "__main__":
    main()
