#!/usr/bin/python
# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cognito_token
version_added: 1.2.0
short_description: Get an access token of a Cognito user pool
author: mlplatform contributors (@mlplatform)
description:
  - Signs in with the user name and the password in the environment (E(MLFLOW_TOKEN_USERNAME) and E(MLFLOW_TOKEN_PASSWORD)), and writes the access
    token to a file that only its owner may read. Neither is an option, which Ansible might show, nor is the token in the result.
  - Takes no AWS credentials. The app client has to allow C(USER_PASSWORD_AUTH), and to have no secret.
options:
  client_id:
    description: ID of the app client.
    type: str
    required: true
  path:
    description: File for the token. It gets the mode 0600, and is replaced as a whole.
    type: path
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - mlplatform.mlflow_aws.attributes
attributes:
  check_mode:
    support: full
    description: It signs nobody in.
  diff_mode:
    support: none
    description: The token is a secret.
"""

EXAMPLES = r"""
- name: Get a token for MLFLOW_TRACKING_TOKEN
  mlplatform.mlflow_aws.cognito_token:
    client_id: 1h57kf5cpq17m0eml12EXAMPLE
    path: mlflow-team-x.token
"""

RETURN = r"""
path:
  description: The file with the token.
  type: str
  returned: success
expires_in:
  description: Seconds for which the token is valid.
  type: int
  returned: success, except in check mode
  sample: 3600
"""

import os
import tempfile
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError, error_code

USERNAME = "MLFLOW_TOKEN_USERNAME"
PASSWORD = "MLFLOW_TOKEN_PASSWORD"
REMEDIES = {
    "NotAuthorizedException": f"check {USERNAME} and {PASSWORD}, and that the app client has no secret",
    "UserNotFoundException": f"check {USERNAME}",
    "PasswordResetRequiredException": "sign in to the UI once, which asks for a new password",
    "UserNotConfirmedException": "sign in to the UI once, which asks for the confirmation code",
    "InvalidParameterException": "give an app client that allows USER_PASSWORD_AUTH",
    "ResourceNotFoundException": "check the ID of the app client, and the region",
    "TooManyRequestsException": "wait a minute, and run the same command again",
}
CHALLENGES = {"NEW_PASSWORD_REQUIRED": "the account still has its temporary password: sign in to the UI once, which asks for a new one"}
SECOND_FACTOR = "Cognito asks for {challenge}, which a program cannot answer: use HTTP Basic (mlflow_api_credentials_secret_arn)"


class NoToken(Exception):
    """Why there is none, and what to do."""


def sign_in(cognito: t.Any, client_id: str, username: str, password: str) -> dict[str, t.Any]:
    """Cognito's AuthenticationResult."""
    try:
        answer = cognito.initiate_auth(ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": username, "PASSWORD": password})
    except (ClientError, BotoCoreError) as error:
        code = error_code(error)
        if not code:
            raise NoToken(f"Cognito cannot be reached: {error}") from None
        remedy = REMEDIES.get(code, "run the same command again")
        raise NoToken(f"Cognito answered {code}: {error.response['Error'].get('Message', '').rstrip('.')}: {remedy}") from None
    challenge = answer.get("ChallengeName")
    if challenge:
        raise NoToken(CHALLENGES.get(challenge, SECOND_FACTOR.format(challenge=challenge)))
    return answer["AuthenticationResult"]


def write_private(path: str, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=f".{os.path.basename(path)}.")  # with the mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"client_id": {"type": "str", "required": True}, "path": {"type": "path", "required": True}}, supports_check_mode=True
    )
    path, username, password = module.params["path"], os.environ.get(USERNAME, ""), os.environ.get(PASSWORD, "")
    if not (username and password):
        module.fail_json(msg=f"{USERNAME} and {PASSWORD} have to be set in the environment: read -rs {PASSWORD}; export {USERNAME}=<name> {PASSWORD}")
    if module.check_mode:
        module.exit_json(changed=True, path=path)
    try:
        result = sign_in(Aws(module).client("cognito-idp"), module.params["client_id"], username, password)
        write_private(path, result["AccessToken"])
    except NoToken as error:
        module.fail_json(msg=f"There is no token: {error}.")
    except OSError as error:
        module.fail_json(msg=f"{path}: the token cannot be written: {error.strerror}")
    module.exit_json(changed=True, path=path, expires_in=result["ExpiresIn"])


if __name__ == "__main__":
    main()
