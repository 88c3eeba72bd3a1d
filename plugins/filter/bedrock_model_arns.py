# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: bedrock_model_arns
version_added: 1.2.0
short_description: Name in an IAM policy what a model of Amazon Bedrock needs
author: mlplatform contributors (@mlplatform)
description:
  - Each ID of a model becomes the ARN of that foundation model in the region.
  - Each ID of an inference profile, which begins with where it leads, such as C(eu.) or C(global.), becomes the ARN of the profile in the region, and
    that of its model in all regions, because Bedrock asks for the model's permission in the region where it runs.
  - V(*) becomes all models in all regions, and all inference profiles of the account in the region.
  - An ARN stays as it is.
positional: partition, region, account_id
options:
  _input:
    description: IDs, which may have C(*) and C(?), and ARNs.
    type: list
    elements: str
    required: true
  partition:
    description: The partition of AWS.
    type: str
    required: true
  region:
    description: The region in which MLflow asks Bedrock.
    type: str
    required: true
  account_id:
    description: The account of inference profiles.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a policy has to name
  ansible.builtin.debug:
    msg: "{{ ['eu.anthropic.claude-sonnet-4-*'] | mlplatform.mlflow_aws.bedrock_model_arns('aws', 'eu-west-1', '123456789012') }}"
"""

RETURN = r"""
_value:
  description: The ARNs, each once.
  type: list
  elements: str
  sample:
    - arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-*
    - arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-*
"""

import re
import typing as t

_PROFILE = re.compile(r"(?:us|us-gov|ca|sa|eu|uk|apac|jp|au|in|kr|me|af|il|mx|global)\.(?P<model>.+\..+)")


def bedrock_model_arns(models: t.Iterable[str], partition: str, region: str, account_id: str) -> list[str]:
    def arn(where: str, account: str, what: str) -> str:
        return f"arn:{partition}:bedrock:{where}:{account}:{what}"

    def arns(model: str) -> list[str]:
        profile = _PROFILE.fullmatch(model)
        if model.startswith("arn:"):
            return [model]
        if model == "*":
            return [
                arn("*", "", "foundation-model/*"),
                *(arn(region, account_id, f"{kind}/*") for kind in ("inference-profile", "application-inference-profile")),
            ]
        if profile:
            return [arn(region, account_id, f"inference-profile/{model}"), arn("*", "", f"foundation-model/{profile['model']}")]
        return [arn(region, "", f"foundation-model/{model}")]

    return list(dict.fromkeys(each for model in models for each in arns(model)))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bedrock_model_arns": bedrock_model_arns}
