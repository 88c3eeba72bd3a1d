# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration, and then the MLflow that it has deployed, on this machine, until Ctrl-C, which leaves nothing.

The embedded AWS has no servers. Those of the registered task definition run here as ECS would run them, with a database of this machine in place of
Aurora, behind stand-ins for the load balancer and API Gateway that decide by what was deployed.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
import threading
import typing as t
from contextlib import ExitStack
from pathlib import Path

import demo
import yaml
from embedded_aws.client import EmbeddedAWS
from runtime.containers import MLFLOW_VENV, container
from runtime.databases import ENGINES, PROGRAMS, find_binary, running
from runtime.deployment import Deployment
from runtime.doors.doors import Doors
from runtime.doors.local import LocalDoor, PeoplesDoor
from runtime.doors.proxy import Proxy
from runtime.doors.request import Source
from support.stack import Stack

USER, ADMINS = "ci", "ml-admins"
OFFICE = Source("10.0.0.10")  # in the ingress CIDR blocks of the team
READY = """
MLflow runs here, deployed as by `make demo`. Ctrl-C ends it, and leaves nothing.

  People     {people}
             sign in as anybody; members of {admins} are admins, and {people}/sign-out ends the session
  Programs   {programs}, with a token of {user} that is valid for an hour. In another terminal:

export MLFLOW_TRACKING_URI={programs}
export MLFLOW_TRACKING_TOKEN=$(cat {token})
{python} - <<'EOF'
import mlflow

mlflow.set_experiment("first")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5)
EOF
"""


def main() -> None:
    engine = installed_engine()
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        try:
            serve(engine, stack)
        except KeyboardInterrupt:
            print("\nEnding ...", flush=True)


def installed_engine() -> str:
    """Return the engine of which there is a server on this machine."""
    for engine in ENGINES:
        try:
            find_binary(PROGRAMS[engine])
            return engine
        except FileNotFoundError as missing:
            error = missing
    sys.exit(f"make try: the database of MLflow needs a server: {error}; one of the two is enough")


def end(*_args: object) -> t.NoReturn:
    """End all that was started, without being disturbed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def serve(engine: str, stack: ExitStack) -> None:
    """Deploy and run all of it; ``stack`` ends it."""
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlflow-try-")))
    aws = stack.enter_context(EmbeddedAWS())
    choices = {
        "mlflow_database_engine": engine,
        "mlflow_admin_groups": [ADMINS],
        "mlflow_service_workers": 1,  # starts four times as fast as four
    }
    demo.deploy(aws, work, "-e", json.dumps(choices))
    inputs = yaml.safe_load(demo.CHOICES.read_text()) | yaml.safe_load((work / demo.PREREQUISITES).read_text()) | choices
    outputs = json.loads((work / demo.OUTPUTS).read_text())

    (cluster,) = aws.client("rds").describe_db_clusters()["DBClusters"]
    master = container(aws, f"{inputs['mlflow_unique_name']}-prepare-database", "prepare-database").environment
    print("Starting the database and MLflow ...", flush=True)
    database = stack.enter_context(running(engine, master["DATABASE_MASTER_USERNAME"], master["DATABASE_MASTER_PASSWORD"]))
    database.make_database(cluster["DatabaseName"])
    deployment = Deployment(Stack(aws, work, inputs), database)
    deployment.prepare()
    deployment.servers = stack.enter_context(deployment.started())

    doors, people, programs = Doors(aws), *(outputs[name].removeprefix("https://") for name in ("tracking_uri", "api_uri"))
    proxy = stack.enter_context(Proxy(doors, deployment.servers, OFFICE, work / "doors", people, programs))
    (balancer,) = doors.balancers.values()
    peoples_door = stack.enter_context(PeoplesDoor(proxy, people, balancer, ADMINS))
    programs_door = stack.enter_context(LocalDoor(proxy, programs))
    token = get_token(aws, work, inputs)
    print(
        READY.format(
            people=peoples_door.url,
            programs=programs_door.url,
            user=USER,
            admins=ADMINS,
            token=token,
            python=MLFLOW_VENV.relative_to(demo.ROOT) / "bin" / "python",
        ),
        flush=True,
    )
    threading.Event().wait()


def get_token(aws: EmbeddedAWS, work: Path, inputs: dict[str, t.Any]) -> Path:
    """Give a program's user an account, and have the playbook get a token for it."""
    cognito, password = aws.client("cognito-idp"), f"Aa1!{secrets.token_urlsafe(16)}"
    pool = inputs["mlflow_aws_cognito_user_pool_arn"].rpartition("/")[2]
    print(f"$ export MLFLOW_TOKEN_USERNAME={USER} MLFLOW_TOKEN_PASSWORD=...")
    cognito.admin_create_user(UserPoolId=pool, Username=USER, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=USER, Password=password, Permanent=True)
    path = work / "token"
    signed_in = {"MLFLOW_TOKEN_USERNAME": USER, "MLFLOW_TOKEN_PASSWORD": password}
    demo.run(aws, work, "token", "-e", f"@{work / demo.PREREQUISITES}", "-e", f"@{demo.CHOICES}", "-e", f"mlflow_token_path={path}", **signed_in)
    return path


if __name__ == "__main__":
    main()
