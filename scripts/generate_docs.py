# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the docs have from the code: the table of the inputs in docs/inputs.md and the survey of AWX, from the argument spec and the
defaults of the role mlflow; docs/iam-policy-*.json, and their table in docs/security.md.

With --check, change nothing and fail where something is not up to date.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.documents import documents, explained
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import Scope

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = DOCS / "inputs.md"
SECURITY = DOCS / "security.md"
SURVEY = DOCS / "awx-survey.json"
ROLE = ROOT / "roles" / "mlflow"
BEGIN, END = "<!-- inputs: written by scripts/generate_docs.py -->", "<!-- end of inputs -->"
NOT_ASKED = (
    "mlflow_backup_",
    "mlflow_bootstrap_",
    "mlflow_confirm_",
    "mlflow_first_",
    "mlflow_import_",
    "mlflow_policy_",
    "mlflow_restore_",
    "mlflow_run_in_worker",
    "mlflow_token_",
)
"""How inputs begin that have no part in a deployment."""
QUESTIONS = {"int": "integer", "float": "float", "list": "textarea", "dict": "textarea"}
"""The type of a question by that of its input. Any other is text, or a choice. No input is a password: secrets are given by their ARNs."""
LENGTHS = {"text": 1024, "textarea": 65536}


def cell(text: str) -> str:
    """Ansible's markup as Markdown, safe in a table."""
    text = re.sub(r"\b[CVO]\((.*?)\)", r"`\1`", text)
    return text.replace("|", "\\|")


def inputs() -> tuple[dict[str, dict[str, t.Any]], dict[str, t.Any]]:
    """The inputs as they are declared, and the defaults of those that have one."""
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return options, yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))


def sentences(option: dict[str, t.Any]) -> str:
    description = option["description"]
    return " ".join(description) if isinstance(description, list) else str(description)


def table() -> str:
    options, defaults = inputs()
    rows = ["| input | type | default | meaning |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = f"list of {option['elements']}" if option["type"] == "list" else option["type"]
        if option.get("choices"):
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        if option.get("required"):
            default = "**required**"
        elif "{{" in str(defaults[name]) or defaults[name] in ("", [], {}):
            default = ""
        else:
            default = f"`{str(defaults[name]).lower() if isinstance(defaults[name], bool) else defaults[name]}`"
        rows.append(f"| `{name}` | {kind} | {default} | {cell(sentences(option))} |")
    return "\n".join(rows)


def question(name: str, option: dict[str, t.Any], default: t.Any) -> dict[str, t.Any]:
    """What AWX asks for one input. The default is the input's own, because what nobody answers is given as well."""
    choices = option.get("choices") or (["true", "false"] if option["type"] == "bool" else [])
    if option.get("choices") and default == "":  # none of them is one too, which AWX has no choice for
        choices = []
    kind = "multiplechoice" if choices else QUESTIONS.get(option["type"], "text")
    asked = {
        "question_name": name,
        "question_description": re.sub(r"\b[CVOM]\((.*?)\)", r"\1", sentences(option)),
        "variable": name,
        "type": kind,
        "required": bool(option.get("required")),
        "choices": choices,
        "min": 0 if kind in LENGTHS else None,
        "max": LENGTHS.get(kind),
    }
    if option.get("required"):
        return asked
    return {**asked, "default": json.dumps(default) if isinstance(default, (bool, dict, list)) else default}


def survey() -> str:
    """The survey of a job template that deploys one stack. An input whose default is worked out from others is not asked for."""
    options, defaults = inputs()
    asked = {name: option for name, option in options.items() if not name.startswith(NOT_ASKED) and "{{" not in str(defaults.get(name))}
    spec = [question(name, option, defaults.get(name)) for name, option in asked.items()]
    return json.dumps({"name": "MLflow on AWS", "description": "The inputs of one stack", "spec": spec}, indent=2, ensure_ascii=False) + "\n"


def policies() -> dict[Path, str]:
    """The policy documents of the caller, as the playbook ``policy`` writes them for these names."""
    scope = Scope("mlflow-", "123456789012", "eu-west-1")
    return {DOCS / f"{name}.json": json.dumps(document, indent=2) + "\n" for name, document in documents(scope).items()}


def statements() -> str:
    """The statements that reach further than what is the stack's, with the reason."""
    rows = ["| document | statement | why it reaches further |", "|---|---|---|"]
    rows += [f"| `{name.removeprefix('iam-policy-')}` | `{each.sid}` | {cell(each.why)} |" for name, each in explained()]
    return "\n".join(rows)


def between(path: Path, begin: str, end: str, new: str) -> str:
    """A page with something new between two of its comments."""
    text = path.read_text(encoding="utf-8")
    return f"{text[: text.index(begin) + len(begin)]}\n{new}\n{text[text.index(end) :]}"


def main() -> int:
    written = {
        PAGE: between(PAGE, BEGIN, END, table()),
        SECURITY: between(SECURITY, "<!-- statements: written by scripts/generate_docs.py -->", "<!-- end of statements -->", statements()),
        SURVEY: survey(),
        **policies(),
    }
    old = [path for path, new in written.items() if not path.exists() or path.read_text(encoding="utf-8") != new]
    for path in old:
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is not up to date: run scripts/generate_docs.py")
        else:
            path.write_text(written[path], encoding="utf-8")
    return int("--check" in sys.argv and bool(old))


if __name__ == "__main__":
    sys.exit(main())
