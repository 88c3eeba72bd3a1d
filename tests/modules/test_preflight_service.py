# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from embedded_aws.client import REGION
from modules.run_module import ModuleFailed, run_module
from modules.test_preflight_jobs import NAME, deploy


@pytest.mark.parametrize(
    ("servers", "pause", "job_execution", "warned"),
    [(2, False, None, True), (3, True, None, False), (4, True, "true", True), (5, False, "false", False), (1, False, None, False)],
)
def test_jobs_of_more_than_one_server_are_warned_of(aws, servers, pause, job_execution, warned):
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": job_execution} if job_execution else {}
    deploy(aws)  # before there was mlflow_jobs
    inputs = {
        "mlflow_unique_name": NAME,
        "mlflow_service_max_capacity": servers,
        "mlflow_database_auto_pause": pause,
        "mlflow_service_environment": environment,
    }
    told = str(run_module("preflight", {"inputs": inputs}, aws).get("warnings", []))
    assert (f"jobs are on and up to {servers} servers run" in told) == warned


def test_the_servers_that_a_schedule_brings_count(aws):
    deploy(aws)
    inputs = {
        "mlflow_unique_name": NAME,
        "mlflow_service_max_capacity": 1,
        "mlflow_service_scheduled_actions": [{"name": "noon", "max_capacity": 6}, {"name": "night"}],
    }
    assert "up to 6 servers run" in str(run_module("preflight", {"inputs": inputs}, aws)["warnings"])


def problems(aws, **inputs):
    mark = aws.mark()
    with pytest.raises(ModuleFailed) as failed:
        run_module("preflight", {"inputs": inputs}, aws)
    assert aws.mutating(mark) == []
    return failed.value.result["problems"]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("mlflow_service_sidecar_container_definitions", [{"name": "a", "image": "i", "portmappings": []}], "[0]: Unknown parameter"),
        ("mlflow_service_volumes", [{"name": "v", "efsVolumeConfiguration": {"filesystemId": "fs-0"}}], "[0]: Missing required parameter"),
        ("mlflow_service_mount_points", [{"sourceVolume": "v", "containerPath": 7}], "[0]: Invalid type"),
        ("mlflow_service_log_configuration", {"logDriver": "splunk", "options": {"splunk-token": 7}}, ": Invalid type"),
    ],
)
def test_what_is_not_spelled_as_the_api_spells_it_is_refused(aws, name, given, told):
    (line,) = problems(aws, **{name: given})
    assert line.startswith(f"{name}{told}") and line.endswith("spell it as the ECS API does") and "7" not in line


@pytest.fixture
def file(aws):
    """Puts an environment file into a bucket, and returns its ARN."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="config-x", CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(body):
        s3.put_object(Bucket="config-x", Key="mlflow.env", Body=body.encode())
        return "arn:aws:s3:::config-x/mlflow.env"

    return put


def test_variables_of_an_environment_file_are_looked_at(aws, file):
    assert "problems" not in run_module("preflight", {"inputs": {"mlflow_service_environment_files": [file("# MLFLOW_PORT=1\nA=1\n\nB=x=y\n")]}}, aws)
    told = problems(aws, mlflow_service_environment_files=[file("MLFLOW_PORT=1\nMLFLOW_STATIC_PREFIX=/x\nMLFLOW_CRYPTO_KEK_PASSPHRASE=hunter2\n")])
    assert [line.partition("it sets ")[2].partition(":")[0] for line in told] == ["MLFLOW_PORT", "MLFLOW_STATIC_PREFIX", "MLFLOW_CRYPTO_KEK_PASSPHRASE"]
    assert "hunter2" not in str(told)


@pytest.mark.parametrize("key", ["config-x/other.env", "no-such-bucket-x/mlflow.env"])
def test_an_environment_file_that_there_is_not_is_refused(aws, file, key):
    file("")
    (line,) = problems(aws, mlflow_service_environment_files=[f"arn:aws:s3:::{key}"])
    assert "there is no such object" in line


def test_an_environment_file_that_the_caller_may_not_read_is_warned_of(aws, file):
    arn = file("MLFLOW_PORT=1\n")
    aws.faults({"service": "s3", "operation": "GetObject", "error": {"code": "AccessDenied", "message": "no", "status": 403}})
    assert "the caller may not read it" in str(run_module("preflight", {"inputs": {"mlflow_service_environment_files": [arn]}}, aws)["warnings"])
