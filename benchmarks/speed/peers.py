# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two that are compared, each in an account of its own on an embedded AWS of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml
from embedded_aws.client import EmbeddedAWS
from support.stack import ANSIBLE_PLAYBOOK, prerequisites

from speed.measure import measure

ROOT = Path(__file__).parents[2]
FORKS = 10
QUOTAS = (
    ("apigateway", "L-608BDCD4"),
    ("apigateway", "L-A93447B8"),
    ("elasticloadbalancing", "L-53DA6B97"),
    ("fargate", "L-3032A538"),
    ("rds", "L-952B80B8"),
    ("rds", "L-7B6409FD"),
)
"""Service and code of those that many stacks fill: VPC links, domain names, load balancers, vCPUs, databases."""


class Sample(NamedTuple):
    """What one run took."""

    wall: float
    cpu: float
    memory: float
    calls: int
    operations: dict[str, int]
    """The calls by operation."""


class Peer:
    """One of the two: how it runs each of the steps ``plan``, ``deploy``, ``again`` and ``destroy``."""

    name: ClassVar[str]
    nothing: ClassVar[dict[str, str]]
    """What it prints, by step, where there was nothing to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.aws = EmbeddedAWS().start()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_", "TF_"))} | self.aws.env
        self._teams: dict[str, dict[str, Any]] = {}

    def start(self, stacks: int) -> None:
        """Empty the account, then make what that many teams have before their first deployment."""
        self.aws.reset()
        self._teams.clear()
        self.grow(stacks)

    def grow(self, stacks: int) -> None:
        """Add teams until there are that many."""
        for n in range(len(self._teams), stacks):
            inputs = prerequisites(self.aws, f"team-{n}", network=n)
            self._teams[inputs["mlflow_unique_name"]] = inputs
        quotas = self.aws.client("service-quotas")
        for service, code in QUOTAS:  # as whoever has that many stacks on AWS has asked for
            quotas.request_service_quota_increase(ServiceCode=service, QuotaCode=code, DesiredValue=1000)
        self.configure(self._teams)

    def run(self, step: str, idle: bool = False) -> Sample:
        """Run a step in all stacks. RuntimeError if it fails, or does anything although it should be ``idle``."""
        mark = self.aws.mark()
        log = self.folder / f"{step}.log"
        cost = measure(self.command(step), self.folder, self.env, log)
        calls = self.aws.calls(mark)
        text = log.read_text(encoding="utf-8", errors="replace")
        busy = idle and (self.nothing[step] not in text or any(call["mutating"] for call in calls))
        if cost.status or busy:
            raise RuntimeError(f"{self.name}: {step} {'was not idle' if busy else 'failed'}:\n{text[-4000:]}")
        operations = Counter(f"{call['service']}:{call['operation']}" for call in calls)
        return Sample(cost.wall, cost.cpu, cost.memory, len(calls), dict(operations))

    def configure(self, teams: dict[str, dict[str, Any]]) -> None:
        """Write down the inputs of the teams, by unique name."""
        raise NotImplementedError

    def command(self, step: str) -> list[str]:
        """The command of a step, to be run in the folder."""
        raise NotImplementedError


class Ours(Peer):
    """This collection: one team file, or an inventory where there are more teams than one."""

    name = "ours"
    nothing = {"plan": "Plan: 0 to add, 0 to change, 0 to replace, 0 to remove", "again": "changed=0 "}

    def configure(self, teams: dict[str, dict[str, Any]]) -> None:
        if len(teams) == 1:
            ((name, inputs),) = teams.items()
            _write(self.folder / "team.yml", inputs)
            self._which = ["-e", "@team.yml"]
            self._confirmation = ["-e", f"mlflow_confirm_destroy={name}"]
        else:
            _write(self.folder / "hosts.yml", {"mlflow": {"hosts": dict.fromkeys(teams)}})
            for name, inputs in teams.items():
                _write(self.folder / "host_vars" / f"{name}.yml", inputs)
            self._which = ["-i", "hosts.yml", "--forks", str(FORKS)]

    def command(self, step: str) -> list[str]:
        playbook = {"plan": "plan", "deploy": "site", "again": "site", "destroy": "destroy"}[step]
        more = self._confirmation if step == "destroy" else []
        return [ANSIBLE_PLAYBOOK, f"mlplatform.mlflow_aws.{playbook}", *self._which, *more]


class Terraform(Peer):
    """Terraform with the configuration beside this: the original module's 40 resources."""

    name = "Terraform"
    nothing = {"plan": "No changes.", "again": "0 added, 0 changed, 0 destroyed"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        shutil.copytree(ROOT / "benchmarks" / "terraform", folder, dirs_exist_ok=True)
        self._package = shutil.make_archive(str(folder / "authorizer"), "zip", ROOT / "roles/apigw/files/authorizer")
        self.env["CHECKPOINT_DISABLE"] = "1"  # no look for newer versions
        if mirror := find_mirror():
            settings = folder / "terraform.rc"
            settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
            self.env["TF_CLI_CONFIG_FILE"] = str(settings)
        elif "TF_CLI_CONFIG_FILE" in os.environ:
            self.env["TF_CLI_CONFIG_FILE"] = os.environ["TF_CLI_CONFIG_FILE"]
        done = subprocess.run(["terraform", "init", "-input=false", "-no-color"], cwd=folder, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            self.aws.stop()
            raise Unavailable(f"terraform is here, but not its AWS provider: {done.stderr.strip()}")

    def start(self, stacks: int) -> None:
        for state in self.folder.glob("terraform.tfstate*"):
            state.unlink()
        super().start(stacks)

    def configure(self, teams: dict[str, dict[str, Any]]) -> None:
        stacks = {name: {k.removeprefix("mlflow_"): v for k, v in inputs.items() if k != "mlflow_unique_name"} for name, inputs in teams.items()}
        variables = {"stacks": stacks, "authorizer_package": self._package}
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")

    def command(self, step: str) -> list[str]:
        verb = {"plan": ["plan"], "destroy": ["destroy", "-auto-approve"]}.get(step, ["apply", "-auto-approve"])
        return ["terraform", *verb, "-input=false", "-no-color"]

    def versions(self) -> str:
        answer = subprocess.run(["terraform", "version", "-json"], cwd=self.folder, env=self.env, capture_output=True, check=True)
        versions = json.loads(answer.stdout)
        (provider,) = versions["provider_selections"].values()
        return f"Terraform {versions['terraform_version']} with its AWS provider {provider}"


class Unavailable(Exception):
    """Why there is nothing to compare with."""


def terraform(folder: Path) -> Terraform:
    """The peer. Raises Unavailable where this machine does not have it."""
    if not shutil.which("terraform"):
        raise Unavailable("there is no terraform on this machine")
    return Terraform(folder)


def find_mirror() -> Path | None:
    """A folder of this machine that holds the AWS provider in the layout of a mirror, if there is one.

    That is the folder above ``registry.terraform.io/hashicorp/aws``, at most six levels deep. Without one, ``terraform
    init`` gets the provider from the registry.
    """
    found = subprocess.run(
        [
            "find",
            "/",
            "-maxdepth",
            "6",
            "(",
            "-path",
            "/proc",
            "-o",
            "-path",
            "/sys",
            "-o",
            "-path",
            "/dev",
            ")",
            "-prune",
            "-o",
            "-type",
            "d",
            "-path",
            "*/registry.terraform.io",
            "-print",
            "-prune",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    mirrors = (Path(path).parent for path in found if Path(path, "hashicorp", "aws").is_dir())
    # Not a folder that `terraform init` has filled for some project.
    return next((path for path in sorted(mirrors) if ".terraform" not in path.parts), None)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
