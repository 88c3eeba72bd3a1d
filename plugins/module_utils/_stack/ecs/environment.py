# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the environment and the secrets of the MLflow server. Pure.

``mlflow server`` is configured by the environment alone. ``mlflow_service_environment`` has the last word, but for what the rest of the stack relies
on, which preflight refuses (``_stack/inputs/server_environment.py``), and for the lists that it adds to.
"""

from __future__ import annotations


from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, Parts, State, unique
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.identity import settings
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import maximum_servers, signs_urls
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.jobs import VARIABLES, WORKERS

RUNS_JOBS, PERIODIC = VARIABLES
HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
ORIGINS = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"

# A signed URL is good for one host name. Without these it is that of all regions, which redirects: boto/boto3#421, #2187
_SIGNING = {
    "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "virtual",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",  # the server says so to clients, which need no settings of their own then
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
}


def entries(variables: State) -> list[dict[str, str]]:
    """As the ECS API spells variables."""
    return [{"name": name, "value": str(value)} for name, value in variables.items()]


def address(choices: Choices) -> tuple[str, int]:
    """Where MLflow listens. With TLS C(serve_tls.py) is in front of it."""
    ports = choices.names["ports"]
    return ("127.0.0.1", ports["loopback"]) if choices["mlflow_service_tls"] else ("0.0.0.0", ports["service"])


def server_environment(choices: Choices, parts: Parts) -> State:
    """The variables of a server. A name is a variable or a secret, never both, or ECS refuses the task definition."""
    host, port = address(choices)
    variables = {
        "HOME": "/tmp",
        "MLFLOW_HOST": host,
        "MLFLOW_PORT": port,
        "MLFLOW_WORKERS": choices["mlflow_service_workers"],
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **_artifacts(choices, parts),
        **({"AWS_DEFAULT_REGION": choices.account["region"], **_SIGNING} if signs_urls(choices.inputs) else {}),
        **_web_server(choices),
        # an open connection keeps Aurora awake
        **({"MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool"} if choices["mlflow_database_auto_pause"] else {}),
        **_jobs(choices),
        **({"MLFLOW_IDENTITY": settings(choices, parts)} if choices.checks_who_calls else {}),
        **choices["mlflow_service_environment"],
        HOSTS: ",".join(_hosts(choices)),
        ORIGINS: ",".join(parts.ui_origins),
    }
    return {name: value for name, value in variables.items() if name not in choices["mlflow_service_secrets"]}


def jobs_environment(choices: Choices, parts: Parts) -> State:
    """The variables of the server that runs jobs and nothing else."""
    return {
        **server_environment(choices, parts),
        RUNS_JOBS: "true",
        "MLFLOW_WORKERS": min(choices["mlflow_service_workers"], WORKERS),
        HOSTS: ",".join([*_hosts(choices), _jobs_address(choices)]),
    }


def server_secrets(choices: Choices, parts: Parts) -> list[dict[str, str]]:
    """A secret is pinned to its version, so that a new one is a new revision, which restarts the service."""
    keys, readers = parts.backend_store["server_keys"], {"MLFLOW_READ_REPLICA_BACKEND_STORE_URI": backend_store(parts, "reader_uri")}
    secrets = {
        "MLFLOW_BACKEND_STORE_URI": backend_store(parts, "uri"),
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": _reference(keys, "crypto_kek_passphrase"),
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": _reference(keys, "webhook_secret_encryption_key"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _reference(keys, "flask_server_secret_key"),
        # MLflow would ask the readers for whatever it only reads, and not find there what it has just written
        **(readers if choices.reads_from_readers else {}),
        **({"MLFLOW_IDENTITY_KEY": _reference(parts.identity_key, "key")} if choices.is_signed else {}),
        **choices["mlflow_service_secrets"],
    }
    return [{"name": name, "valueFrom": value} for name, value in secrets.items()]


def backend_store(parts: Parts, key: str) -> str:
    """Where ECS finds a URI of the database."""
    return _reference(parts.backend_store["secret"], key)


def _reference(secret: State, key: str) -> str:
    return f"{secret['arn']}:{key}::{secret['version_id']}"


def _artifacts(choices: Choices, parts: Parts) -> State:
    root = "s3://" + "/".join(filter(None, (parts.bucket_id, choices.artifact_prefix)))
    if choices["mlflow_artifact_access"] == "direct":
        return {"MLFLOW_SERVE_ARTIFACTS": "false", "MLFLOW_DEFAULT_ARTIFACT_ROOT": root}
    # the default artifact root must not be set, or clients would go to S3 themselves
    presigned = {"MLFLOW_ARTIFACTS_PRESIGNED_ONLY": "true"} if choices["mlflow_artifact_access"] == "presigned" else {}
    return {"MLFLOW_SERVE_ARTIFACTS": "true", "MLFLOW_ARTIFACTS_DESTINATION": root, **presigned}


def _web_server(choices: Choices) -> State:
    """An empty MLFLOW_GUNICORN_OPTS would still choose gunicorn."""
    if choices["mlflow_gunicorn_opts"]:
        return {"MLFLOW_GUNICORN_OPTS": choices["mlflow_gunicorn_opts"]}
    # a connection that the server closes first is a 502 to the client
    return {"MLFLOW_UVICORN_OPTS": choices["mlflow_uvicorn_opts"] or f"--timeout-keep-alive={choices['mlflow_load_balancer_idle_timeout'] + 60}"}


def _jobs(choices: Choices) -> State:
    """Where the input is not given, a later run finds in the environment of the servers what it was, by both variables (preflight/jobs.py)."""
    jobs = choices.account["jobs"]
    itself = "true" if jobs["itself"] else "false"
    if jobs["mode"] == "off":
        return {RUNS_JOBS: "false"}
    if jobs["mode"]:
        # a scheduler that looks for work keeps Aurora awake
        return {RUNS_JOBS: itself, PERIODIC: "true" if jobs["mode"] == "scheduled" else "false"}
    # of a stack that had no input for it, or that sets these variables itself
    pauses = choices["mlflow_database_auto_pause"]
    each = boolean(choices["mlflow_service_environment"].get(RUNS_JOBS) or not pauses, strict=False)
    several = maximum_servers(choices.inputs) > 1
    return {**({RUNS_JOBS: "false"} if pauses else {}), **({PERIODIC: "false"} if each and several else {})}


def _jobs_address(choices: Choices) -> str:
    """Of the server, for the jobs in its task."""
    return ":".join(map(str, address(choices)))


def _hosts(choices: Choices) -> list[str]:
    """The host names at which the server answers, with those that the team file adds. The UI sends Origin, programs do not."""
    names, jobs = choices.names, choices.account["jobs"]
    run_jobs = jobs["itself"] or (not jobs["mode"] and not choices["mlflow_database_auto_pause"])
    given = str(choices["mlflow_service_environment"].get(HOSTS, "")).split(",")
    hosts = [*filter(None, (names["host"], names["api_host"], names["token_host"])), *([_jobs_address(choices)] if run_jobs else [])]
    return unique([*hosts, *filter(None, map(str.strip, given))])
