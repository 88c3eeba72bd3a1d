# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wrong with a profile, a session of ours raises an error of botocore's, and asks nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.credentials import UnattendedSession
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.remedies import use
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.remedies import REMEDIES
from botocore.exceptions import BotoCoreError

use(REMEDIES)  # as the modules do

EXPIRED = '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "2020-01-01T00:00:00Z"}'
PROFILES = {
    "mfa": "role_arn = arn:aws:iam::123456789012:role/x\nmfa_serial = arn:aws:iam::123456789012:mfa/me\nsource_profile = keys",
    "failing": "credential_process = sh -c 'echo please sign in; echo to corp >&2; exit 3'",
    "missing": "credential_process = /nowhere/credentials",
    "no-command": "credential_process = sh -c '",
    "no-json": "credential_process = echo hello",
    "expired": f"credential_process = echo '{EXPIRED}'",
    "no-source": "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = nobody",
    "half": "aws_access_key_id = a",
    "sso": "sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev",
}
TOLD = (
    ("mfa", "the profile asks for an MFA code (Enter MFA code for arn:aws:iam::123456789012:mfa/me)", "get a session that has MFA first"),
    ("failing", "Error when retrieving credentials from custom-process: to corp: ", "sign in to AWS again"),
    ("missing", "credential_process cannot be run: No such file or directory: /nowhere/credentials", "correct credential_process"),
    ("no-command", "credential_process is no command, or what it writes is no JSON", "correct credential_process"),
    ("no-json", "credential_process is no command, or what it writes is no JSON", "correct credential_process"),
    ("expired", "what it writes has expired, at 2020-01-01T00:00:00Z", "sign in to AWS again"),
    ("no-source", 'The source_profile "nobody" referenced in the profile "no-source" does not exist', "correct the AWS configuration files"),
    ("half", "missing: aws_secret_access_key", "sign in to AWS again"),
    ("sso", "Token for corp does not exist", "sign in to AWS again"),
    ("nobody", "The config profile (nobody) could not be found", "give mlflow_aws_profile the name of a profile"),
)


@pytest.mark.parametrize(("profile", "reason", "remedy"), TOLD, ids=[profile for profile, *_told in TOLD])
def test_a_profile_that_gives_no_credentials_is_told_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, reason: str, remedy: str
) -> None:
    session = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
    sections = "".join(f"[profile {name}]\n{lines}\n" for name, lines in PROFILES.items())
    config = tmp_path / "config"
    config.write_text(f"[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n{session}{sections}", encoding="utf-8")
    for name, value in {"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "none", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BotoCoreError) as raised:
        session = UnattendedSession()
        session.set_config_variable("profile", profile)
        session.create_client("sts", region_name="eu-west-1", endpoint_url="http://127.0.0.1:9").get_caller_identity()
    told = explain(raised.value)
    assert reason in told and remedy in told and "\n" not in told
