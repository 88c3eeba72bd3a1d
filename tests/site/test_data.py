# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What inputs without a grammar say, and what AWS says, is data: it goes through as it is, and nobody evaluates it."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.stack import Stack, as_data

TOUCH = "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}"
HOSTILE = f"'\"` {TOUCH} {{% raw %}} {{# #}} $(touch pwned); `touch pwned`\\ \n\t\r é \u202e 🦊 %s {{0}} !unsafe &a *a"
PASSWORD = "{{lookup('pipe','>pwned')}}$(>pwned)"
PRINTABLE = "{{7*7}}$(>pwned)'%s"
SCOPE = "openid {{7*7}}"
ENVIRONMENT = {"HOSTILE": HOSTILE, "LONG": "x" * 10_000, "EMPTY": "", "NUMBER": "007", "WORD": "yes", "JSON": '{"a": [1]}', "PAIR": "a=b"}
TAGS = {f"key {n} of 40: é=+-@/.": "ü" * 256 for n in range(39)} | {"team": "x: y=z/@+-._ 中"}
ACTION = "night {{ 7 * 7 }} $(touch pwned) '\"\\"
OUTPUTS = "{{ 7 * 7 }} $(touch pwned) 'é'.json"


@pytest.fixture(autouse=True)
def nothing_was_run(team: Stack) -> t.Iterator[None]:
    yield
    assert not list(team.folder.rglob("pwned*"))


def spoil_prerequisites(team: Stack) -> None:
    """Hostile text wherever AWS takes text, in what the stack refers to."""
    aws, inputs = team.aws, team.inputs
    aws.client("ec2").create_tags(Resources=[inputs["mlflow_vpc_id"], *inputs["mlflow_service_subnet_ids"]], Tags=[{"Key": "Name", "Value": TOUCH}])
    aws.client("kms").update_key_description(KeyId=inputs["mlflow_key_arn"].rpartition("/")[2], Description=TOUCH)
    aws.client("acm").add_tags_to_certificate(CertificateArn=inputs["mlflow_certificate_arn"], Tags=[{"Key": "Name", "Value": TOUCH}])
    secrets = aws.client("secretsmanager")
    secrets.update_secret(SecretId=inputs["mlflow_database_password_secret_arn"], Description=TOUCH, SecretString=PASSWORD)
    users = secrets.create_secret(Name="users", SecretString=json.dumps({TOUCH: HOSTILE, "ci": PASSWORD}), Description=TOUCH)
    client = secrets.create_secret(Name="oidc", SecretString=HOSTILE)
    team.inputs |= {"mlflow_api_credentials_secret_arn": users["ARN"], "mlflow_load_balancer_oidc_client_secret_arn": client["ARN"]}


def test_an_answer_of_aws_is_shown_as_it_is(team: Stack) -> None:
    spoil_prerequisites(team)
    message = f"no {TOUCH} {{{{ 7 * 7 }}}} \u202e"
    error = {"code": "ValidationError", "message": message, "status": 400}
    team.aws.faults({"service": "ec2", "operation": "CreateSecurityGroup", "error": error})
    run = team.run("site")
    assert run.status != 0 and f"AWS answered ValidationError to CreateSecurityGroup: {message}" in run.messages[0]
    team.aws.faults()


def test_free_text_goes_through_unchanged(team: Stack) -> None:
    aws = team.aws
    team.apply(
        **as_data(
            {
                "mlflow_service_environment": ENVIRONMENT,
                "mlflow_tags": TAGS,
                "mlflow_uvicorn_opts": f'--header "x: {TOUCH}"',
                "mlflow_service_sidecar_container_definitions": [
                    {"name": "side", "image": "busybox", "command": ["sh", "-c", HOSTILE], "environment": [{"name": "A", "value": HOSTILE}]}
                ],
                "mlflow_service_scheduled_actions": [{"name": ACTION, "schedule": "rate(1 day)", "min_capacity": 1}],
                "mlflow_load_balancer_access_logs_prefix": "it's-(x)!",
                "mlflow_load_balancer_sign_in": "oidc",
                "mlflow_load_balancer_oidc_client_id": PRINTABLE,
                "mlflow_load_balancer_oidc_scope": SCOPE,
                **{
                    f"mlflow_load_balancer_oidc_{part}": f"https://idp.example.com/{part}?a=$(x)&b=%7B"
                    for part in ("issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint")
                },
                "mlflow_outputs_path": str(team.folder / OUTPUTS),
            }
        )
    )
    definition = aws.client("ecs").describe_task_definition(taskDefinition="mlflow-team-x")["taskDefinition"]
    mlflow, side = (next(container for container in definition["containerDefinitions"] if container["name"] == name) for name in ("mlflow", "side"))
    environment = {pair["name"]: pair["value"] for pair in mlflow["environment"]}
    assert {name: environment[name] for name in ENVIRONMENT} == ENVIRONMENT
    assert environment["MLFLOW_UVICORN_OPTS"] == f'--header "x: {TOUCH}"'
    assert side["command"] == ["sh", "-c", HOSTILE] and side["environment"] == [{"name": "A", "value": HOSTILE}]
    (action,) = aws.client("application-autoscaling").describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert action["ScheduledActionName"] == f"mlflow-team-x-{ACTION}"
    tags = aws.client("iam").list_role_tags(RoleName="mlflow-team-x-ecs-task")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS | {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": "mlflow-team-x"}
    elb = aws.client("elbv2")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    https = next(x for x in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] if x["Port"] == 443)
    rule = next(r for r in elb.describe_rules(ListenerArn=https["ListenerArn"])["Rules"] if r["Priority"] == "1")
    oidc = rule["Actions"][0]["AuthenticateOidcConfig"]
    assert (oidc["ClientId"], oidc["Scope"], oidc["Issuer"]) == (PRINTABLE, SCOPE, "https://idp.example.com/issuer?a=$(x)&b=%7B")
    assert "tracking_uri" in json.loads((team.folder / OUTPUTS).read_text(encoding="utf-8"))
    again = team.run("site")
    assert (again.status, again.changed, again.mutating) == (0, 0, [])


def test_what_stands_in_aws_is_shown_and_put_right_as_data(team: Stack) -> None:
    aws = team.aws
    elb, iam, functions = aws.client("elbv2"), aws.client("iam"), aws.client("lambda")
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    for key, value in (("team", TOUCH), (TOUCH, HOSTILE)):
        elb.add_tags(ResourceArns=[balancer], Tags=[{"Key": key, "Value": value}])
    iam.update_role_description(RoleName="mlflow-team-x-ecs-task", Description=TOUCH)
    functions.update_function_configuration(FunctionName="mlflow-team-x-authorizer", Description=TOUCH, Environment={"Variables": {"A": TOUCH}})
    aws.client("s3").put_bucket_tagging(
        Bucket=aws.client("s3").list_buckets()["Buckets"][0]["Name"],
        Tagging={
            "TagSet": [
                {"Key": "managed-by", "Value": "mlplatform.mlflow_aws"},
                {"Key": "mlflow-stack", "Value": "mlflow-team-x"},
                {"Key": TOUCH, "Value": HOSTILE},
            ]
        },
    )
    plan = team.run("plan")
    assert plan.status == 0, plan.messages
    shown = {(c["kind"], f["name"]): f["before"] for c in plan.changes for f in c["fields"]}
    as_xml = HOSTILE.replace("\r", "\n")  # an XML parser takes each end of a line for a newline
    assert shown["elbv2_load_balancer", f"tags.{TOUCH}"] == as_xml and shown["elbv2_load_balancer", "tags.team"] == TOUCH
    assert shown["iam_role", "description"] == TOUCH and shown["lambda_function", "description"] == TOUCH
    assert shown["s3_bucket", f"tags.{TOUCH}"] == as_xml
    verify = team.run("verify")
    assert verify.status != 0 and "Traceback" not in verify.text  # it differs
    team.apply()
    assert iam.get_role(RoleName="mlflow-team-x-ecs-task")["Role"]["Description"] == "What MLflow may do in mlflow-team-x"
    for run in (plan, verify):
        assert PASSWORD not in run.text and ">pwned" not in run.text.replace("touch pwned", "")


def test_it_is_removed_whole(team: Stack) -> None:
    balancer = team.aws.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    team.aws.client("elbv2").add_tags(ResourceArns=[balancer], Tags=[{"Key": TOUCH, "Value": HOSTILE}])
    run = team.destroy(mlflow_database_skip_final_snapshot=True)
    assert "Traceback" not in run.text
    assert not (team.folder / OUTPUTS).exists()
