# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import NO_CREDENTIALS, authorization, opener, probe


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        ({"MLFLOW_TRACKING_USERNAME": "ci"}, None),
        ({"MLFLOW_TRACKING_USERNAME": "ci", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"}, "Basic Y2k6cA=="),
    ],
)
def test_the_callers_credentials_are_taken_as_mlflow_takes_them(environment, header):
    assert authorization(environment) == header


def test_what_is_not_tried_is_said():
    assert {outcome for _name, outcome in probe("http://127.0.0.1:1", None)} == {("skipped", NO_CREDENTIALS)}
    outcomes = [outcome for _name, outcome in probe("http://127.0.0.1:1", "Bearer t")]
    assert len(outcomes) == 4 and {status for status, _detail in outcomes} == {"skipped"}
    assert all("cannot be reached from here" in detail and "refused" in detail for _status, detail in outcomes)


def test_a_host_is_reached_at_another_address_and_proves_its_own_name(monkeypatch):
    reached, proven = [], []

    class Context:
        def wrap_socket(self, plain, server_hostname):
            proven.append((plain, server_hostname))
            raise OSError("enough")

    monkeypatch.setattr("ssl.create_default_context", Context)
    monkeypatch.setattr("socket.create_connection", lambda address, *_more: reached.append(address) or "plain")
    way = opener({"mlflow.example.com": "x.elb.amazonaws.com"})
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(OSError, match="enough"):
        way.open("https://mlflow.example.com/health", timeout=1)
    assert (reached, proven) == ([("x.elb.amazonaws.com", 443)], [("plain", "mlflow.example.com")])
