# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest
from modules.run_module import ModuleFailed, run_module

MODULE = "secretsmanager_secret"
OWNER = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "x"}
GIVEN = {"name": "x-uri", "description": "A URI", "value": "s3cr3t-ä", "tags": {**OWNER, "team": "x"}, "marker": {"for": "7"}}


def run(aws, params, **changes):
    """The result of a run, after a check run has changed nothing and announced the same."""
    params = {**params, **changes}
    since = aws.mark()
    planned = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(since) == []
    result = run_module(MODULE, params, aws)
    assert planned["changes"] == result["changes"]
    for value in (GIVEN["value"], params.get("value")):
        assert value is None or value not in json.dumps([planned, result], ensure_ascii=False)
    return planned, result


def mutations(aws, since):
    return [call["operation"] for call in aws.mutating(since)]


def value_of(aws, name="x-uri"):
    return aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]


def test_create_again_absent_again(aws):
    planned, result = run(aws, GIVEN)
    assert planned["secret"] == {"arn": "(known after apply)", "name": "x-uri", "version_id": "(known after apply)"}
    description = aws.client("secretsmanager").describe_secret(SecretId="x-uri")
    assert result["secret"]["arn"] == description["ARN"]
    assert list(description["VersionIdsToStages"]) == [result["secret"]["version_id"]]
    assert {tag["Key"]: tag["Value"] for tag in description["Tags"]} == {**GIVEN["tags"], "for": "7"}
    assert value_of(aws) == GIVEN["value"]

    since = aws.mark()
    _ignored, again = run(aws, GIVEN)
    assert not again["changed"] and again["secret"] == result["secret"] and mutations(aws, since) == []

    planned, gone = run(aws, GIVEN, state="absent", recovery_window_in_days=7)
    assert gone["secret"] == {} and [change["action"] for change in gone["changes"]] == ["delete"]
    since = aws.mark()
    _ignored, again = run(aws, GIVEN, state="absent")
    assert not again["changed"] and mutations(aws, since) == []


@pytest.mark.parametrize(
    ("change", "fields", "operations"),
    [
        ({"value": "0ther-s3cr3t"}, ["value"], ["UpdateSecret"]),
        ({"description": "Another"}, ["description"], ["UpdateSecret"]),
        ({"kms_key_id": "alias/mine"}, ["kms_key_id"], ["UpdateSecret"]),
        ({"marker": {"for": "8"}}, ["tags.for"], ["TagResource"]),
        ({"marker": {}}, ["tags.for"], ["UntagResource"]),
        ({"tags": {**OWNER, "team": "y"}}, ["tags.team"], ["TagResource"]),
        ({"value": "0ther-s3cr3t", "description": "Another"}, ["description", "value"], ["UpdateSecret"]),
    ],
)
def test_change(aws, change, fields, operations):
    _ignored, before = run(aws, GIVEN)
    since = aws.mark()
    planned, result = run(aws, GIVEN, **change)
    assert [field["name"] for field in result["changes"][0]["fields"]] == fields
    assert mutations(aws, since) == operations
    new_value = "value" in change
    assert (planned["secret"]["version_id"] == "(known after apply)") is new_value
    assert (result["secret"]["version_id"] != before["secret"]["version_id"]) is new_value
    _ignored, again = run(aws, GIVEN, **change)
    assert not again["changed"] and again["secret"] == result["secret"]


def test_a_value_changed_by_hand_is_put_back(aws):
    run(aws, GIVEN)
    aws.client("secretsmanager").put_secret_value(SecretId="x-uri", SecretString="by hand")
    run(aws, GIVEN)
    assert value_of(aws) == GIVEN["value"]


GENERATED = {"name": "x-keys", "generate": {"flask": "hex32", "webhook": "fernet"}, "tags": OWNER}


def test_unknown_kind(aws):
    with pytest.raises(ModuleFailed, match="a kind is one of hex16, hex32, fernet"):
        run_module(MODULE, {**GENERATED, "generate": {"a": "md5"}}, aws)


def test_generated_once(aws):
    _ignored, result = run(aws, GENERATED)
    value = json.loads(value_of(aws, "x-keys"))
    assert len(bytes.fromhex(value["flask"])) == 32 and len(base64.urlsafe_b64decode(value["webhook"])) == 32
    assert value["flask"] not in json.dumps(result)
    _ignored, again = run(aws, GENERATED, generate={"other": "hex32"})
    assert not again["changed"] and json.loads(value_of(aws, "x-keys")) == value


def test_a_secret_scheduled_for_deletion_is_taken_up_again(aws):
    run(aws, GENERATED)
    value = value_of(aws, "x-keys")
    run(aws, GENERATED, state="absent", recovery_window_in_days=7)
    _ignored, result = run(aws, GENERATED)
    assert [field["name"] for field in result["changes"][0]["fields"]] == ["scheduled_for_deletion"]
    assert value_of(aws, "x-keys") == value
    run(aws, GIVEN)
    run(aws, GIVEN, state="absent", recovery_window_in_days=7)
    run(aws, GIVEN, value="an0ther")
    assert value_of(aws) == "an0ther"


def test_deleted_for_good(aws):
    run(aws, GENERATED)
    _ignored, result = run(aws, GENERATED, state="absent", recovery_window_in_days=0)
    assert result["changes"][0]["warnings"] == ["the value is deleted at once and for good"]
    assert aws.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"] == []


def test_somebody_elses_secret_is_left_alone(aws):
    aws.client("secretsmanager").create_secret(Name="x-uri", SecretString="theirs")
    since = aws.mark()
    with pytest.raises(ModuleFailed, match="not of this stack"):
        run_module(MODULE, GIVEN, aws)
    result = run_module(MODULE, {**GIVEN, "state": "absent"}, aws)
    assert not result["changed"] and mutations(aws, since) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recovery_window_in_days": 3, "state": "absent"}, "neither 0 nor from 7 to 30"),
        ({"generate": {"a": "hex32"}}, "mutually exclusive"),
        ({"value": None}, "one of value and generate"),
    ],
)
def test_bad_options(aws, change, message):
    with pytest.raises(ModuleFailed, match=message):
        run_module(MODULE, {**GIVEN, **change}, aws)
