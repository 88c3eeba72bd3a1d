#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
version_added: 1.0.0
short_description: Check the inputs of a stack before its first change
author: mlplatform contributors (@mlplatform)
description:
  - Checks the C(mlflow_*) inputs of a host, first by themselves (types, ranges, forms, unknown names), then with AWS (the subnets
    exist, lie in the VPC and in two availability zones or more; the certificates are issued and cover the names; and so on).
  - Reports every existing resource that has a name that the stack needs and is owned by somebody else, of all layers at once. Where the
    database of the stack exists, only with O(prefetch).
  - Reports all problems at once, each with the variable, its value and the remedy, and changes nothing.
  - The inputs are gathered from the variables of the host by an action plugin of the same name. It removes the file C(mlflow_plan_path),
    so that a plan in that file is always the last run's.
options:
  scope:
    description:
      - What the inputs are checked for. With V(site), V(restore) and V(import) also the resources that they name, with V(bootstrap) resources of the
        same names, with V(policy) and V(token) nothing in AWS, with the others only that the account is the expected one.
      - V(backup) and V(restore) also return what there is to save, and what a restore has to do.
    type: str
    choices: [site, backup, restore, import, destroy, bootstrap, policy, token]
    default: site
  inputs:
    description: The inputs that are valid by themselves. Filled in by the action plugin.
    type: dict
    default: {}
  prefetch:
    description:
      - Whether to prefetch, concurrently, everything that the modules of a deployment read. They use these responses until the run
        first changes something or waits for something, for at most 300 seconds, if they run in Ansible's worker
        (O(ignore:mlflow_run_in_worker)).
      - Only for a play in which nothing else changes the stack.
      - Where there is no database yet, only a plan prefetches.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
"""

EXAMPLES = r"""
- name: Check the inputs of the stack
  mlplatform.mlflow_aws.preflight:
"""

RETURN = r"""
account_id:
  description: The caller's account.
  type: str
  returned: success
  sample: "123456789012"
partition:
  description: Partition of the account.
  type: str
  returned: success
  sample: aws
region:
  description: The region of the stack.
  type: str
  returned: success
  sample: eu-west-1
names:
  description:
    - The names of everything of the stack in AWS, the host names, and the C(ports) at which its parts meet. Where C(bootstrap) lacks
      an input, a host name is empty.
  type: dict
  returned: success
  sample:
    unique_name: mlflow-team-x
    host: mlflow.ml.example.com
    api_host: mlflow.api.ml.example.com
    service_security_group: mlflow-team-x-service
    bucket: mlflow-team-x-123456789012-eu-west-1
    ports: {service: 5000, api_listener: 8443}
mlflow:
  description: The version of MLflow that the database belongs to, from the stack's tags or else its task definition.
  type: dict
  returned: success and O(scope=backup)
  sample: {version: v3.18.0-full, schema: 1bd49d398cd23}
identity:
  description:
    - Whether MLflow's servers check who calls. C(mode) is O(ignore:mlflow_identity), or what follows from the stack where that is not given.
      C(begins) says that the API has to tell them who calls before they are replaced, C(ends) that the authorizer has to go on until they are.
  type: dict
  returned: success and O(scope=site), O(scope=restore) or O(scope=import)
  sample: {mode: edge, begins: false, ends: false}
jobs:
  description:
    - Which task runs MLflow's jobs. C(mode) is O(ignore:mlflow_jobs), or what follows from the stack where that is not given, and empty where the
      servers go on as before there was that input. C(service) says that a service of its own does, C(itself) that the only server does.
  type: dict
  returned: success and O(scope=site), O(scope=restore) or O(scope=import)
  sample: {mode: on_demand, service: true, itself: false}
monitoring:
  description: Whether inputs ask for alarms or a dashboard (C(wanted)), and whether the stack has alarms (C(there)).
  type: dict
  returned: success and O(scope=site), O(scope=restore), O(scope=import) or O(scope=destroy)
  sample: {wanted: true, there: false}
kms_keys:
  description:
    - The customer managed KMS keys of the secrets, the parameters and the buckets that inputs name, each by the ARN of the secret or the
      parameter, or the name of the bucket. Resources without such a key are left out, and those that the caller may not see.
  type: dict
  returned: success and O(scope=site), O(scope=restore) or O(scope=import)
  sample:
    arn:aws:secretsmanager:eu-west-1:123456789012:secret:programs-a1b2c3: arn:aws:kms:eu-west-1:123456789012:key/cb698b74-c034-43a4-bb11-93a029985f1d
restore:
  description:
    - What a restore has to do. C(cluster) is the cluster that gets or has the data of C(origin), C(source) what it is restored from,
      C(switch) whether it replaces another, C(done) whether an earlier run has completed the restore, C(discard) the cluster to remove;
      C(endpoint) and C(engine_version) are those of the existing database, C(fixed) what else AWS cannot change of it.
  type: dict
  returned: success and O(scope=restore)
  sample:
    origin: snapshot:mlflow-team-x-backup-20261122t221500z
    cluster: mlflow-team-x-restored
    source: {snapshot_identifier: mlflow-team-x-backup-20261122t221500z}
    switch: true
    done: false
    discard: ""
    endpoint: mlflow-team-x.cluster-abcdefg.eu-west-1.rds.amazonaws.com
    engine_version: 8.0.mysql_aurora.3.10.3
    fixed: {master_username: mlflow_admin, database_name: mlflow, storage_encrypted: true}
api_load_balancer_subnet_ids:
  description: The subnets of the load balancer for programs, one in each zone. Empty where programs use that of people.
  type: list
  elements: str
  returned: success and O(scope=site), O(scope=restore) or O(scope=import)
  sample: []
lease:
  description: The lease, which the action plugins of this collection hand to all modules of the run, so that two runs never change one stack at the same time.
  type: dict
  returned: success
  sample:
    stack: mlflow-team-x
    tags: {managed-by: mlplatform.mlflow_aws, mlflow-stack: mlflow-team-x}
    break: ""
    began: 1767322800.5
    holder:
      who: ann@laptop
      playbook: Deploy MLflow
      host: 0d3c1f6e-2f5b-4f0f-9a50-4f4a9a8c7d11 pid:[4026531836]
      pid: 4711
      started: 815472
      directory: /home/ann/.ansible/tmp/ansible-local-4711k2j5x9
problems:
  description: The problems, one line for each.
  type: list
  elements: str
  returned: failure
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, BotoCoreError, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run import recorded_responses
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import recording
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.checks import Preflight, operation_facts, problems_with
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.identity import Identity
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.jobs import Jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.keys import Keys
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.monitoring import Monitoring
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import Network


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "scope": {"type": "str", "choices": ["site", "backup", "restore", "import", "destroy", "bootstrap", "policy", "token"], "default": "site"},
            "inputs": {"type": "dict", "default": {}},
            "prefetch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    inputs, scope = module.params["inputs"], module.params["scope"]
    try:
        recorded_responses.forget()  # of what a play before this one has read
        aws, recorder = recording(module)
        preflight = Preflight(aws, inputs)
        facts: dict[str, t.Any] = {}
        problems = problems_with(preflight, scope, prefetching=module.params["prefetch"] and recorder.is_for_others)
        if not problems:
            facts, problems = operation_facts(preflight, scope)
        if not problems and scope in ("site", "restore", "import"):
            facts["api_load_balancer_subnet_ids"] = Network(aws, inputs).of_api_load_balancer()
            facts["kms_keys"] = Keys(aws, inputs).keys()
            facts["identity"] = Identity(aws, inputs).decision()._asdict()
            facts["jobs"] = Jobs(aws, inputs).decision()._asdict()
        if not problems and scope in ("site", "restore", "import", "destroy"):
            monitoring = Monitoring(aws, inputs)
            facts["monitoring"] = (monitoring.removal() if scope == "destroy" else monitoring.decision())._asdict()
        if not problems:
            if module.params["prefetch"]:
                recorder.save()
            names = preflight.names._asdict()
            module.exit_json(changed=False, account_id=aws.account_id, partition=aws.partition, region=aws.region, names=names, **facts)
        lines = list(dict.fromkeys(map(str, problems)))
    except AwsError as error:
        lines = [str(error)]
    except (ClientError, BotoCoreError) as error:
        lines = [f"AWS cannot be asked: {explain(error)}"]
    module.fail_json(msg="; ".join(lines), problems=lines)


if __name__ == "__main__":
    main()
