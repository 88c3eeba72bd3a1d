# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and the task definitions of MLflow's service, as pure functions of what a team chooses. The site tests look at what AWS gets of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs import bedrock, environment, identity
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, Parts, unique
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.containers import Tasks
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.programs import python_command
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.roles import Roles
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import in_its_type
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._inputs import input_spec

ROLE = Path(__file__).parents[2] / "roles" / "ecs"
NAME = "mlflow-team-x"
BEDROCK = ("aws-x", "eu-west-1", "123456789012")
FOUNDATION, ANYWHERE = "arn:aws-x:bedrock:eu-west-1::foundation-model", "arn:aws-x:bedrock:*::foundation-model"
PROFILE = "arn:aws-x:bedrock:eu-west-1:123456789012:inference-profile"
KEY, OTHER_KEY = (f"arn:aws:kms:{region}:123456789012:key/{region}" for region in ("eu-west-1", "eu-central-1"))
PARAMETER = "arn:aws:ssm:eu-west-1:123456789012:parameter/team-x/key"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openai-a1b2c3"
WAIT = [{"containerName": "tmp-permissions", "condition": "SUCCESS"}]
VOLUMES = [
    {"name": "work"},
    {"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}}},
    {"name": "more", "efsVolumeConfiguration": {"fileSystemId": "fs-2"}},
]
MOUNTS = [
    {"sourceVolume": "work", "containerPath": "/work", "readOnly": False},
    {"sourceVolume": "work", "containerPath": "/read", "readOnly": True},
    {"sourceVolume": "files", "containerPath": "/files"},
]


def choices(**given: t.Any) -> Choices:
    """What a team chooses that leaves the defaults as they are, by the inputs without ``mlflow_``; what preflight says of it by its own names."""
    names = names_of({"mlflow_unique_name": NAME, "mlflow_record_name": "mlflow", "mlflow_zone_name": "x.org", "mlflow_api_zone_name": "api.x.org"})
    account = {
        "account_id": "123456789012",
        "partition": "aws",
        "region": "eu-west-1",
        "names": {**names._asdict(), "token_host": given.pop("token_host", "")},
        "identity": {"mode": given.pop("identity", "off")},
        "jobs": given.pop("jobs", {"mode": "off", "service": False, "itself": False}),
        "kms_keys": given.pop("kms_keys", {}),
    }
    required = {
        "unique_name": NAME,
        "key_arn": KEY,
        "aws_cognito_user_pool_arn": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_abc",
        "aws_cognito_user_pool_client_id": "client",
        "database_password_secret_arn": "arn:password",
    }
    spec = input_spec()
    inputs = {name: option["default"] for name, option in spec.items() if "default" in option} | {
        f"mlflow_{name}": value for name, value in (required | given).items()
    }
    return Choices({name: in_its_type(value, spec[name]) for name, value in inputs.items()}, account)


def parts(**given: t.Any) -> Parts:
    roles = ("ecs-execution", "ecs-prepare-execution", "ecs-task")
    known = {
        "image": "mlflow:1",
        "bucket_id": "bucket",
        "database_master_username": "admin",
        "backend_store": {
            "secret": {"arn": "arn:store", "version_id": "v1"},
            "server_keys": {"arn": "arn:keys", "version_id": "v2"},
            "master_password_value_from": "arn:password:password::",
        },
        "roles": {f"{NAME}-{role}": {"arn": f"arn:{role}"} for role in roles},
        "load_balancer_arn": "arn:balancer",
        "identity_key": {"arn": "arn:identity", "version_id": "v3"},
        "ui_origins": ["https://mlflow.x.org"],
        "sign_out_uri": "https://sign.out",
    }
    return Parts.of({**known, **given})


def tasks(**given: t.Any) -> Tasks:
    return Tasks(choices(**given), parts(), lambda name: f"<{name}>")


def server(**given: t.Any) -> dict[str, t.Any]:
    """The container of MLflow."""
    return next(each for each in tasks(**given).servers()[0]["container_definitions"] if each["name"] == "mlflow")


def variables(**given: t.Any) -> dict[str, t.Any]:
    return environment.server_environment(choices(**given), parts())


def statements(role: str, **given: t.Any) -> list[dict[str, t.Any]]:
    (found,) = [each for each in Roles(choices(**given), "bucket", "arn:aws:s3:::bucket").all() if each["name"] == f"{NAME}-{role}"]
    return next(iter(found["inline_policies"].values()))["Statement"]


def test_the_role_says_each_of_the_other_parts() -> None:
    said = yaml.safe_load((ROLE / "vars" / "main" / "parts.yml").read_text(encoding="utf-8"))["__ecs_parts"]
    assert re.findall(r"[(, ](\w+)=(?!=)", said) == [*Parts._fields]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_WORKERS": 4, "MLFLOW_PORT": 5000, "MLFLOW_UVICORN_OPTS": "--timeout-keep-alive=360"}),
        ({"service_tls": True}, {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": 5001}),
        ({"gunicorn_opts": "-x"}, {"MLFLOW_GUNICORN_OPTS": "-x", "MLFLOW_UVICORN_OPTS": None}),
        ({"artifact_access": "direct"}, {"MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://bucket", "MLFLOW_ARTIFACTS_DESTINATION": None}),
        ({"artifact_bucket_path": "/a/b/"}, {"MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/a/b"}),
        ({"artifact_access": "presigned"}, {"MLFLOW_ARTIFACTS_PRESIGNED_ONLY": "true", "AWS_DEFAULT_REGION": "eu-west-1"}),
        ({"database_auto_pause": False}, {"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": None}),
        ({"service_environment": {"HOME": "/x", "A": 1}}, {"HOME": "/x", "A": 1}),
        ({"service_environment": {"A": 1}, "service_secrets": {"A": SECRET, "HOME": SECRET}}, {"A": None, "HOME": None}),
        (
            {"service_environment": {"MLFLOW_SERVER_ALLOWED_HOSTS": "a.org , MLFLOW.x.org,"}},
            {"MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.x.org,mlflow.api.x.org,a.org"},
        ),
        (
            {"jobs": {"mode": "scheduled", "service": False, "itself": True}},
            {
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
                "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "true",
                "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.x.org,mlflow.api.x.org,0.0.0.0:5000",
            },
        ),
        (
            {"jobs": {"mode": "on_demand", "service": True, "itself": False}},
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false"},
        ),
        (
            {"jobs": {"mode": "", "service": False, "itself": False}},
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": None},
        ),
        (
            {"jobs": {"mode": "", "service": False, "itself": False}, "database_auto_pause": False},
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": None, "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false"},
        ),
        (
            {"jobs": {"mode": "", "service": False, "itself": False}, "database_auto_pause": False, "service_max_capacity": "1"},
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": None, "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": None},
        ),
    ],
)
def test_the_environment_of_a_server(given: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    found = variables(**given)
    assert {name: found.get(name) for name in expected} == expected


def test_the_server_that_runs_jobs_has_few_workers_and_reaches_itself() -> None:
    server_, jobs = tasks(jobs={"mode": "on_demand", "service": True, "itself": False}).servers()
    assert (server_["family"], jobs["family"]) == (NAME, f"{NAME}-jobs")
    known = {each["name"]: each["value"] for each in jobs["container_definitions"][1]["environment"]}
    assert (known["MLFLOW_WORKERS"], known["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"]) == ("2", "true")
    assert known["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.x.org,mlflow.api.x.org,0.0.0.0:5000"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        ({"database_read_from_readers": True, "database_reader_count": "1"}, ["MLFLOW_READ_REPLICA_BACKEND_STORE_URI"]),
        ({"identity": "edge"}, ["MLFLOW_IDENTITY_KEY"]),
        ({"identity": "edge", "api_authorizer": "jwt"}, []),
        ({"service_secrets": {"A": SECRET}}, ["A"]),
    ],
)
def test_secrets_are_pinned_to_their_versions(given: dict[str, t.Any], names: list[str]) -> None:
    found = {each["name"]: each["valueFrom"] for each in environment.server_secrets(choices(**given), parts())}
    assert list(found)[4:] == names and found["MLFLOW_BACKEND_STORE_URI"] == "arn:store:uri::v1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"programs": {}, "load_balancer_arn": "arn:balancer", "token_host": None}),
        ({"api_authorizer": "iam"}, {"programs": "iam"}),
        ({"api_authorizer": "jwt", "api_client_ids": ["more", "CLIENT"]}, {"programs": {"client_ids": ["client", "more"], "scopes": []}}),
        ({"token_host": "t.x.org"}, {"token_host": "t.x.org", "token_access": {"client_ids": ["client"], "groups": [], "scopes": []}}),
        (
            {"load_balancer_sign_in": "oidc", "load_balancer_oidc_issuer": "https://idp", "load_balancer_oidc_client_id": "i"},
            {"sign_in": {"cognito": False, "client_id": "i", "issuer": "https://idp", "sign_out_uri": ""}},
        ),
    ],
)
def test_what_the_check_of_who_calls_is_told(given: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    found = json.loads(identity.settings(choices(identity="edge", **given), parts()))
    assert {name: found.get(name) for name in expected} == expected and found["mode"] == "edge"


def test_its_files_are_those_of_the_role() -> None:
    assert list(identity.MODULES) == sorted(file.name for file in (ROLE / "files" / "identity").glob("*.py"))


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, ["mlflow", "server"]),
        ({"service_tls": True, "service_cpu": "4096"}, ["python", "-c", "<serve_tls.py>", "5000", "4", "mlflow", "server"]),
        ({"identity": "edge"}, python_command({name: f"<identity/{name}>" for name in identity.MODULES}, main="start.py")),
    ],
)
def test_the_command_of_a_server(given: dict[str, t.Any], command: list[str]) -> None:
    assert server(**given)["command"] == command


def test_a_temporary_directory_is_a_volume_that_is_given_to_all_or_is_in_memory() -> None:
    (plain,), (memory,) = tasks().servers(), tasks(service_tmpfs_size=64).servers()
    assert [each["name"] for each in plain["container_definitions"]] == ["tmp-permissions", "mlflow"] and plain["volumes"] == [{"name": "tmp"}]
    assert server()["dependsOn"] == WAIT
    assert [each["name"] for each in memory["container_definitions"]] == ["mlflow"] and memory["volumes"] == []
    mlflow = memory["container_definitions"][0]
    assert "dependsOn" not in mlflow and mlflow["mountPoints"] == [] and mlflow["linuxParameters"]["tmpfs"][0]["size"] == 64


def test_what_may_be_written_in_storage_of_the_task_is_given_to_all() -> None:
    permissions, mlflow = tasks(service_volumes=VOLUMES, service_mount_points=MOUNTS).servers()[0]["container_definitions"]
    assert permissions["command"] == ["chmod", "1777", "/tmp", "/work"] and permissions["mountPoints"][1:] == [MOUNTS[0]]
    assert mlflow["mountPoints"][1:] == MOUNTS


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, {"awslogs-group": f"/ecs/{NAME}", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "mlflow"}),
        ({"options": {"awslogs-stream-prefix": "x"}}, {"awslogs-group": f"/ecs/{NAME}", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "x"}),
        ({"logDriver": "splunk", "options": {"a": "b"}}, {"a": "b"}),
    ],
)
def test_mlflow_logs_as_the_team_says(given: dict[str, t.Any], options: dict[str, str]) -> None:
    container = server(service_log_configuration=given)
    assert container["logConfiguration"]["options"] == options
    assert tasks(service_log_configuration=given).preparation()["container_definitions"][0]["logConfiguration"]["logDriver"] == "awslogs"


def test_the_preparation_has_a_role_of_its_own_and_makes_the_tables_of_users() -> None:
    plain, users = (tasks(identity=mode).preparation() for mode in ("edge", "mlflow"))
    assert plain["execution_role_arn"] == "arn:ecs-prepare-execution" and plain["task_role_arn"] == "arn:ecs-task"
    container, with_users = (each["container_definitions"][1] for each in (plain, users))
    assert container["command"] == ["python", "-c", "<prepare_database.py>"] and len(with_users["command"]) == 3
    assert [each["name"] for each in container["environment"]] == ["HOME", "DATABASE_MASTER_USERNAME", "MLFLOW_DISABLE_TELEMETRY"]
    assert with_users["environment"][3:] == [{"name": "MLFLOW_USERS", "value": "true"}]


def test_the_task_that_moves_a_database_in_is_the_preparation_with_more() -> None:
    container = tasks(import_database_secret_arn="arn:source", import_leave_out=["a", "b"]).moving_in()["container_definitions"][1]
    assert (container["name"], container["secrets"][2:]) == ("import-database", [{"name": "IMPORT_SOURCE", "valueFrom": "arn:source"}])
    assert container["environment"][3:][2] == {"name": "IMPORT_LEAVE_OUT", "value": "a,b"}


@pytest.mark.parametrize(
    ("role", "given", "actions"),
    [
        ("ecs-execution", {}, []),
        ("ecs-execution", {"service_secrets": {"A": PARAMETER}}, ["ssm:GetParameters"]),
        ("ecs-execution", {"service_secrets": {"A": PARAMETER}, "kms_keys": {PARAMETER: OTHER_KEY}}, ["ssm:GetParameters", "kms:Decrypt"]),
        ("ecs-execution", {"service_environment_files": ["arn:aws:s3:::b/f"]}, ["s3:GetObject", "s3:GetBucketLocation"]),
        (
            "ecs-execution",
            {"service_environment_files": ["arn:aws:s3:::b/f"], "kms_keys": {"b": OTHER_KEY}},
            ["s3:GetObject", "s3:GetBucketLocation", "kms:Decrypt"],
        ),
        ("ecs-execution", {"service_image_mirror": True, "service_image_mirror_secret_arn": "arn:m"}, ["ecr:BatchImportUpstreamImage"]),
        ("ecs-prepare-execution", {"service_image_mirror": True, "service_image_mirror_secret_arn": "arn:m"}, ["ecr:BatchImportUpstreamImage"]),
        ("ecs-prepare-execution", {}, []),
    ],
)
def test_what_starts_tasks_may_read_what_they_need(role: str, given: dict[str, t.Any], actions: list[str]) -> None:
    found = [statement["Action"] for statement in statements(role, **given)]
    assert [each[0] if isinstance(each, list) else each for each in found[:4]] == [
        "logs:CreateLogStream",
        "secretsmanager:GetSecretValue",
        "kms:Decrypt",
        "ecr:GetAuthorizationToken",
    ]
    assert found[4:] == actions


@pytest.mark.parametrize(
    ("given", "secrets", "keys"),
    [
        ({}, 2, [KEY]),
        ({"identity": "edge"}, 3, [KEY]),
        ({"service_secrets": {"A": f"{SECRET}:key::"}, "kms_keys": {SECRET: OTHER_KEY}}, 3, [KEY, OTHER_KEY]),
        ({"service_image_credentials_secret_arn": "arn:r", "kms_keys": {"arn:r": OTHER_KEY}}, 3, [KEY, OTHER_KEY]),
        ({"service_image_credentials_secret_arn": "arn:r", "kms_keys": {"arn:r": OTHER_KEY}, "service_image_mirror": True}, 2, [KEY]),
    ],
)
def test_each_secret_is_named_with_its_key(given: dict[str, t.Any], secrets: int, keys: list[str]) -> None:
    found = statements("ecs-execution", **given)
    assert (len(found[1]["Resource"]), found[2]["Resource"]) == (secrets, keys)


@pytest.mark.parametrize(
    ("given", "actions"),
    [
        ({}, []),
        ({"artifact_bucket_encryption_key_arn": KEY}, ["kms:GenerateDataKey"]),
        ({"artifact_buckets_mlflow_will_read": ["b", "arn:aws:s3:::c/d/*"]}, ["s3:ListBucket", "s3:GetObject"]),
        ({"artifact_buckets_mlflow_will_read": ["b"], "kms_keys": {"b": OTHER_KEY}}, ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"]),
        ({"service_volumes": VOLUMES}, ["elasticfilesystem:ClientMount"]),
        ({"service_enable_execute_command": True}, ["ssmmessages:CreateControlChannel"]),
        ({"gateway_bedrock_models": ["*"]}, ["bedrock:InvokeModel"]),
        ({"service_task_policy_statements": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}, ["sqs:*"]),
    ],
)
def test_what_the_task_may_do(given: dict[str, t.Any], actions: list[str]) -> None:
    found = statements("ecs-task", **given)[3:]
    assert [each["Action"][0] if isinstance(each["Action"], list) else each["Action"] for each in found] == actions


def test_a_bucket_elsewhere_is_decrypted_where_it_is() -> None:
    listed, read, decrypt = statements("ecs-task", artifact_buckets_mlflow_will_read=["b", "arn:aws:s3:::A/d/*", "b"], kms_keys={"b": OTHER_KEY})[3:]
    assert listed["Resource"] == ["arn:aws:s3:::A", "arn:aws:s3:::b"] and read["Resource"] == ["arn:aws:s3:::A/d/*", "arn:aws:s3:::b/*"]
    assert decrypt["Condition"] == {"StringEquals": {"kms:ViaService": ["s3.eu-central-1.amazonaws.com"]}}


def test_only_file_systems_that_ask_for_the_role_are_in_it() -> None:
    assert statements("ecs-task", service_volumes=VOLUMES)[3]["Resource"] == ["arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1"]


def test_artifacts_are_those_below_the_path() -> None:
    listing, _uploads, objects = statements("ecs-task", artifact_bucket_path="/a/b/")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["a/b", "a/b/*"]}} and objects["Resource"] == "arn:aws:s3:::bucket/a/b/*"
    assert "Condition" not in statements("ecs-task")[0]


def test_the_copy_of_the_image_has_a_role_of_its_own() -> None:
    names = [each["name"] for each in Roles(choices(service_image_mirror=True), "bucket", "arn").all()]
    assert names == [f"{NAME}-{role}" for role in ("ecs-execution", "ecs-prepare-execution", "ecs-task", "ecs-mirror")]
    assert len(statements("ecs-mirror", service_image_mirror=True)) == 2
    decrypt = statements("ecs-mirror", service_image_mirror=True, service_image_credentials_secret_arn="arn:r", kms_keys={"arn:r": OTHER_KEY})[3]
    assert decrypt["Resource"] == OTHER_KEY


@pytest.mark.parametrize(
    ("models", "arns"),
    [
        ([], []),
        (["amazon.nova-*", "zai.glm-4.7"], [f"{FOUNDATION}/amazon.nova-*", f"{FOUNDATION}/zai.glm-4.7"]),
        (["eu.amazon.nova-pro-v1:0"], [f"{PROFILE}/eu.amazon.nova-pro-v1:0", f"{ANYWHERE}/amazon.nova-pro-v1:0"]),
        (["us-gov.anthropic.x", "global.anthropic.x"], [f"{PROFILE}/us-gov.anthropic.x", f"{ANYWHERE}/anthropic.x", f"{PROFILE}/global.anthropic.x"]),
        ([f"{PROFILE}/x", f"{PROFILE}/x"], [f"{PROFILE}/x"]),
        (["*"], [f"{ANYWHERE}/*", f"{PROFILE}/*", f"{PROFILE.replace('inf', 'application-inf')}/*"]),
    ],
)
def test_what_a_model_of_bedrock_needs(models: list[str], arns: list[str]) -> None:
    assert bedrock.model_arns(models, *BEDROCK) == arns


def test_values_that_differ_in_case_alone_are_one() -> None:
    assert unique(["b", "A", "a", "B", "c"]) == ["b", "A", "c"]


def test_a_program_of_several_files_runs_from_its_command(tmp_path: Path) -> None:
    files = {"main.py": "import sys, part\nprint(part.TEXT, sys.argv[1:])\n", "part.py": 'TEXT = "Jörg {0}"\n'}
    command = python_command(files, main="main.py")
    assert command == python_command(dict(reversed(files.items())), main="main.py")
    run = subprocess.run([sys.executable, *command[1:], "a", "b c"], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, capture_output=True, text=True)
    assert run.stdout == "Jörg {0} ['a', 'b c']\n"
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
