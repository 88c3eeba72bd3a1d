# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what all checks of preflight that ask AWS have in common."""

from __future__ import annotations

import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import Names, names_of
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs, Problem

Problems = t.Iterator[Problem]
Check = tuple[t.Callable[..., Problems], tuple[t.Any, ...], tuple[str, ...]]
"""A check with its arguments and the inputs without which it cannot be made."""
CACHE = "mlflow_service_image_mirror_secret_arn"


class Checks:
    """Checks of one subject. Each is a generator of problems and may take for granted that its inputs are there."""

    def __init__(self, aws: Aws, inputs: Inputs) -> None:
        self.aws, self.inputs = aws, inputs

    def checks(self) -> list[Check]:
        """Those to make before a stack is deployed or restored."""
        return []

    @property
    def names(self) -> Names:
        return names_of(self.inputs, self.aws.account_id, self.aws.region)

    def is_of_another_account(self, arn: str) -> bool:
        return arn.split(":")[4] != self.aws.account_id

    def problem(self, name: str, remedy: str) -> Problem:
        return Problem(name, self.inputs.get(name), remedy)
