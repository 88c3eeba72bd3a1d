# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the inputs, as the role ``mlflow`` declares them."""

from __future__ import annotations

import typing as t
from functools import cache
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Spec

ROLES = Path(__file__).parents[2] / "roles"


@cache
def input_spec() -> Spec:
    """The inputs as the role ``mlflow`` declares them, each description as a list of strings, with the defaults."""
    options = read_yaml(ROLES / "mlflow/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    for option in options.values():
        if isinstance(option["description"], str):
            option["description"] = [option["description"]]
    for name, default in read_yaml(ROLES / "mlflow/defaults/main.yml").items():
        options[name]["default"] = default
    return options


def read_yaml(file: Path) -> dict[str, t.Any]:
    return yaml_load(file.read_text(encoding="utf-8"))
