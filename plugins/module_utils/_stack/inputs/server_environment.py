# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: variables of the MLflow server (of ``mlflow server`` and MLflow's environment_variables.py, 3.18) with which entry points, health
checks or the database would not be what the rest of the stack takes them for. Pure.

All others are the user's own, those that the collection sets by default among them, such as MLFLOW_SERVER_ENABLE_JOB_EXECUTION.
"""

from __future__ import annotations

import re
import shlex

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs

STATIC_PREFIX = "MLFLOW_STATIC_PREFIX"
"""The path below which MLflow serves. Health checks, the rules of the load balancer and the outputs follow it."""
MERGED = ("MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS")
"""Lists that begin with the names of the stack; what is given is added."""
WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"
METRICS = "MLFLOW_EXPOSE_PROMETHEUS"
"""A directory that the server makes and writes to."""

_ARTIFACTS = "the artifacts are where mlflow_artifact_bucket_id, mlflow_artifact_bucket_path and mlflow_artifact_access say: use these"
_ONE_DATABASE = "the collection prepares, upgrades and restores one database, which holds the model registry too: leave it out"
_AUTH_APP = "MLflow's own auth app runs with mlflow_identity mlflow alone, and is configured by it and by the groups of each right: leave it out"
_NO_VARIABLE = "it is not a variable of MLflow and would have no effect: leave it out"

_REFUSED: dict[str, str] = {
    "HOME": "it is /tmp, the directory to which the server can write: leave it out",
    "MLFLOW_HOST": "the load balancer and the health checks need 0.0.0.0: leave it out",
    "MLFLOW_PORT": "the load balancer, the security groups and the health checks use port 5000: leave it out",
    "MLFLOW_WORKERS": "use mlflow_service_workers",
    "MLFLOW_GUNICORN_OPTS|GUNICORN_CMD_ARGS": "use mlflow_gunicorn_opts",
    "MLFLOW_UVICORN_OPTS|UVICORN_.*": "use mlflow_uvicorn_opts",
    "SCRIPT_NAME": f"gunicorn would serve below this path, which the health checks do not follow: use {STATIC_PREFIX}",
    "MLFLOW_SERVE_ARTIFACTS|MLFLOW_ARTIFACTS_DESTINATION|MLFLOW_DEFAULT_ARTIFACT_ROOT": _ARTIFACTS,
    "MLFLOW_ARTIFACTS_PRESIGNED_ONLY": "use mlflow_artifact_access: presigned, which also lets the pages of the UI reach the bucket",
    "MLFLOW_ARTIFACTS_ONLY": "the server would have no tracking API: leave it out",
    "MLFLOW_BACKEND_STORE_URI|MLFLOW_REGISTRY_STORE_URI": _ONE_DATABASE,
    "MLFLOW_READ_REPLICA_BACKEND_STORE_URI": "use mlflow_database_reader_count and mlflow_database_read_from_readers",
    "MLFLOW_MYSQL_SSL_CA": "use mlflow_database_ca_file",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "it would take requests of any page and for any host: add yours to " + " and ".join(MERGED),
    "MLFLOW_WORKSPACE": "MLflow's server does not start with it, which is for clients: leave it out",
    "MLFLOW_APP_NAME|MLFLOW_AUTH_.*|MLFLOW_BASIC_AUTH_.*|MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH|MLFLOW_RBAC_.*": _AUTH_APP,
    "MLFLOW_IDENTITY|MLFLOW_IDENTITY_KEY": "use mlflow_identity and the groups of each right, such as mlflow_admin_groups",
    "MLFLOW_WAITRESS_OPTS|MLFLOW_DEV|MLFLOW_SECRETS_CACHE_.*": _NO_VARIABLE,
    "_MLFLOW_(?!WEBHOOK_).*|prometheus_multiproc_dir": "MLflow sets it itself: leave it out, or use the variable of mlflow server (mlflow server --help)",
}
"""Names, as patterns, and what to do instead."""
_WHERE_IT_LISTENS: dict[str, str] = {
    "mlflow_uvicorn_opts": "--(host|port|uds|fd|ssl-.*)",
    "mlflow_gunicorn_opts": "-b.*|-D|--(bi|cert|key|ca-|ci|ssl|da|prot).*",
}
"""Options of the web servers, as patterns, that say where they listen and what they speak there; gunicorn takes beginnings of its options too."""
_KEYS = ("MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
"""Secrets of the server that somebody may have from another server: as a secret, not as a variable."""
_STATIC_PREFIX = re.compile(r"(?=.{1,100}$)(/(?!\.{1,2}(/|$))[\w.~-]+)+", re.ASCII)


def refusal(name: str, given_in: str = "environment") -> str | None:
    """What to do instead of giving the server this variable in the environment, in a file of it, or among the secrets; None where it may."""
    if name in _KEYS and given_in != "secrets":
        return "it is a secret: the stack has one of its own; to use another one, name it in mlflow_service_secrets"
    if name in (STATIC_PREFIX, *MERGED) and given_in != "environment":
        return "the stack has to know its value: give it in mlflow_service_environment"
    return next((remedy for pattern, remedy in _REFUSED.items() if re.fullmatch(pattern, name)), None)


def refused_options(name: str, options: str) -> list[str]:
    """The options of a web server without which the load balancer and the health checks find it.

    >>> refused_options("mlflow_uvicorn_opts", "--timeout-keep-alive=9 --http h11 --ssl-keyfile=a.pem --fd 3")
    ['--ssl-keyfile', '--fd']
    >>> refused_options("mlflow_gunicorn_opts", "-t 60 --keep-alive 5 --capture-output --backlog 9 -b0.0.0.0:80 --certfile a.pem")
    ['-b0.0.0.0:80', '--certfile']
    """
    names = (option.partition("=")[0] for option in shlex.split(options))
    return [option for option in names if re.fullmatch(_WHERE_IT_LISTENS[name], option)]


def names_in_file(text: str) -> list[str]:
    """The variables of an environment file of ECS: NAME=value, a line each, and comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line.partition("=")[0].strip() for line in lines if "=" in line and not line.startswith("#")]


def is_static_prefix(value: str) -> bool:
    """Whether MLflow and the load balancer take it for a path to serve below.

    >>> [is_static_prefix(value) for value in ("", "/mlflow", "/a/b-1", "mlflow", "/mlflow/", "/{x}", "/a/../b", "/a*")]
    [True, True, True, False, False, False, False, False]
    """
    return not value or _STATIC_PREFIX.fullmatch(value) is not None


def static_prefix(inputs: Inputs) -> str:
    """The path below which MLflow serves; empty for none."""
    environment = inputs.get("mlflow_service_environment")
    return str(environment.get(STATIC_PREFIX, "")) if isinstance(environment, dict) else ""
