# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs do real work through the programs' door: what one server has written, the other gives back."""

from __future__ import annotations

import json
import re
import typing as t
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import parse_qs

from embedded_aws.iam_requests import action_of
from runtime.client import EXPERIMENT, Client
from runtime.containers import Process, container
from runtime.deployment import Deployment
from runtime.doors.proxy import Proxy
from support import permissions

ECS = Path(__file__).resolve().parents[2] / "roles" / "ecs" / "README.md"
GC = json.loads(re.findall(r'^ *"command": (\["python", "-c", .*gc.*\]),$', ECS.read_text(encoding="utf-8"), re.MULTILINE)[0])


def test_all_is_read_back_from_the_other_server(deployment: Deployment, client: Client, proxy: Proxy, made: dict[str, t.Any]) -> None:
    proxy.servers = deployment.servers[1:]
    try:
        client.run("read.py", EXPERIMENT, json.dumps(made))
    finally:
        proxy.servers = deployment.servers


def test_every_request_went_through_the_programs_door(deployment: Deployment, proxy: Proxy, made: dict[str, t.Any]) -> None:
    seen = [each for each in proxy.handled if each.host == deployment.programs]
    assert len(seen) > 60 and {each.door for each in seen} == {"MLflow"}
    assert {"/v1/traces"} < {each.path for each in seen}
    assert not [each for each in seen if each.status >= 500]


def test_large_files_go_to_s3_in_parts(deployment: Deployment, made: dict[str, t.Any]) -> None:
    """The parts of the 200 MB, none of which a door has seen, up and down again."""
    calls = [call for call in deployment.aws.calls() if call["service"] == "s3"]
    large = [call["operation"] for call in calls if call["params"].get("path", "").endswith("/large.bin")]
    assert large.count("UploadPart") == 20 and large.count("CompleteMultipartUpload") == 1
    assert large.count("GetObject") >= 2  # ranges


def test_without_the_variables_of_the_summary_a_large_file_is_refused(client: Client, made: dict[str, t.Any]) -> None:
    variables = [name for name in client.summary if "MULTIPART" in name]
    assert len(variables) == 3
    client.run("upload.py", str(9 * 2**20), without=variables)
    refused = client.try_to_run("upload.py", str(11 * 2**20), without=variables)
    assert refused.returncode != 0 and "413" in refused.stderr, refused.stderr
    client.run("upload.py", str(11 * 2**20))


def test_gc_removes_what_was_deleted_and_its_artifacts(deployment: Deployment, client: Client, made: dict[str, t.Any]) -> None:
    """In a task of the service's own definition with another command, as the README of the role ecs starts it."""

    def objects() -> list[str]:
        s3 = deployment.aws.client("s3").list_objects_v2(Bucket=deployment.stack.outputs["artifact_bucket_id"])
        return [each["Key"] for each in s3["Contents"] if made["doomed_run_id"] in each["Key"]]

    assert objects()
    mlflow = container(deployment.aws, deployment.name, "mlflow")
    mlflow = mlflow._replace(definition={**mlflow.definition, "command": GC})
    given = {**client.network, **client.proof, "MLFLOW_TRACKING_URI": f"https://{deployment.programs}"}
    task = Process(mlflow, deployment.stack.folder / "gc", deployment.addresses(), **given)
    try:
        assert task.wait() == 0, task.log
    finally:
        task.kill()
    assert not objects()
    client.run("read.py", EXPERIMENT, json.dumps({**made, "collected": True}))


def test_the_task_role_allows_all_that_mlflow_asked_of_aws(deployment: Deployment, made: dict[str, t.Any]) -> None:
    """Each call of S3 that MLflow has made, by the policies of its role."""
    role = deployment.stack.outputs["service_task_role_id"]
    iam = deployment.aws.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policies = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    statements = [statement for policy in policies for statement in permissions.statements(policy)]
    keys = {server.container.environment["AWS_ACCESS_KEY_ID"] for server in deployment.servers}
    calls = [call for call in deployment.aws.calls() if call["caller"] in keys]
    assert {call["operation"] for call in calls} > {"PutObject", "GetObject", "UploadPart"}
    root = deployment.servers[0].container.environment["MLFLOW_ARTIFACTS_DESTINATION"].removeprefix("s3://")
    denied = [call for call in calls if not any(allows(statement, call, root) for statement in statements)]
    assert not denied, [(call["operation"], call["params"]) for call in denied]


def allows(statement: dict[str, t.Any], call: dict[str, t.Any], root: str) -> bool:
    """Whether a statement of a policy allows a call of S3."""
    action = action_of("s3", call["operation"])
    path = call["params"]["path"].strip("/")
    if call["operation"] == "DeleteObjects":  # the keys, in the body, are those that a listing below the root has shown
        path = f"{root}/*"
    prefix = parse_qs(call["params"]["query"]).get("prefix", [""])[0]
    prefixes = statement.get("Condition", {"StringLike": {"s3:prefix": ["*"]}})["StringLike"]["s3:prefix"]
    return (
        statement["Effect"] == "Allow"
        and call["service"] == "s3"
        and any(fnmatchcase(action, each) for each in statement["Action"])
        and any(fnmatchcase(f"arn:aws:s3:::{path}", each) for each in statement["Resource"])
        and any(fnmatchcase(prefix, each) for each in prefixes)
    )
