# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that runs in the worker does, says and asks AWS what it does, says and asks as a process of its own.

Each module of the collection runs both ways, on two copies of one account: in check mode and for good, with a diff. What is the same for all of
them a few do: where they warn; where AWS refuses, an option is unknown, a value is secret and an exception is not caught; and on other
releases of ansible-core.
"""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from embedded_aws.client import EmbeddedAWS
from support.scenarios import ACTING, TAGS, other_cluster, scenarios
from support.stack import ANSIBLE_PLAYBOOK, Inputs, Stack, run_ansible

pytestmark = pytest.mark.versions
COLLECTION = "mlplatform.mlflow_aws"
MODULES = {path.stem for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py")} - {"plan_report", "stack_report", "cognito_token"}
"""All but the action plugins that run no module, and what signs a person in, of which no stack knows."""
FEW = {"preflight", "stack_lease", "stack_health", "ecs_cluster", "ecs_task", "iam_roles", "s3_bucket", "rds_cluster", "secretsmanager_secret"}
TRIED = FEW if os.environ.get("MLFLOW_FEW_MODULES") else MODULES
ASKING = {"preflight": {}, "stack_health": {"name": "x", "domain_name": "x.example.com"}, "stack_lease": {}}
"""What changes nothing of a stack."""
FIND_THEIR_OWN = {"acm_certificate", "apigatewayv2_api", "apigatewayv2_vpc_link", "cognito_user_pool", "ec2_vpc_endpoints"}
"""What looks for things of its own tags only, and so does not come upon another's."""
VARIABLES = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
EXPORTED = Path(__file__).parents[2] / "roles" / "mlflow" / "vars" / "main" / "tags.yml"
"""The tags of the stack, which nobody can give as an input."""
DENIED = {"error": {"code": "AccessDenied", "message": "You may not do this", "status": 403}}
DIFFERENT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"  # a UUID
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:Z|[+]00:00)?"  # a time
    r"|[^ '\"]*/[^ '\"]*ansible[^ '\"]*tmp[^ '\"]*"  # a folder of Ansible's
    r"|(?:\b|_)(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}\b"  # how AWS calls something; API Gateway and Secrets Manager without digits
    r"|(?<=/apis/)[a-z]+|(?<=/vpclinks/)[a-z]+|(?<=integrations/)[a-z]+|(?<=routes/)[a-z]+|(?<=mappings/)[a-z]+"
    r"|[a-z]+/authorizers/[a-z]+|[a-z]+(?=[.]execute-api)"
    r"|(?<=:secret:)[^'\", ]+|(?<=:scalable-target/)[a-z0-9]+"
    r"|(?<=\"pid\": )[0-9]+|(?<=\"started\": )[0-9]+|(?<=\"began\": )[0-9.]+"  # a process
)
"""What differs from one run to the next."""
DIFFERENT_FIELDS = {*("mlflow_run_in_worker", "lease", "detail"), *("id", "api_id", "apiId", "authorizer_id", "authorizerId", "vpc_link_id", "connectionId")}


class Way(t.NamedTuple):
    """What all modules did in one of the two ways."""

    results: dict[str, dict[str, t.Any]]
    """By the name of the task."""
    calls: Counter[str]
    seconds: float


def same(value: t.Any) -> t.Any:
    """A value without what differs from one run to the next, such as the order of what several resources say at the same time."""
    if isinstance(value, dict):
        fields = {DIFFERENT.sub("*", key): "*" if key in DIFFERENT_FIELDS else same(each) for key, each in value.items()}
        if value.get("name") in DIFFERENT_FIELDS:
            fields["after"] = "*"
        if "warnings" in fields:
            fields["warnings"].sort()
        if "deprecations" in fields:  # of what a library imports, once by the controller or by each process
            fields["deprecations"] = [each for each in fields["deprecations"] if not each["msg"].startswith("Importing ")]
        return {key: each for key, each in fields.items() if (key, each) != ("deprecations", [])}
    if isinstance(value, list):
        return [same(each) for each in value]
    return "\n".join(sorted(DIFFERENT.sub("*", value).split("\n"))) if isinstance(value, str) else value


def tasks(every: dict[str, dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    """What each module is asked to do, one after the other, and then to undo."""
    for module, options in every.items():
        yield task(module, "plans", options, check_mode=True, diff=True)
        yield task(module, "acts", options, diff=True)
        if module not in FEW:
            continue
        if can_remove(module):
            yield task(module, "keeps another's", {**options, "state": "absent", "tags": {**TAGS, "mlflow-stack": "y"}})
        yield task(module, "does not know", {**options, "nonsense": "secret"}, no_log=True)
        yield task(module, "breaks off", options, environment={"AWS_ENDPOINT_URL": "nonsense"})
    for module, options in reversed(every.items()):
        if can_remove(module):
            protected = {"disable_deletion_protection": True} if module == "rds_cluster" else {}
            yield task(module, "removes", {**options, **protected, "state": "absent"}, diff=True)


def task(module: str, what: str, options: dict[str, t.Any], **keywords: t.Any) -> dict[str, t.Any]:
    register = {"register": "mlflow_account"} if (module, what) == ("preflight", "acts") else {}  # from then on there is a lease to take
    return {"name": f"{module} {what}", f"{COLLECTION}.{module}": options, "ignore_errors": True, **register, **keywords}


def can_remove(module: str) -> bool:
    return module not in (*ACTING, *ASKING, "ecs_task")


def write_play(path: Path, listed: list[dict[str, t.Any]]) -> None:
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": VARIABLES, "vars_files": [str(EXPORTED)], "tasks": listed}
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")


def run_all(aws: EmbeddedAWS, folder: Path, inputs: Inputs, every: dict[str, dict[str, t.Any]]) -> Way:
    """All tasks; then a few modules once more, while AWS refuses whatever it is asked."""
    results: dict[str, dict[str, t.Any]] = {}
    calls: Counter[str] = Counter()
    seconds = 0.0
    folder.mkdir()
    refused = [task(module, "is refused", options) for module, options in every.items() if module in FEW]
    for name, listed, faults in (("all.yml", list(tasks(every)), []), ("refused.yml", refused, [DENIED])):
        aws.faults(*faults)
        write_play(folder / name, listed)
        done = run_ansible(aws, folder, [ANSIBLE_PLAYBOOK, name, "-e", json.dumps(inputs)])
        assert done.status == 0, done.text
        results |= {each["task"]["name"]: same(each["hosts"]["localhost"]) for each in done.output["plays"][0]["tasks"]}
        if not faults:  # else what is asked at the same time may be asked, or not any more
            calls.update(json.dumps(same([call[part] for part in ("service", "operation", "params", "error")])) for call in done.calls)
        seconds += done.seconds
    return Way(results, calls, seconds)


@pytest.fixture(scope="module")
def ways(team: Stack) -> tuple[Way, Way]:
    """What the modules did in the worker, and as processes of their own."""
    (team.folder / "function").mkdir()
    (team.folder / "function" / "a.py").write_text("def b(event, context): ...\n", encoding="utf-8")
    made = {each.module: {"tags": TAGS, **each.given} for each in scenarios(team.inputs, str(team.folder / "function"))}
    every = {module: options for module, options in {**made, **ACTING, **ASKING}.items() if module in TRIED}
    other_cluster(team.aws)
    with team.aws.copy() as one, team.aws.copy() as two, ThreadPoolExecutor(2) as pool:
        inside, outside = (
            pool.submit(run_all, copy, team.folder / name, {**team.inputs, "mlflow_run_in_worker": name == "inside"}, every)
            for name, copy in (("inside", one), ("outside", two))
        )
        return inside.result(), outside.result()


def test_every_module_runs_both_ways(ways: tuple[Way, Way]) -> None:
    inside, outside = ways
    assert {name.split()[0] for name in inside.results} == TRIED
    assert inside.seconds < outside.seconds / 2, "the modules have not run in the worker"


def test_the_results_are_the_same(ways: tuple[Way, Way]) -> None:
    inside, outside = ways
    assert inside.results.keys() == outside.results.keys()
    assert {name: (inside.results[name], other) for name, other in outside.results.items() if inside.results[name] != other} == {}


def test_aws_is_asked_the_same(ways: tuple[Way, Way]) -> None:
    inside, outside = ways
    assert (inside.calls - outside.calls, outside.calls - inside.calls) == (Counter(), Counter())


def test_each_task_does_what_its_name_says(ways: tuple[Way, Way]) -> None:
    """Or the others would prove less than they seem to."""
    for name, result in ways[0].results.items():
        module, _space, what = name.partition(" ")
        if module not in ("stack_health", "stack_lease"):  # the one fails where anything is amiss, the other where it has not asked yet
            assert bool(result.get("failed")) == (what in ("does not know", "breaks off", "is refused")), (name, result)
        assert result["changed"] == (what in ("plans", "acts", "removes") and module not in ASKING), (name, result)
        if module not in FIND_THEIR_OWN:
            assert bool(result.get("warnings")) == (what == "keeps another's"), (name, result)
        assert bool(result.get("diff")) == result["changed"], (name, result)
        assert ("censored" in result) == (what == "does not know"), (name, result)


# Where it would make a difference, or is not wanted


def test_whatever_is_not_certain_runs_as_a_process_of_its_own(stack: Stack) -> None:
    """Ansible says which module it sends off; of what runs in the worker it knows nothing."""
    module = {f"{COLLECTION}.ecs_cluster": {"name": "x"}, "check_mode": True, "ignore_errors": True, "ignore_unreachable": True}
    every = {
        "plain": {},
        "another user": {"become": True},
        "in the background": {"async": 60, "poll": 1},
        "a loop": {"loop": [1]},
        "until it is so": {"until": True, "retries": 1},
        "another interpreter": {"vars": {"ansible_python_interpreter": f"{sys.executable} -s"}},
        "another connection": {"vars": {"ansible_connection": "ssh"}},
        "switched off": {"vars": {"mlflow_run_in_worker": False}},
    }
    write_play(stack.folder / "tasks.yml", [{"name": name, **module, **keywords} for name, keywords in every.items()])
    as_people_see_it = {"ANSIBLE_STDOUT_CALLBACK": "default", "ANSIBLE_SSH_TIMEOUT": "1"}
    done = run_ansible(stack.aws, stack.folder, [ANSIBLE_PLAYBOOK, "tasks.yml", "-vvv"], as_people_see_it)
    parts = dict(re.findall(r"^TASK \[(.+?)\] \**$(.*?)(?=^TASK |^PLAY RECAP|\Z)", done.text, re.MULTILINE | re.DOTALL))
    assert parts.keys() == every.keys(), done.text
    assert {name for name, part in parts.items() if "EXEC" not in part} == {"plain"}
