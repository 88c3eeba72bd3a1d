# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import urllib.request

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import NO_CREDENTIALS, authorization, opener, probe, signature


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


def test_requests_are_signed_as_mlflows_client_signs_them(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    assert signature({}, "eu-west-1") is None and signature({"MLFLOW_TRACKING_AWS_SIGV4": "false"}, "eu-west-1") is None
    signing = signature({"MLFLOW_TRACKING_AWS_SIGV4": "true"}, "eu-west-1")
    sent = []

    class Answering(urllib.request.HTTPSHandler):
        def https_open(self, request):
            sent.append(request)
            raise OSError("enough")

    way = urllib.request.build_opener(Answering, signing)
    (name, (status, _detail)), *_others = probe("https://mlflow.api.example.com", "", way)
    assert (name, status) == ("API: /health", "skipped")
    headers = {key.lower(): value for key, value in sent[0].header_items()}
    assert re.match(r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-", headers["authorization"])
    assert headers["x-amz-security-token"] == "session" and "x-amz-date" in headers
