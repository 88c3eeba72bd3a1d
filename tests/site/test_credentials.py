# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that cannot be had are told on one line, with what to do, in the worker and in processes; whatever an inventory says of its
hosts, all is done on this machine and by this user.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest
from support.stack import Stack, run_ansible

CONFIG = """
[profile keys]
aws_access_key_id = testing
aws_secret_access_key = testing
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/x
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = keys
[profile missing]
credential_process = /nowhere/credentials
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
"""
SSO_TOKEN = {"startUrl": "https://corp.awsapps.com/start", "region": "eu-west-1", "accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z"}
TOLD = {
    "mfa": "the profile asks for an MFA code (Enter MFA code for arn:aws:iam::123456789012:mfa/me), and a run asks nobody: get a session that has MFA",
    "missing": "credential_process cannot be run: No such file or directory: /nowhere/credentials: correct credential_process",
    "sso": "Token has expired and refresh failed: sign in to AWS again",
    "nobody": "The config profile (nobody) could not be found: give mlflow_aws_profile the name of a profile",
}


@pytest.mark.parametrize("in_worker", [True, pytest.param(False, marks=pytest.mark.faults)], ids=["in the worker", "in processes of their own"])
@pytest.mark.parametrize("profile", TOLD)
def test_credentials_that_cannot_be_had_are_told_on_one_line(stack: Stack, profile: str, in_worker: bool) -> None:
    (stack.folder / "config").write_text(CONFIG, encoding="utf-8")
    cache = stack.folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'corp').hexdigest()}.json").write_text(json.dumps(SSO_TOKEN), encoding="utf-8")
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    environment = {**nothing, "AWS_CONFIG_FILE": str(stack.folder / "config"), "HOME": str(stack.folder)}
    for given in ({"environment": environment, "mlflow_aws_profile": profile}, {"environment": {**environment, "AWS_PROFILE": profile}}):
        run = stack.run("plan", mlflow_run_in_worker=in_worker, **given)
        assert (run.status, run.calls) == (2, [])
        (message,) = run.messages
        said, problem = message.splitlines()
        assert said == "Nothing was changed. 1 problem to solve first." and TOLD[profile] in problem
        assert "Traceback" not in run.text


INVENTORY: dict[str, t.Any] = {
    "all": {
        "vars": {
            "ansible_connection": "ssh",
            "ansible_host": "192.0.2.1",
            "ansible_user": "nobody",
            "ansible_become": True,
            "ansible_become_user": "root",
            "ansible_become_method": "su",
            "ansible_python_interpreter": "/nowhere/python3",
        },
        "children": {"mlflow": {"hosts": {"team-x": {}}}},
    }
}


def test_how_an_inventory_reaches_its_hosts_does_not_matter(stack: Stack) -> None:
    inventory = json.loads(json.dumps(INVENTORY))
    inventory["all"]["children"]["mlflow"]["hosts"]["team-x"] = stack.inputs
    (stack.folder / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    command = [part for part in stack.command("plan", "-i", "inventory.json") if part not in ("-e", "@team.yml")]
    run = run_ansible(stack.aws, stack.folder, command)
    assert run.status == 0, run.messages or run.text
    assert len(run.changes) > 30 and not [call for call in run.calls if call["mutating"]]
