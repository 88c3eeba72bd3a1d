# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: a one-off Fargate task, run to its end."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import AwsError
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.progress import Wait
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import backoff
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.state import State, UNKNOWN
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import tag_list
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecs.stopped_task import essential, last_object, why_stopped

ROLE_KNOWN = 120
ROLE_PAUSE = 10
"""Seconds. A role that was just created is not known everywhere at once: as long as nothing has run, a task is started again, for two minutes
in all. Each takes up to one of them to fail, and who is denied for good is to hear of it soon.
"""


class Task(Resource):
    """A one-off task, run to its end each time. ``spec``: the options of ``ecs_task``, but for ``name`` and ``tags``."""

    kind = "ecs_task"

    def describe(self) -> None:
        """Nothing: a task that has ended says nothing about whether it is to be run again."""

    def desired(self) -> State:
        return {"task_definition": self.spec["task_definition"]}

    def unknown(self) -> State:
        return {"arn": UNKNOWN, "exit_status": UNKNOWN, "answer": {}}

    def warn(self, before: State | None, changes: State) -> list[str]:
        return self.spec["warnings"]

    def create(self, desired: State) -> State:
        earlier = self._under_way()
        task = self._finished(earlier) if earlier else None
        if task is None or task["taskDefinitionArn"] != desired["task_definition"] or _environment(task) != self.spec["environment"]:
            wait = Wait(f"the roles of {self.kind} {self.name}")
            task = self._finished(self._start(desired))
            while _role_unknown(task) and wait.seconds < ROLE_KNOWN:
                wait.pause(ROLE_PAUSE, task["stoppedReason"])
                task = self._finished(self._start(desired))
        return {"arn": task["taskArn"], **self._outcome(task)}

    def _under_way(self) -> State | None:
        """The task that an earlier run started and that has not stopped, if any."""
        ecs, cluster = self.aws.client("ecs"), self.spec["cluster"]
        arns = ecs.list_tasks(cluster=cluster, startedBy=self._started_by)["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        return next((task for task in tasks if task["lastStatus"] != "STOPPED"), None)

    def _start(self, desired: State) -> State:
        overrides: State = {}
        if self.spec["environment"]:
            environment = tag_list(self.spec["environment"], "name", "value")
            names = essential(self._definition(desired["task_definition"]))
            overrides = {"overrides": {"containerOverrides": [{"name": n, "environment": environment} for n in names]}}
        answer = self.aws.client("ecs").run_task(
            cluster=self.spec["cluster"],
            taskDefinition=desired["task_definition"],
            launchType="FARGATE",
            count=1,
            startedBy=self._started_by,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": self.spec["subnets"],
                    "securityGroups": self.spec["security_groups"],
                    "assignPublicIp": "ENABLED" if self.spec["assign_public_ip"] else "DISABLED",
                }
            },
            tags=tag_list(desired["tags"], "key", "value"),
            **overrides,
        )
        if not answer["tasks"]:
            failure: dict[str, str] = next(iter(answer.get("failures", [])), {})
            raise AwsError(f"ECS did not start it: {failure.get('reason')} {failure.get('detail', '')}".rstrip())
        return answer["tasks"][0]

    def _finished(self, task: State) -> State:
        """The task once it has stopped."""
        ecs, wait = self.aws.client("ecs"), Wait(f"{self.kind} {self.name}")
        for pause in backoff():
            # Right after RunTask, ECS may not know the task everywhere.
            found = ecs.describe_tasks(cluster=self.spec["cluster"], tasks=[task["taskArn"]])["tasks"]
            if found and found[0]["lastStatus"] == "STOPPED":
                return found[0]
            self.aws.before_wait()
            if wait.seconds > self.spec["timeout"]:
                raise AwsError(f"it still runs after {self.spec['timeout']} seconds; run the same command again to go on waiting")
            wait.pause(pause, found[0]["lastStatus"] if found else "not there yet")
        raise AssertionError("unreachable: backoff() never ends")

    def _outcome(self, task: State) -> State:
        """How the task ended. Raises AwsError unless it did what it had to."""
        definition = self._definition(task["taskDefinitionArn"])
        names = essential(definition)
        statuses = [c.get("exitCode") for c in task.get("containers", []) if c["name"] in names]
        status = next((s for s in statuses if s != 0), 0)
        if task.get("stopCode") == "TaskFailedToStart":
            status = None
        if status not in self.spec["exit_statuses"]:
            raise AwsError("\n  ".join(["it failed", *why_stopped(self.aws, task, definition)]), exit_status=status)
        return {"exit_status": status, "answer": last_object(self.aws, task["taskArn"], names[0], definition)}

    def _definition(self, arn: str) -> State:
        describe = self.aws.client("ecs").describe_task_definition
        return self.aws.once(("definition", arn), lambda: describe(taskDefinition=arn)["taskDefinition"])

    @property
    def _started_by(self) -> str:
        return self.spec["started_by"] or self.name


def _environment(task: State) -> dict[str, str]:
    """What a task was started with beside its task definition."""
    overrides = task.get("overrides", {}).get("containerOverrides", [])
    return {pair["name"]: pair["value"] for container in overrides for pair in container.get("environment", [])}


def _role_unknown(task: State) -> bool:
    reason = task.get("stoppedReason", "")
    return task.get("stopCode") == "TaskFailedToStart" and ("AccessDenied" in reason or "assume the role" in reason)
