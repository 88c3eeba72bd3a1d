# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries import REPEATS
from modules.run_module import ModuleFailed, run_module

MODULE = "lambda_function"
NAME = "team-x-authorizer"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "team-x"}
CONFIGURATION = "UpdateFunctionConfiguration"
CODE = "UpdateFunctionCode"


def make_role(aws, name):
    return aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]


@pytest.fixture
def params(aws, tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return event\n")
    return {
        "name": NAME,
        "source": str(tmp_path),
        "handler": "app.handler",
        "role": make_role(aws, NAME),
        "timeout": 10,
        "description": "Says yes",
        "environment": {"WHO": "x"},
        "logging_config": {"log_group": f"/aws/lambda/{NAME}"},
        "tags": TAGS,
    }


def run(aws, params):
    """The result of a run that its plan foretold to the letter, while the plan itself changed nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(MODULE, params, aws)
    assert result["changes"] == plan["changes"]
    result["operations"] = [call["operation"] for call in aws.mutating(mark)]
    assert bool(result["operations"]) == result["changed"]
    return result


def configuration(aws):
    return aws.client("lambda").get_function(FunctionName=NAME)["Configuration"]


def test_life(aws, params):
    created = run(aws, params)
    assert created["operations"] == ["CreateFunction"]
    there = configuration(aws)
    assert there["Architectures"] == ["arm64"] and there["Runtime"] == "python3.13" and there["Timeout"] == 10
    assert there["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": f"/aws/lambda/{NAME}"}
    assert created["function"]["arn"] == there["FunctionArn"]
    assert created["function"]["invoke_arn"] == (f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{there['FunctionArn']}/invocations")

    mark = aws.mark()
    assert not run_module(MODULE, params, aws)["changed"]
    assert [call["operation"] for call in aws.calls(mark)] == ["GetFunction"]

    absent = {"name": NAME, "tags": TAGS, "state": "absent"}
    assert run(aws, absent)["operations"] == ["DeleteFunction"]
    assert not run(aws, absent)["changed"]


@pytest.mark.parametrize(
    ("change", "fields", "operations"),
    [
        ({"handler": "app.other"}, ["handler"], [CONFIGURATION]),
        ({"timeout": 20}, ["timeout"], [CONFIGURATION]),
        ({"memory_size": 256}, ["memory_size"], [CONFIGURATION]),
        ({"runtime": "python3.14"}, ["runtime"], [CONFIGURATION]),
        ({"description": ""}, ["description"], [CONFIGURATION]),
        ({"environment": {"WHO": "y", "N": 1}}, ["environment.N", "environment.WHO"], [CONFIGURATION]),
        ({"environment": {}}, ["environment"], [CONFIGURATION]),
        ({"logging_config": {"log_group": "/other"}}, ["logging_config.log_group"], [CONFIGURATION]),
        ({"architectures": ["x86_64"]}, ["architectures"], [CODE]),
        ({"architectures": ["x86_64"], "timeout": 20}, ["architectures", "timeout"], [CODE, CONFIGURATION]),
        ({"tags": {**TAGS, "team": "x"}}, ["tags.team"], ["TagResource"]),
    ],
)
def test_one_change(aws, params, change, fields, operations):
    run(aws, params)
    changed = run(aws, params | change)
    (line,) = changed["changes"]
    assert line["action"] == "update"
    assert sorted(f["name"] for f in line["fields"]) == sorted(fields)
    assert changed["operations"] == operations
    assert not run(aws, params | change)["changed"]


def test_code_that_changed_is_deployed(aws, params, tmp_path):
    run(aws, params)
    before = configuration(aws)["CodeSha256"]
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return 1\n")
    assert run(aws, params)["operations"] == [CODE]
    assert configuration(aws)["CodeSha256"] != before


def test_what_was_changed_by_hand_is_put_back(aws, params):
    run(aws, params)
    before, lambda_ = configuration(aws), aws.client("lambda")
    layer = lambda_.publish_layer_version(LayerName="theirs", Content={"ZipFile": b"PK\x05\x06" + b"\0" * 18})
    lambda_.update_function_configuration(
        FunctionName=NAME,
        Timeout=3,
        Environment={"Variables": {"WHO": "me"}},
        Layers=[layer["LayerVersionArn"]],
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        KMSKeyArn="arn:aws:kms:eu-west-1:123456789012:key/x",
    )
    (line,) = run(aws, params)["changes"]
    assert {f["name"].partition(".")[0] for f in line["fields"]} == {"timeout", "environment", "layers", "subnet_ids", "kms_key_arn"}
    after = configuration(aws)
    assert (after["Timeout"], after["Environment"]) == (before["Timeout"], before["Environment"])
    assert not after.get("Layers") and not after.get("KMSKeyArn") and not after["VpcConfig"]["SubnetIds"]
    assert not run(aws, params)["changed"]


@pytest.mark.parametrize(("times", "asked"), [(REPEATS, 1), (REPEATS + 2, 3)])
def test_a_role_that_lambda_does_not_know_yet_is_waited_for(aws, params, monkeypatch, times, asked):
    """First without reading anything again, which costs calls, then by starting over."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    refusal = {"code": "InvalidParameterValueException", "message": "The role defined for the function cannot be assumed by Lambda."}
    aws.faults({"service": "lambda", "operation": "CreateFunction", "times": times, "error": {**refusal, "status": 400}})
    assert run_module(MODULE, params, aws)["changed"]
    operations = Counter(call["operation"] for call in aws.calls())
    assert (operations["CreateFunction"], operations["GetFunction"]) == (times + 1, asked)


def test_what_is_to_be_removed_and_is_not_found_is_read_again_at_once(aws, params, monkeypatch):
    run_module(MODULE, params, aws)
    paused = []
    monkeypatch.setattr("time.sleep", paused.append)
    gone = {"code": "ResourceNotFoundException", "message": "Function not found: x", "status": 404}
    aws.faults({"service": "lambda", "operation": "DeleteFunction", "times": 1, "error": gone})
    mark = aws.mark()
    assert run_module(MODULE, {"name": NAME, "tags": TAGS, "state": "absent"}, aws)["changed"]
    operations = Counter(call["operation"] for call in aws.calls(mark))
    assert (operations["DeleteFunction"], operations["GetFunction"], len(paused)) == (2, 2, 1)


def denied(aws, params, why="", **more):
    """The result of a run that may not pass its role, or why it failed; and how often it asked for the function."""
    message = f"User: u is not authorized to perform: iam:PassRole on resource: {params['role']}{why}"
    aws.faults({"service": "lambda", "operation": "CreateFunction", "error": {"code": "AccessDeniedException", "message": message}, **more})
    mark = aws.mark()
    try:
        result = str(run_module(MODULE, params, aws)["changed"])
    except ModuleFailed as failure:
        result = str(failure)
    return result, [call["operation"] for call in aws.calls(mark)].count("CreateFunction")


def test_iam_may_deny_to_pass_a_role_that_it_does_not_know_everywhere_yet(aws, params, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert denied(aws, params, times=2) == ("True", 3)


def test_passing_a_role_is_denied_at_once_where_iam_knows_it_or_somebody_has_set_a_deny(aws, params, monkeypatch):
    refused, asked = denied(aws, params, " with an explicit deny in a service control policy")
    assert "u may not iam:PassRole" in refused and asked == 1
    monkeypatch.setattr("ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.retries.NEW_ROLE", -1)
    refused, asked = denied(aws, params)
    assert "u may not iam:PassRole" in refused and asked == 1


def test_a_function_of_somebody_else_is_left_alone(aws, params):
    run(aws, {**params, "tags": {}})
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match="is not of this stack"):
        run_module(MODULE, params, aws)
    assert "is kept" in str(run_module(MODULE, {"name": NAME, "tags": TAGS, "state": "absent"}, aws)["warnings"])
    assert aws.mutating(mark) == []


def test_a_directory_without_files_is_refused(aws, params):
    with pytest.raises(ModuleFailed, match="no file to package"):
        run_module(MODULE, {**params, "source": params["source"] + "/none"}, aws)


def test_plan_with_a_role_that_does_not_exist_yet(aws, params):
    plan = run_module(MODULE, {**params, "role": "(known after apply)"}, aws, check=True)
    assert plan["changed"] and plan["function"] == run_module(MODULE, params, aws)["function"]


def test_its_role_and_its_log_group_come_before_it_and_go_after_it(aws, params):
    group = f"/aws/lambda/{NAME}"
    trust, policy = (
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **of}]}
        for of in ({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}, {"Action": "logs:PutLogEvents", "Resource": "*"})
    )
    role = {"name": "own-role", "assume_role_policy": trust, "inline_policies": {"logs": policy}}
    del params["role"]
    whole = {**params, "execution_role": role, "log_group": {"name": group, "retention_in_days": 30}}
    created = run(aws, whole)
    kinds = ["logs_log_group", "iam_role", "iam_role_policy", "lambda_function"]
    assert [(change["action"], change["kind"]) for change in created["changes"]] == [("create", kind) for kind in kinds]
    order = created["operations"]
    assert order.index("CreateRole") < order.index("CreateFunction") > order.index("CreateLogGroup") and configuration(aws)["Role"].endswith(":role/own-role")
    assert not run(aws, whole)["changed"]
    gone = run(aws, {**whole, "state": "absent"})
    assert [change["kind"] for change in gone["changes"]] == ["lambda_function", "iam_role", "iam_role_policy", "logs_log_group"]
    assert gone["operations"][0] == "DeleteFunction" and sorted(gone["operations"][1:]) == ["DeleteLogGroup", "DeleteRole", "DeleteRolePolicy"]
    assert not run(aws, {**whole, "state": "absent"})["changed"]
