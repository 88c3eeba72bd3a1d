# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what an IAM policy has to name for models of Amazon Bedrock. Pure."""

from __future__ import annotations

import re
import typing as t

_PROFILE = re.compile(r"(?:us|us-gov|ca|sa|eu|uk|apac|jp|au|in|kr|me|af|il|mx|global)\.(?P<model>.+\..+)")


def model_arns(models: t.Iterable[str], partition: str, region: str, account_id: str) -> list[str]:
    """The ARNs of what models need, each once.

    Each ID of a model becomes the ARN of that foundation model in the region. Each ID of an inference profile, which begins with where it leads, such as
    ``eu.`` or ``global.``, becomes the ARN of the profile in the region, and that of its model in all regions, because Bedrock asks for the model's
    permission in the region where it runs. ``*`` becomes all models in all regions, and all inference profiles of the account in the region. An ARN
    stays as it is.
    """

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
