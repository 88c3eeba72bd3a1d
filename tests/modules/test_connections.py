# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that asks for much at the same time opens a few connections to a service, and uses them again."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.hooks import CONNECTIONS
from modules.run_module import run_module

ROLES = [{"name": f"r{number}", "assume_role_policy": {"Statement": []}} for number in range(8)]


def test_few_connections_serve_many_calls(aws):
    aws.latency(20)
    before, since = aws.connections().get("iam", 0), aws.mark()
    run_module("iam_roles", {"roles": ROLES}, aws)
    calls = [call for call in aws.calls(since) if call["service"] == "iam"]
    assert len(calls) >= 16
    aws.latency(0)
    assert aws.connections()["iam"] - before <= CONNECTIONS
