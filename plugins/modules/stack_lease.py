#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lease
version_added: 1.0.0
short_description: Acquire or release the lease of a stack
author: mlplatform contributors (@mlplatform)
description:
  - Two runs must not change one stack at the same time. So a run acquires the lease of the stack before its first change, once
    M(mlplatform.mlflow_aws.preflight) has checked its inputs as C(mlflow_account); every module of this collection does so by itself.
    This module releases it at the end of the run, and acquires it for modules of other collections.
  - The lease is a parameter of SSM, C(/mlplatform/mlflow_aws/<stack>/lease/<number>). A run keeps it until this module releases it, the
    run has died, or it was not renewed for 15 minutes.
  - A run that did not acquire the lease has none to release, and makes no API call.
  - In check mode it does nothing.
options:
  state:
    description:
      - With V(acquired) the lease is acquired, unless this run has it. This is an error where another run has it, or had it since
        this run began.
      - With V(released) it is released. What remains says who changed the stack last.
      - With V(absent) nothing is left either, as it should be after the stack itself was removed. Where another run has the
        lease, it is left alone.
      - V(acquired_if_exists) is as V(acquired), unless no run has had the lease before. A run that removes a stack acquires it so before it reads, and thereby
        knows whether AWS may not show all of it yet.
    type: str
    choices: [acquired, released, absent, acquired_if_exists]
    default: acquired
  prefetch:
    description:
      - For a play that only removes the stack. Once it has the lease, it prefetches, concurrently, everything that its modules read,
        except for resources that hold data. They use these responses until one of them waits for something, for at most 300 seconds,
        if they run in Ansible's worker (O(ignore:mlflow_run_in_worker)).
      - Within 15 seconds after the previous run changed the stack, AWS may not show all of it yet, and nothing is prefetched.
    type: dict
    suboptions:
      vpc_id:
        description: The VPC of the stack.
        type: str
        required: true
      host:
        description: Full name of the DNS record for people.
        type: str
        required: true
      zone_id:
        description: The hosted zone of that record.
        type: str
        required: true
      api_host:
        description: Full name of the DNS record for programs.
        type: str
        required: true
      api_zone_id:
        description: The hosted zone of that record.
        type: str
        required: true
      token_host:
        description: Full name of the DNS record for programs that come by the load balancer itself, in the same hosted zone. Empty where there is none.
        type: str
        default: ""
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
attributes:
  diff_mode:
    support: none
    description: The lease is not part of the stack.
"""

EXAMPLES = r"""
- name: Change the stack
  block:
    - name: Check the inputs
      ansible.builtin.import_role:
        name: mlplatform.mlflow_aws.mlflow

    - name: Change what the modules of this collection know how to change
      mlplatform.mlflow_aws.ecs_cluster:
        name: mlflow-team-x

    - name: Acquire the lease for a module of another collection
      mlplatform.mlflow_aws.stack_lease:
        state: acquired

    - name: Change something else
      amazon.aws.ec2_vpc_igw:
        vpc_id: vpc-0a1b2c3d4e5f67890
  always:
    - name: Release the lease
      mlplatform.mlflow_aws.stack_lease:
        state: released
"""

RETURN = r"""
acquired:
  description: Whether the run has the lease now.
  type: bool
  returned: success
"""

import contextlib

from ansible.module_utils.common.warnings import warn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.lease import LeaseError, LeaseManager
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import lease_manager, recording
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.prefetch import prefetch
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.resources import Removal


def reconcile(manager: LeaseManager, state: str) -> None:
    if state == "acquired":
        manager.acquire()
    elif state == "released":
        manager.release()
    elif state == "acquired_if_exists":
        manager.acquire_if_exists()
    else:
        with contextlib.suppress(LeaseError):  # it is another run's
            manager.remove()


def prefetch_removal(module: AnsibleAWSModule, stack: str) -> None:
    """Read what there is to remove, for the modules to come, once AWS shows all of it, and no other run changes it any more."""
    aws, recorder = recording(module)
    if recorder.is_for_others and aws.is_consistent:
        prefetch(Removal(aws, stack, module.params["prefetch"]))
        recorder.save(removal=True)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["acquired", "released", "absent", "acquired_if_exists"], "default": "acquired"},
            "prefetch": {
                "type": "dict",
                "options": {
                    **{name: {"type": "str", "required": True} for name in ("vpc_id", "host", "zone_id", "api_host", "api_zone_id")},
                    "token_host": {"type": "str", "default": "", "no_log": False},
                },
            },
        },
        supports_check_mode=True,
    )
    manager = lease_manager(Aws(module))
    try:
        if manager:
            reconcile(manager, module.params["state"])
            if manager.acquired and module.params["prefetch"]:
                prefetch_removal(module, manager.stack)
    except LeaseError as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        # What the run was for is done, and the lease ends by itself.
        warn(f"the lease of the stack could not be released: {explain(error)}")
    module.exit_json(changed=False, acquired=manager is not None and manager.acquired)


if __name__ == "__main__":
    main()
