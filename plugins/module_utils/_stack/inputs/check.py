# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: checks the inputs of a team file."""

from __future__ import annotations

import contextlib
import difflib
import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.combinations import problems_together
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.rules import problem_with
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem, Spec, from_text, typed

BOOTSTRAP_NEEDS = ("mlflow_unique_name", "mlflow_record_name", "mlflow_zone_name", "mlflow_api_zone_name")
"""What ``bootstrap`` cannot do without; the other required inputs are what it makes."""

POLICY_USES = (
    "mlflow_policy_",
    "mlflow_aws_account_id",
    "mlflow_aws_region",
    "mlflow_dns_assume_role_arn",
    "mlflow_iam_role_path",
    "mlflow_permissions_boundary_arn",
)
"""How the inputs begin that the playbook ``policy`` uses."""

TOKEN_NEEDS = ("mlflow_aws_cognito_user_pool_arn", "mlflow_api_client_ids")
"""What the playbook ``token`` cannot do without, beside the name of the stack."""

OF_ZONES = ("mlflow_zone_id", "mlflow_api_zone_id")
"""What nobody needs who manages the DNS records elsewhere."""


def unknown_names(names: t.Iterable[str], known: t.Collection[str]) -> list[Problem]:
    """A problem for each name that is meant to be an input and is none, with the nearest one that is."""
    problems = []
    for name in sorted(set(names) - set(known)):
        prefix, _sep, rest = name.lower().partition("_")
        if prefix == "mlflow":
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        elif f"mlflow_{rest}" in known and difflib.SequenceMatcher(None, prefix, "mlflow").ratio() > 0.75:
            nearest = f"mlflow_{rest}"
        else:
            continue
        problems.append(Problem(name, None, f"there is no such input; did you mean {nearest}?"))
    return problems


def check(given: Inputs, spec: Spec, *, bootstrap: bool = False) -> tuple[Inputs, list[Problem]]:
    """The inputs in their types, and all that is wrong with them. A value with a problem is not in the result."""
    values: Inputs = {}
    problems: list[Problem] = []
    needless: tuple[str, ...] = ()
    with contextlib.suppress(ValueError):
        needless = () if typed(given.get("mlflow_manage_dns", True), {"type": "bool"}) else OF_ZONES
    for name, option in spec.items():
        value = _structured(given.get(name), option)
        required = option.get("required")
        needed = required and (not bootstrap or name in BOOTSTRAP_NEEDS) and name not in needless
        if value is None and name not in given and not needed:
            continue
        if needed and (value is None or value == ""):
            problems.append(Problem(name, None, f"is missing: {_plain(option['description'][0])}"))
        elif required and (value is None or value == ""):  # what bootstrap makes, or nobody needs
            continue
        elif value == "" and option.get("default") == "":
            values[name] = value
        else:
            problem = problem_with(name, value, option)
            if problem:
                problems.append(problem)
            else:
                values[name] = typed(value, option)
    return values, problems + list(problems_together(values, bootstrap=bootstrap))


def _structured(value: t.Any, option: dict[str, t.Any]) -> t.Any:
    """The value, a list or a dict where it is the text of one. Other text is left, to be told as a wrong type."""
    if option.get("type") in ("list", "dict"):
        with contextlib.suppress(ValueError):
            return from_text(value)
    return value


def check_policy(given: Inputs, spec: Spec) -> list[Problem]:
    """What is wrong with the inputs of the playbook ``policy``, which needs nothing else of a team file."""
    own = {name: option for name, option in spec.items() if name.startswith(POLICY_USES)}
    values, problems = check(given, own, bootstrap=True)
    told = {problem.variable for problem in problems}
    for name, general in (("mlflow_policy_account_id", "mlflow_aws_account_id"), ("mlflow_policy_region", "mlflow_aws_region")):
        if not (values.get(name) or values.get(general) or told & {name, general}):
            problems.append(Problem(name, None, f"is missing: {_plain(spec[name]['description'][0].partition('. ')[0])}"))
    return problems


def check_token(given: Inputs, spec: Spec) -> list[Problem]:
    """What is wrong with the inputs of the playbook ``token``, which needs nothing else of a team file."""
    own = {name: option for name, option in spec.items() if name in ("mlflow_unique_name", "mlflow_token_path", *TOKEN_NEEDS)}
    values, problems = check(given, own, bootstrap=True)
    told = {problem.variable for problem in problems}
    missing = (name for name in TOKEN_NEEDS if not values.get(name) and name not in told)
    return problems + [Problem(name, None, f"is missing: {_plain(spec[name]['description'][0].partition('. ')[0])}") for name in missing]


def _plain(description: str) -> str:
    """A description without Ansible's markup."""
    return re.sub(r"\b[A-Z]\(([^)]*)\)", r"\1", description).rstrip(".")
