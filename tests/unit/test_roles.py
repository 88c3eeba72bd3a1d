# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and the playbooks: what they hand to each other, and what they keep to themselves."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlplatform.mlflow_aws.plugins.action.preflight import _exported, _not_inputs

ROOT = Path(__file__).parents[2]
LAYERS = ("alb", "apigw", "ecs", "monitoring", "network", "rds", "s3")
ROLES = (*LAYERS, "bootstrap")
"""All but the role ``mlflow``, whose variables are the inputs."""
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
HEADER = ("hosts", "gather_facts", "module_defaults", "vars")
"""What the plays of all playbooks have in common. Ansible includes tasks, and no part of a play."""


def read(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def texts(role: str) -> str:
    files = [file for folder in ("defaults", "tasks", "vars") for file in (ROOT / "roles" / role / folder).rglob("*.yml")]
    return "\n".join(re.sub(r"(^|\s)#.*", "", file.read_text(encoding="utf-8")) for file in files)


def options(role: str) -> dict[str, t.Any]:
    entries = read(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"].values()
    return {name: option for entry in entries for name, option in entry["options"].items()}


def defaults(role: str) -> dict[str, t.Any]:
    file = ROOT / "roles" / role / "defaults" / "main.yml"
    return read(file) if file.exists() else {}


def exported(role: str) -> set[str]:
    return {name for file in (ROOT / "roles" / role / "vars" / "main").glob("*.yml") for name in read(file) if not name.startswith("_")}


@pytest.mark.parametrize("role", ROLES)
def test_a_variable_of_a_role_is_declared_and_is_required_or_has_a_default(role: str) -> None:
    assert defaults(role).keys() == {name for name, option in options(role).items() if not option.get("required")}


@pytest.mark.parametrize("role", ROLES)
def test_a_layer_uses_each_of_its_variables_and_no_other(role: str) -> None:
    """What has the prefix of the role is declared, exported or registered by it, or is the name of a module."""
    modules = {file.stem for folder in ("modules", "filter") for file in (ROOT / "plugins" / folder).glob("*.py")}
    assert set(re.findall(rf"\b{role}_\w+", texts(role))) - exported(role) - modules == options(role).keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_layer_has_no_second_name_for_an_input(role: str) -> None:
    """But for what `restore` overrides."""
    aliases = {name for name, value in defaults(role).items() if re.fullmatch(r"\{\{ *mlflow_\w+( *\| *bool)? *\}\}", str(value))}
    assert aliases == ({"rds_engine_version", "rds_kms_key_id"} if role == "rds" else set())


@pytest.mark.parametrize("role", ROLES)
def test_a_layer_uses_inputs_and_what_the_role_mlflow_exports(role: str) -> None:
    inputs = options("mlflow").keys() | {"mlflow_aws", "mlflow_account", "mlflow_backend_store"}
    assert set(re.findall(r"(?<![\w'\"-])mlflow_\w+", texts(role))) <= inputs | exported("mlflow") | {"mlflow_version"}


def test_a_list_or_a_dict_may_be_text_wherever_it_is_used() -> None:
    """What surveys and `-e name='[…]'` give. A key of that name in the team file that `bootstrap` writes is no use."""
    inputs = read(ROOT / "roles/mlflow/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    names = "|".join(name for name, option in inputs.items() if option["type"] in ("dict", "list"))
    taken = re.compile(rf"\b({names})(:|( \| default\([^)]*\))? \| mlplatform\.mlflow_aws\.from_text\b)")
    found = "\n".join(map(texts, (*ROLES, "mlflow")))
    assert len(taken.findall(found)) > 20
    assert re.findall(rf"\b(?:{names})\b.*", taken.sub("", found)) == []


def test_nobody_can_give_what_the_role_mlflow_exports() -> None:
    found = _exported()
    assert {"mlflow_stack_tags", "mlflow_aws_connection", "mlflow_changes"} <= found.keys() <= _not_inputs(found)
    assert "mlflow_changes" not in _not_inputs({**found, "mlflow_changes": []})


def test_playbooks_use_public_names_only() -> None:
    for file in [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "extensions" / "molecule").rglob("*.yml")]:
        assert "__" not in file.read_text(encoding="utf-8"), file


def test_the_plays_of_all_playbooks_begin_alike() -> None:
    """`bootstrap` also uses modules of amazon.aws, which need a connection of their own."""
    heads = []
    for file in PLAYBOOKS:
        (play,) = read(file)
        play["module_defaults"].pop("group/amazon.aws.aws", None)
        heads.append({key: play[key] for key in HEADER})
        assert not {"connection", "become", "remote_user"} & play.keys()  # the vars of an inventory win over these
    assert len(heads) >= 7 and all(head == heads[0] for head in heads)
    own = {name: value for name, value in heads[0]["vars"].items() if name.startswith("ansible_")}
    assert own == {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def test_what_needs_the_lease_gives_it_back() -> None:
    """Whatever a play has changed, it ends with the release of the lease. A plan, `verify`, `policy` and `token` change nothing in AWS and take none."""
    endings = {}
    for file in PLAYBOOKS:
        (play,) = read(file)
        if not play.get("check_mode") and file.stem not in ("policy", "token"):
            endings[file.stem] = play["tasks"][-1]["always"]
    assert len(endings) >= 5 and all(ending == endings["site"] for ending in endings.values())


def test_modules_of_others_leave_the_tags_of_others_where_an_input_says_so() -> None:
    """Ours are given the input by the action group ``tagged``."""
    files = (ROOT / "roles").glob("*/tasks/**/*.yml")
    tasks = [task for file in files for task in re.findall(r"^ *amazon\.aws\.\w+:\n(?: {4,}.*\n)+", file.read_text(encoding="utf-8"), re.MULTILINE)]
    tagging = [task for task in tasks if " tags:" in task]
    assert len(tagging) >= 7
    assert [task for task in tagging if 'purge_tags: "{{ not mlflow_tag_options.ignore_tags }}"' not in task] == []


def imports(file: Path) -> t.Iterator[tuple[str, bool, bool]]:
    """The roles that are imported, in order, also by what the file imports: name, whether with its variables, whether in the file itself."""
    for module, arguments in re.findall(r"^ *ansible\.builtin\.import_(role|tasks):(.*(?:\n +\w+: [^{\n]+)*)", file.read_text(encoding="utf-8"), re.MULTILINE):
        if module == "tasks":
            yield from ((*found[:2], False) for found in imports(file.parent / arguments.split()[0]))
        else:
            options = dict(re.findall(r"(\w+): (\S+)", arguments))
            role = options["name"].rpartition(".")[2]
            assert not defaults(role) or options.get("vars_from") == options.get("defaults_from")
            yield role, options.get("vars_from") != "loaded", True


def test_the_variables_of_a_role_are_loaded_once() -> None:
    """Each import of a role reads and copies its variables, which a play has anyway."""
    files = [*PLAYBOOKS, *(ROOT / "playbooks" / "tasks").glob("*.yml")]
    assert sum(not loads for file in files for _role, loads, _own in imports(file)) > 20
    for file in files:
        found = list(imports(file))
        for n, (role, loads, _own) in enumerate(found):
            assert loads or any(before[:2] == (role, True) for before in found[:n]), f"{file.name}: {role}: nothing has loaded its variables"
        own = [role for role, loads, here in found if loads and here]
        assert len(own) == len(set(own)), file.name
    nested = [found for role in LAYERS for file in (ROOT / "roles" / role / "tasks").glob("*.yml") for found in imports(file)]
    assert nested and not any(loads for _role, loads, _own in nested)


def test_task_names_have_one_verb_for_one_thing() -> None:
    """What a task creates or updates it says to create: the glossary in DEVELOPERS.md."""
    folders = ("roles", "playbooks", "extensions/molecule")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.yml")]
    names = [name for file in files for name in re.findall(r"^ *- name: (?=[A-Z])(.*)", file.read_text(encoding="utf-8"), re.MULTILINE)]
    assert len(names) > 200
    assert [name for name in names if re.match(r"(Make|Ensure|Say|Give the|Take (on|the)|Let|Keep|Forget|Note|Remember|Open|Close|Run the) ", name)] == []
