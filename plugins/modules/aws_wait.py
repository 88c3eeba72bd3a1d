#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_wait
version_added: 1.0.0
short_description: Wait until AWS resources are ready
author: mlplatform contributors (@mlplatform)
description:
  - Waits for all the given resources at the same time, with one describe call for each kind and poll. The pauses between
    polls grow from 1 to 12 seconds.
  - Fails with AWS's reason as soon as one of them can no longer become ready.
  - Changes nothing, except for the reboots of O(new_db_instances). In check mode it returns at once, because what a plan would create does not exist.
options:
  db_clusters:
    description: Identifiers of Aurora clusters, which are ready with all their instances.
    type: list
    elements: str
    default: []
  new_db_instances:
    description:
      - Instances of O(db_clusters) that were just created, so that nobody uses them yet. Those that lack parameters of their cluster,
        whose parameter group may have been too new for them, are rebooted once they are available, and waited for.
    type: list
    elements: str
    default: []
  load_balancers:
    description: ARNs of load balancers.
    type: list
    elements: str
    default: []
  vpc_links:
    description: IDs of VPC links of API Gateway.
    type: list
    elements: str
    default: []
  ecs_services:
    description: ECS services, which are ready when one deployment is left and runs as many tasks as it should.
    type: list
    elements: dict
    default: []
    suboptions:
      cluster:
        description: Name or ARN of the cluster.
        type: str
        required: true
      service:
        description: Name of the service.
        type: str
        required: true
  certificates:
    description: ARNs of ACM certificates, which are ready when issued.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds after which waiting is an error.
    type: int
    default: 3600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
"""

EXAMPLES = r"""
- name: Wait for the database and the load balancer
  mlplatform.mlflow_aws.aws_wait:
    db_clusters: [mlflow-team-x]
    load_balancers: ["{{ load_balancer_arn }}"]
"""

RETURN = r"""
rebooted:
  description: Those of O(new_db_instances) that were rebooted.
  type: list
  elements: str
  returned: success
  sample: []
waited:
  description: Seconds until each thing was ready, by its kind and name. Empty in check mode.
  type: dict
  returned: success
  sample:
    db_cluster mlflow-team-x: 214.5
    load_balancer arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/x/50dc6c495c0c9188: 0.2
"""

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._run.module import connect
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.status import failure
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError, BotoCoreError, ChangeRefused, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff, retry_on
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait

UNSEEN = 60
"""Seconds in which AWS may not know a just made thing yet."""
EVENTS = 3
"""Last events of a service that an error shows."""


class Status(t.NamedTuple):
    """What AWS says of a thing: in its own words, and whether it is ready or never will be."""

    text: str
    ready: bool = False
    failed: bool = False


Reader = t.Callable[[Aws, list[t.Any]], dict[t.Any, Status]]
"""The statuses of things, by name; without those that AWS does not know."""


def db_clusters(aws: Aws, names: list[str]) -> dict[str, Status]:
    of_clusters = [{"Name": "db-cluster-id", "Values": names}]
    clusters = aws.pages("rds", "describe_db_clusters", "DBClusters", Filters=of_clusters)
    instances = aws.pages("rds", "describe_db_instances", "DBInstances", Filters=of_clusters)

    def status(cluster: dict[str, t.Any]) -> Status:
        name = cluster["DBClusterIdentifier"]
        parts = {name: cluster["Status"]}
        parts |= {i["DBInstanceIdentifier"]: i["DBInstanceStatus"] for i in instances if i["DBClusterIdentifier"] == name}
        reasons = [f"{part}: {reason}" for part, value in parts.items() if (reason := failure(value, name))]
        if reasons:
            return Status("; ".join(reasons), failed=True)
        waiting = [f"{part} {value}" for part, value in parts.items() if value != "available"]
        return Status(", ".join(waiting) or "available", ready=not waiting)

    return {cluster["DBClusterIdentifier"]: status(cluster) for cluster in clusters}


def load_balancers(aws: Aws, arns: list[str]) -> dict[str, Status]:
    describe = aws.client("elbv2").describe_load_balancers
    answer = none_if_missing(describe, "LoadBalancerNotFound", LoadBalancerArns=arns) or {"LoadBalancers": []}

    def status(state: dict[str, str]) -> Status:
        code = state["Code"]
        return Status(_with_reason(code, state.get("Reason")), code in ("active", "active_impaired"), code == "failed")

    return {balancer["LoadBalancerArn"]: status(balancer["State"]) for balancer in answer["LoadBalancers"]}


def vpc_links(aws: Aws, ids: list[str]) -> dict[str, Status]:
    def status(link: dict[str, str]) -> Status:
        code = link["VpcLinkStatus"]
        # An inactive link has seen no traffic for 60 days; AWS wakes it when there is some.
        text = _with_reason(code, link.get("VpcLinkStatusMessage"))
        return Status(text, code in ("AVAILABLE", "INACTIVE"), code in ("FAILED", "DELETING"))

    every = aws.pages("apigatewayv2", "get_vpc_links", "Items")
    return {link["VpcLinkId"]: status(link) for link in every if link["VpcLinkId"] in ids}


def ecs_services(aws: Aws, services: list[tuple[str, str]]) -> dict[tuple[str, str], Status]:
    def status(service: dict[str, t.Any]) -> Status:
        deployments = service["deployments"]
        events = [event["message"] for event in service.get("events", [])[:EVENTS]]
        reasons = [d.get("rolloutStateReason", "") for d in deployments if d.get("rolloutState") == "FAILED"]
        if reasons or service["status"] != "ACTIVE":
            return Status("; ".join([service["status"], *reasons, *events]), failed=True)
        running, wanted = service["runningCount"], service["desiredCount"]
        rollout = deployments[0].get("rolloutState", "COMPLETED")  # EXTERNAL deployments have none
        return Status(
            f"{running} of {wanted} tasks running, {len(deployments)} deployment(s), {rollout}",
            ready=running == wanted and len(deployments) == 1 and rollout == "COMPLETED",
        )

    statuses: dict[t.Any, Status] = {}
    for cluster in dict.fromkeys(cluster for cluster, _service in services):
        names = [service for c, service in services if c == cluster]
        for start in range(0, len(names), 10):  # as many as one call takes
            answer = aws.client("ecs").describe_services(cluster=cluster, services=names[start : start + 10])
            statuses |= {(cluster, service["serviceName"]): status(service) for service in answer["services"]}
    return statuses


def certificates(aws: Aws, arns: list[str]) -> dict[str, Status]:
    statuses = {}
    for arn in arns:
        answer = none_if_missing(aws.client("acm").describe_certificate, "ResourceNotFoundException", CertificateArn=arn)
        if answer:
            code = answer["Certificate"]["Status"]
            text = _with_reason(code, answer["Certificate"].get("FailureReason"))
            statuses[arn] = Status(text, code == "ISSUED", code not in ("ISSUED", "PENDING_VALIDATION"))
    return statuses


READERS: dict[str, Reader] = {
    "db_cluster": db_clusters,
    "load_balancer": load_balancers,
    "vpc_link": vpc_links,
    "ecs_service": ecs_services,
    "certificate": certificates,
}


def _with_reason(code: str, reason: str | None) -> str:
    return f"{code}: {reason}" if reason else code


def watch(aws: Aws, things: dict[str, list[t.Any]], timeout: float) -> t.Iterator[dict[str, Status]]:
    """Poll until everything is ready. After each poll, yields the status of each thing that was not ready before it.

    Raises AwsError for a thing that can never become ready, is not there, or is not ready after ``timeout`` seconds.
    """
    wait = Wait("AWS")
    things = {kind: list(names) for kind, names in things.items() if names}
    with ThreadPoolExecutor(len(READERS)) as pool:
        for pause in backoff():
            answers = pool.map(lambda kind: READERS[kind](aws, things[kind]), things)
            unseen = Status("AWS does not know it")
            statuses = {(kind, name): answer.get(name, unseen) for (kind, names), answer in zip(things.items(), answers, strict=True) for name in names}
            waited = wait.seconds
            yield {_label(kind, name): status for (kind, name), status in statuses.items()}
            lost = {key: s for key, s in statuses.items() if s.failed or s is unseen and waited > UNSEEN}
            waiting = {key: s for key, s in statuses.items() if not s.ready}
            if lost or waiting and waited > timeout:
                listed = "; ".join(f"{_label(*key)}: {s.text}" for key, s in (lost or waiting).items())
                raise AwsError(listed if lost else f"not ready after {timeout} seconds: {listed}. Run the same command again")
            if not waiting:
                return
            aws.before_wait()
            things = {kind: left for kind in things if (left := [n for k, n in waiting if k == kind])}
            wait.pause(pause, "; ".join(f"{_label(*key)}: {s.text}" for key, s in waiting.items()))


def lacking_parameters(aws: Aws, clusters: list[str], new: list[str]) -> list[str]:
    """Those of the instances ``new`` that do not have all parameters of their cluster until they are rebooted."""
    described = aws.pages("rds", "describe_db_clusters", "DBClusters", Filters=[{"Name": "db-cluster-id", "Values": clusters}])
    members = [member for cluster in described for member in cluster.get("DBClusterMembers", [])]
    pending = {m["DBInstanceIdentifier"] for m in members if m.get("DBClusterParameterGroupStatus") == "pending-reboot"}
    return sorted(pending & {*new})


def give_parameters(aws: Aws, clusters: list[str], new: list[str], timeout: float) -> list[str]:
    """Reboot those of the instances ``new`` that lack parameters, and wait until they have them. Returns their names."""
    rebooted = lacking_parameters(aws, clusters, new) if new else []
    for name in rebooted:
        retry_on(aws.client("rds").reboot_db_instance, "InvalidDBInstanceState", timeout=900, DBInstanceIdentifier=name)
    wait = Wait("the parameters of the database")
    for pause in backoff() if rebooted else ():
        for _statuses in watch(aws, {"db_cluster": clusters}, timeout):
            pass
        if not lacking_parameters(aws, clusters, rebooted) or wait.seconds > timeout:
            break
        wait.pause(pause, "rebooting")
    return rebooted


def _label(kind: str, name: t.Any) -> str:
    return f"{kind} {name if isinstance(name, str) else name[-1]}"


def main() -> None:
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleAWSModule(
        argument_spec={
            "db_clusters": strings,
            "new_db_instances": strings,
            "load_balancers": strings,
            "vpc_links": strings,
            "ecs_services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"cluster": {"type": "str", "required": True}, "service": {"type": "str", "required": True}},
            },
            "certificates": strings,
            "timeout": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    params = module.params
    things = {kind: params[f"{kind}s"] for kind in READERS}
    things["ecs_service"] = [(service["cluster"], service["service"]) for service in params["ecs_services"]]
    waited: dict[str, float] = {}
    rebooted: list[str] = []
    started = time.monotonic()
    try:
        if not module.check_mode and any(things.values()):
            aws = connect(module)
            for statuses in watch(aws, things, params["timeout"]):
                seconds = round(time.monotonic() - started, 1)
                waited |= {label: seconds for label, status in statuses.items() if status.ready}
            rebooted = give_parameters(aws, params["db_clusters"], params["new_db_instances"], params["timeout"])
    except (AwsError, ChangeRefused) as error:
        module.fail_json(msg=str(error))
    except (ClientError, BotoCoreError) as error:
        module.fail_json(msg=explain(error))
    module.exit_json(changed=bool(rebooted), rebooted=rebooted, waited=waited)


if __name__ == "__main__":
    main()
