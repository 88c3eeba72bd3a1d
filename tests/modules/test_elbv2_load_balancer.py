# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy

import pytest
from modules.run_module import ModuleFailed, run_module
from support.stack import give_ipv6, web_acl

MODULE = "elbv2_load_balancer"
NAME = "mlflow-team-x"
TAGS = {"managed-by": "mlplatform.mlflow_aws", "mlflow-stack": NAME, "team": "x"}
REFUSE = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403", "ContentType": "text/plain"}}
COGNITO = {
    "Type": "authenticate-cognito",
    "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_0",
        "UserPoolClientId": "client",
        "UserPoolDomain": "mlflow",
    },
}
OIDC = {
    "Type": "authenticate-oidc",
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.example.com",
        "AuthorizationEndpoint": "https://id.example.com/authorize",
        "TokenEndpoint": "https://id.example.com/token",
        "UserInfoEndpoint": "https://id.example.com/me",
        "ClientId": "client",
    },
}
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_0"
TOKEN = {
    "Type": "jwt-validation",
    "JwtValidationConfig": {
        "JwksEndpoint": f"{ISSUER}/.well-known/jwks.json",
        "Issuer": ISSUER,
        "AdditionalClaims": [{"Name": "token_use", "Format": "single-string", "Values": ["access"]}],
    },
}
HOST = {"Field": "host-header", "Values": ["mlflow.example.com"]}
SECRET = "a-client-secret"


@pytest.fixture
def given(aws):
    """What must exist before a load balancer, and the options of one."""
    ec2, acm = aws.client("ec2"), aws.client("acm")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.attach_internet_gateway(InternetGatewayId=ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"], VpcId=vpc)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")["Subnet"]["SubnetId"] for n, zone in enumerate("abc")
    ]
    groups = [ec2.create_security_group(VpcId=vpc, GroupName=n, Description=n)["GroupId"] for n in ("one", "two")]
    certificates = [acm.request_certificate(DomainName=f"{n}.example.com")["CertificateArn"] for n in ("a", "b")]
    params = {
        "name": NAME,
        "subnets": subnets[:2],
        "security_groups": groups[:1],
        "attributes": {"idle_timeout.timeout_seconds": 300, "routing.http.drop_invalid_header_fields.enabled": True},
        "target_group": {
            "name": NAME,
            "port": 5000,
            "vpc_id": vpc,
            "health_check": {"path": "/health", "matcher": "200", "interval_seconds": 15},
            "attributes": {"deregistration_delay.timeout_seconds": 30},
        },
        "listeners": [
            {
                "port": 80,
                "protocol": "HTTP",
                "default_actions": [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": 443, "StatusCode": "HTTP_301"}}],
            },
            {
                "port": 443,
                "protocol": "HTTPS",
                "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
                "certificate_arn": certificates[0],
                "default_actions": [REFUSE],
                "rules": [
                    {"priority": 1, "conditions": [HOST], "actions": [COGNITO, {"Type": "forward"}]},
                    {"priority": 2, "conditions": [{"Field": "path-pattern", "Values": ["/a"]}], "actions": [REFUSE]},
                ],
            },
        ],
        "tags": TAGS,
    }
    return {"vpc": vpc, "subnets": subnets, "groups": groups, "certificates": certificates, "params": params}


def run(aws, params):
    """The result of a run that its plan foretold to the letter, while the plan itself changed nothing."""
    mark = aws.mark()
    plan = run_module(MODULE, params, aws, check=True)
    assert aws.mutating(mark) == []
    result = run_module(MODULE, params, aws)
    assert lines(result) == lines(plan)
    assert bool(aws.mutating(mark)) == result["changed"]
    return result


def lines(result):
    return [(c["action"], c["kind"].removeprefix("elbv2_"), c["name"], [f["name"] for f in c["fields"]]) for c in result["changes"]]


def operations(aws, mark):
    return sorted(call["operation"] for call in aws.mutating(mark))


def changed(params, change):
    params = copy.deepcopy(params)
    change(params)
    return params


def unchanged(aws, params):
    mark = aws.mark()
    assert not run_module(MODULE, params, aws)["changed"]
    return [call["operation"] for call in aws.calls(mark)]


def rule(aws, priority):
    elbv2 = aws.client("elbv2")
    (balancer,) = elbv2.describe_load_balancers(Names=[NAME])["LoadBalancers"]
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    arn = next(each["ListenerArn"] for each in listeners if each["Port"] == 443)
    return next(r for r in elbv2.describe_rules(ListenerArn=arn)["Rules"] if r["Priority"] == str(priority))


def test_life(aws, given):
    params = given["params"]
    created = run(aws, params)
    assert [line[:3] for line in lines(created)] == [
        ("create", "target_group", NAME),
        ("create", "load_balancer", NAME),
        ("create", "listener", f"{NAME}:80"),
        ("create", "listener", f"{NAME}:443"),
        ("create", "listener_rule", f"{NAME}:443/1"),
        ("create", "listener_rule", f"{NAME}:443/2"),
    ]
    assert created["load_balancer"]["dns_name"].startswith("internal-")
    assert created["load_balancer"]["state"] == "active"
    assert set(created["listeners"]) == {"80", "443"}
    arns = [created[kind]["arn"] for kind in ("load_balancer", "target_group")]
    arns += [*created["listeners"].values(), rule(aws, 1)["RuleArn"]]
    for each in aws.client("elbv2").describe_tags(ResourceArns=arns)["TagDescriptions"]:
        assert {tag["Key"]: tag["Value"] for tag in each["Tags"]} == TAGS

    assert sorted(unchanged(aws, params)) == sorted(
        [
            "DescribeTargetGroups",
            "DescribeTargetGroupAttributes",
            "DescribeTags",
            "DescribeLoadBalancers",
            "DescribeLoadBalancerAttributes",
            "DescribeTags",
            "DescribeListeners",
            "DescribeRules",
            "DescribeRules",
            "DescribeTags",
        ]
    )

    absent = {"name": NAME, "target_group": {"name": NAME}, "state": "absent", "tags": TAGS}
    mark = aws.mark()
    removed = run(aws, absent)
    assert [line[:3] for line in lines(removed)] == [("delete", *line[1:3]) for line in lines(created)]
    assert operations(aws, mark) == ["DeleteLoadBalancer", "DeleteTargetGroup"]
    assert removed["load_balancer"] == removed["target_group"] == removed["listeners"] == {}
    mark = aws.mark()
    assert not run(aws, absent)["changed"]


CHANGES = {
    "a subnet": (lambda p, g: p.update(subnets=g["subnets"]), [("update", "load_balancer", NAME, ["subnets"])], ["SetSubnets"]),
    "a security group": (lambda p, g: p.update(security_groups=g["groups"]), [("update", "load_balancer", NAME, ["security_groups"])], ["SetSecurityGroups"]),
    "an attribute": (
        lambda p, g: p["attributes"].update({"idle_timeout.timeout_seconds": "120"}),
        [("update", "load_balancer", NAME, ["attributes.idle_timeout.timeout_seconds"])],
        ["ModifyLoadBalancerAttributes"],
    ),
    "an attribute more": (
        lambda p, g: p["attributes"].update({"deletion_protection.enabled": True}),
        [("update", "load_balancer", NAME, ["attributes.deletion_protection.enabled"])],
        ["ModifyLoadBalancerAttributes"],
    ),
    "the health check": (
        lambda p, g: p["target_group"]["health_check"].update(path="/version"),
        [("update", "target_group", NAME, ["health_check.path"])],
        ["ModifyTargetGroup"],
    ),
    "an attribute of the target group": (
        lambda p, g: p["target_group"]["attributes"].update({"deregistration_delay.timeout_seconds": 60}),
        [("update", "target_group", NAME, ["attributes.deregistration_delay.timeout_seconds"])],
        ["ModifyTargetGroupAttributes"],
    ),
    "the TLS policy": (
        lambda p, g: p["listeners"][1].update(ssl_policy="ELBSecurityPolicy-TLS13-1-3-2021-06"),
        [("update", "listener", f"{NAME}:443", ["ssl_policy"])],
        ["ModifyListener"],
    ),
    "the certificate": (
        lambda p, g: p["listeners"][1].update(certificate_arn=g["certificates"][1]),
        [("update", "listener", f"{NAME}:443", ["certificate_arn"])],
        ["ModifyListener"],
    ),
    "a default action": (
        lambda p, g: p["listeners"][0].update(default_actions=[REFUSE]),
        [("update", "listener", f"{NAME}:80", ["default_actions"])],
        ["ModifyListener"],
    ),
    "the protocol of a listener": (
        lambda p, g: p["listeners"][0].update(protocol="HTTPS", certificate_arn=g["certificates"][0]),
        [("update", "listener", f"{NAME}:80", ["protocol", "certificate_arn"])],
        ["ModifyListener"],
    ),
    "a listener more": (
        lambda p, g: p["listeners"].append({**p["listeners"][0], "port": 8080}),
        [("create", "listener", f"{NAME}:8080", ["protocol", "default_actions", "tags.managed-by", "tags.mlflow-stack", "tags.team"])],
        ["CreateListener"],
    ),
    "a listener less": (
        lambda p, g: p["listeners"].pop(),
        [("delete", "listener", f"{NAME}:443", []), ("delete", "listener_rule", f"{NAME}:443/1", []), ("delete", "listener_rule", f"{NAME}:443/2", [])],
        ["DeleteListener"],
    ),
    "a condition": (
        lambda p, g: p["listeners"][1]["rules"][0].update(conditions=[{**HOST, "Values": ["other.example.com"]}]),
        [("update", "listener_rule", f"{NAME}:443/1", ["conditions"])],
        ["ModifyRule"],
    ),
    "an action": (
        lambda p, g: p["listeners"][1]["rules"][1].update(actions=[{"Type": "forward"}]),
        [("update", "listener_rule", f"{NAME}:443/2", ["actions"])],
        ["ModifyRule"],
    ),
    "a rule less": (lambda p, g: p["listeners"][1]["rules"].pop(0), [("delete", "listener_rule", f"{NAME}:443/1", [])], ["DeleteRule"]),
    "rules that change places": (
        lambda p, g: [each.update(priority=3 - each["priority"]) for each in p["listeners"][1]["rules"]],
        [("update", "listener_rule", f"{NAME}:443/1", ["conditions", "actions"]), ("update", "listener_rule", f"{NAME}:443/2", ["conditions", "actions"])],
        ["ModifyRule", "ModifyRule"],
    ),
    "a tag": (
        lambda p, g: p.update(tags={**TAGS, "team": "y"}),
        [
            ("update", kind, name, ["tags.team"])
            for kind, name in (
                ("target_group", NAME),
                ("load_balancer", NAME),
                ("listener", f"{NAME}:80"),
                ("listener", f"{NAME}:443"),
                ("listener_rule", f"{NAME}:443/1"),
                ("listener_rule", f"{NAME}:443/2"),
            )
        ],
        ["AddTags"] * 6,
    ),
}


def test_ip_address_type(aws, given):
    """Changed in place, with the subnets where these change too; what callers lose is warned of."""
    params = {**given["params"], "ip_address_type": "ipv4"}
    run(aws, params)
    give_ipv6(aws, given["vpc"], given["subnets"][:2])
    calls = (
        ({"ip_address_type": "dualstack"}, ["SetIpAddressType"], 0),
        ({"ip_address_type": "ipv4", "subnets": given["subnets"][1:]}, ["SetSubnets"], 1),
        ({"ip_address_type": "dualstack", "subnets": given["subnets"][:2]}, ["SetSubnets"], 0),
        ({"ip_address_type": "ipv4"}, ["SetIpAddressType"], 1),
    )
    for change, expected, lost in calls:
        mark = aws.mark()
        result = run(aws, {**params, **change})
        assert operations(aws, mark) == expected
        assert sum("loses its IPv6 addresses" in warning for warning in result["changes"][0]["warnings"]) == lost
        unchanged(aws, {**params, **change})


@pytest.mark.parametrize("what", CHANGES)
def test_one_change(aws, given, what):
    change, expected, mutating = CHANGES[what]
    run_module(MODULE, given["params"], aws)
    params = changed(given["params"], lambda p: change(p, given))
    mark = aws.mark()
    assert lines(run(aws, params)) == expected
    assert operations(aws, mark) == mutating
    unchanged(aws, params)


def test_what_was_changed_by_hand_is_put_back(aws, given):
    params, elbv2 = given["params"], aws.client("elbv2")
    made = run(aws, params)
    listener, mark = made["listeners"]["443"], aws.mark()
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=made["load_balancer"]["arn"], Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"}]
    )
    open_door = {"Type": "forward", "TargetGroupArn": made["target_group"]["arn"]}
    elbv2.modify_listener(ListenerArn=listener, DefaultActions=[open_door])
    path = {"Field": "path-pattern", "Values": ["/open/*"]}
    elbv2.create_rule(ListenerArn=listener, Priority=7, Conditions=[path], Actions=[open_door])
    elbv2.delete_rule(RuleArn=rule(aws, 2)["RuleArn"])
    balancer = made["load_balancer"]["arn"]
    elbv2.create_listener(LoadBalancerArn=balancer, Port=8080, Protocol="HTTP", DefaultActions=[open_door])
    elbv2.remove_tags(ResourceArns=[rule(aws, 1)["RuleArn"]], TagKeys=["managed-by", "mlflow-stack"])
    assert [line[:3] for line in lines(run(aws, params))] == [
        ("update", "load_balancer", NAME),
        ("update", "listener", f"{NAME}:443"),
        ("update", "listener_rule", f"{NAME}:443/1"),
        ("create", "listener_rule", f"{NAME}:443/2"),
        ("delete", "listener_rule", f"{NAME}:443/7"),
        ("delete", "listener", f"{NAME}:8080"),
    ]
    assert len(aws.mutating(mark)) == 12
    unchanged(aws, params)


def test_scheme_is_replaced_with_a_loud_warning(aws, given):
    before = run(aws, given["params"])
    params = {**given["params"], "scheme": "internet-facing"}
    result = run(aws, params)
    balancer = next(c for c in result["changes"] if c["kind"] == "elbv2_load_balancer")
    assert balancer["action"] == "replace"
    assert any("to the internet" in warning for warning in balancer["warnings"])
    assert any("requests fail" in warning for warning in balancer["warnings"])
    assert [line[:2] for line in lines(result)] == [("replace", "load_balancer"), *[("replace", "listener")] * 2, *[("replace", "listener_rule")] * 2]
    assert result["load_balancer"]["arn"] != before["load_balancer"]["arn"]
    assert result["target_group"] == before["target_group"]
    unchanged(aws, params)


def test_a_new_load_balancer_on_the_internet_is_warned_of(aws, given):
    plan = run_module(MODULE, {**given["params"], "scheme": "internet-facing"}, aws, check=True)
    assert plan["changes"][1]["warnings"] == ["opens the load balancer to the internet"]


def weights(aws, priority=1):
    """The names of the target groups that a rule forwards to, with their weights."""
    forward = rule(aws, priority)["Actions"][-1]["ForwardConfig"]["TargetGroups"]
    return {each["TargetGroupArn"].split("/")[1]: each.get("Weight", 1) for each in forward}


def over_tls(params):
    return changed(params, lambda p: p["target_group"].update(name=f"{NAME}-tls", protocol="HTTPS", superseded=NAME))


def test_one_target_group_takes_the_place_of_another(aws, given):
    """Requests stay where they are until somebody changes the rules over; only then is the one of before removed."""
    run(aws, given["params"])
    params, elbv2 = over_tls(given["params"]), aws.client("elbv2")
    result = run(aws, params)
    assert result["superseded"] == [NAME] and weights(aws) == {NAME: 1, f"{NAME}-tls": 0}
    assert unchanged(aws, params) and weights(aws) == {NAME: 1, f"{NAME}-tls": 0}
    forward = rule(aws, 1)
    for group in forward["Actions"][-1]["ForwardConfig"]["TargetGroups"]:
        group["Weight"] = 1 - group["Weight"]
    elbv2.modify_rule(RuleArn=forward["RuleArn"], Actions=[COGNITO | {"Order": 1}, forward["Actions"][-1]])
    assert unchanged(aws, params) and weights(aws) == {NAME: 0, f"{NAME}-tls": 1}
    mark = aws.mark()
    removed = run(aws, {**params, "remove_superseded": True})
    assert removed["superseded"] == [] and weights(aws) == {f"{NAME}-tls": 1}
    assert [call["operation"] for call in aws.mutating(mark)] == ["AddTags", "ModifyRule", "DeleteTargetGroup", "RemoveTags"]
    assert [group["TargetGroupName"] for group in elbv2.describe_target_groups()["TargetGroups"]] == [f"{NAME}-tls"]
    for again in (params, {**params, "remove_superseded": True}):
        assert "DescribeTargetGroups" in unchanged(aws, again)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_target_group_that_a_dead_run_left_is_removed(aws, given, deleted):
    """No rule forwards to it any more. The one in its place says its name."""
    run(aws, given["params"])
    params, elbv2 = over_tls(given["params"]), aws.client("elbv2")
    arn = run(aws, {**params, "remove_superseded": True})["target_group"]["arn"]
    elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "mlflow-supersedes", "Value": NAME}])
    if not deleted:
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        elbv2.create_target_group(Name=NAME, Protocol="HTTP", Port=5000, VpcId=given["vpc"], TargetType="ip", Tags=tags)
    assert run_module(MODULE, params, aws)["superseded"] == [NAME]
    run_module(MODULE, {**params, "remove_superseded": True}, aws)
    assert [group["TargetGroupName"] for group in elbv2.describe_target_groups()["TargetGroups"]] == [f"{NAME}-tls"]
    assert run_module(MODULE, params, aws)["superseded"] == []


def test_both_target_groups_go_with_the_load_balancer(aws, given):
    run(aws, given["params"])
    run(aws, over_tls(given["params"]))
    absent = {"name": NAME, "target_group": {"name": NAME, "superseded": f"{NAME}-tls"}, "state": "absent", "tags": TAGS}
    run(aws, absent)
    assert aws.client("elbv2").describe_target_groups()["TargetGroups"] == []
    assert unchanged(aws, absent)


def test_immutable_fields_of_the_target_group(aws, given):
    run(aws, given["params"])
    params = changed(given["params"], lambda p: p["target_group"].update(port=5001))
    mark = aws.mark()
    with pytest.raises(ModuleFailed, match="port cannot be changed"):
        run_module(MODULE, params, aws)
    assert aws.mutating(mark) == []


@pytest.mark.parametrize("check", [True, False])
def test_deletion_protection(aws, given, check):
    params = changed(given["params"], lambda p: p["attributes"].update({"deletion_protection.enabled": True}))
    run(aws, params)
    absent = {"name": NAME, "target_group": {"name": NAME}, "state": "absent", "tags": TAGS}
    mark = aws.mark()
    for refused in (absent, {**params, "scheme": "internet-facing"}):
        with pytest.raises(ModuleFailed, match="deletion protection is on"):
            run_module(MODULE, refused, aws, check=check)
    assert aws.mutating(mark) == []
    if not check:
        run(aws, {**absent, "disable_deletion_protection": True})
        assert aws.client("elbv2").describe_load_balancers()["LoadBalancers"] == []


def test_oidc_and_its_client_secret(aws, given):
    secrets = aws.client("secretsmanager")
    arn = secrets.create_secret(Name="oidc", SecretString=SECRET)["ARN"]

    def sign_in(p):
        p["client_secret_arn"] = arn
        p["listeners"][1]["rules"][0]["actions"] = [OIDC, {"Type": "forward"}]

    params = changed(given["params"], sign_in)
    run(aws, given["params"])
    moved = run(aws, params)
    assert lines(moved) == [("update", "listener_rule", f"{NAME}:443/1", ["actions", "client_secret_version"])]
    assert SECRET not in str(moved)
    assert "GetSecretValue" not in unchanged(aws, params)

    secrets.put_secret_value(SecretId=arn, SecretString="another")
    mark = aws.mark()
    assert lines(run(aws, params)) == [("update", "listener_rule", f"{NAME}:443/1", ["client_secret_version"])]
    assert operations(aws, mark) == ["AddTags", "AddTags", "ModifyRule"]
    unchanged(aws, params)

    other = [{**HOST, "Values": ["b.example.com"]}]
    other_host = changed(params, lambda p: p["listeners"][1]["rules"][0].update(conditions=other))
    mark = aws.mark()
    assert run(aws, other_host)["changed"]
    assert "GetSecretValue" not in [call["operation"] for call in aws.calls(mark)]

    run(aws, given["params"])
    assert lines(run(aws, params)) == [("update", "listener_rule", f"{NAME}:443/1", ["actions"])]
    unchanged(aws, params)


def test_oidc_without_a_client_secret_is_refused(aws, given):
    actions = [OIDC, {"Type": "forward"}]
    params = changed(given["params"], lambda p: p["listeners"][1]["rules"][0].update(actions=actions))
    run(aws, given["params"])
    with pytest.raises(ModuleFailed, match="needs the option client_secret_arn"):
        run_module(MODULE, params, aws, check=True)


def test_wait(aws, given):
    aws.creation_seconds(elb=4)
    made = run_module(MODULE, {**given["params"], "wait": False}, aws)
    assert made["load_balancer"]["state"] == "provisioning"
    assert set(made["listeners"]) == {"80", "443"}
    waited = run_module(MODULE, given["params"], aws)
    assert not waited["changed"]
    assert waited["load_balancer"]["state"] == "active"


@pytest.mark.parametrize("kind", ["load_balancer", "target_group"])
def test_what_is_of_somebody_else_is_left_alone(aws, given, kind):
    elbv2 = aws.client("elbv2")
    if kind == "load_balancer":
        elbv2.create_load_balancer(Name=NAME, Subnets=given["subnets"][:2])
    else:
        elbv2.create_target_group(Name=NAME, Port=5000, Protocol="HTTP", VpcId=given["vpc"], TargetType="ip")
    with pytest.raises(ModuleFailed, match=f"{kind} {NAME}: it exists already and is not of this stack"):
        run_module(MODULE, given["params"], aws, check=True)
    absent = {"name": NAME, "target_group": {"name": NAME}, "state": "absent", "tags": TAGS}
    assert not run(aws, absent)["changed"]


def test_a_half_made_one_is_completed(aws, given):
    aws.faults({"service": "elbv2", "operation": "CreateRule", "times": 1, "error": {"code": "TooManyRules"}})
    with pytest.raises(ModuleFailed, match="TooManyRules"):
        run_module(MODULE, given["params"], aws)
    assert [line[:2] for line in lines(run(aws, given["params"]))] == [("create", "listener_rule")]
    unchanged(aws, given["params"])


def associated(aws, result):
    answer = aws.client("wafv2").get_web_acl_for_resource(ResourceArn=result["load_balancer"]["arn"])
    return answer.get("WebACL", {}).get("ARN")


def test_a_web_acl_is_associated_replaced_and_disassociated(aws, given):
    params, (one, other) = given["params"], (web_acl(aws, name) for name in ("one", "other"))
    assert ("create", "wafv2_web_acl_association", NAME, ["web_acl_arn"]) in lines(run(aws, {**params, "web_acl_arn": one}))
    unchanged(aws, {**params, "web_acl_arn": one})
    mark = aws.mark()
    result = run(aws, {**params, "web_acl_arn": other})
    assert lines(result) == [("update", "wafv2_web_acl_association", NAME, ["web_acl_arn"])] and associated(aws, result) == other
    assert operations(aws, mark) == ["AddTags", "AssociateWebACL"]
    result = run(aws, {**params, "web_acl_arn": other, "scheme": "internet-facing"})  # a new load balancer
    assert associated(aws, result) == other
    mark = aws.mark()
    result = run(aws, {**params, "scheme": "internet-facing"})
    assert lines(result) == [("delete", "wafv2_web_acl_association", NAME, [])] and associated(aws, result) is None
    assert operations(aws, mark) == ["DisassociateWebACL", "RemoveTags"]
    assert result["changes"][0]["warnings"] == ["requests are no longer filtered by this web ACL"]
    unchanged(aws, {**params, "scheme": "internet-facing"})


def test_a_web_acl_that_others_have_associated_stays(aws, given):
    params, theirs = given["params"], web_acl(aws, "theirs")
    result = run(aws, params)
    aws.client("wafv2").associate_web_acl(WebACLArn=theirs, ResourceArn=result["load_balancer"]["arn"])
    mark = aws.mark()
    unchanged(aws, params)
    assert [call for call in aws.calls(mark) if call["service"] == "wafv2"] == []
    run(aws, {**params, "web_acl_arn": web_acl(aws, "ours")})
    aws.client("wafv2").associate_web_acl(WebACLArn=theirs, ResourceArn=result["load_balancer"]["arn"])
    unchanged(aws, params)
    assert associated(aws, result) == theirs
    run(aws, {**params, "web_acl_arn": theirs, "state": "absent"})


def certificates(aws, result):
    """Those of the HTTPS listener beside its default one, and what its tag says of them."""
    elbv2, arn = aws.client("elbv2"), result["listeners"]["443"]
    (tagged,) = elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    listed = {tag["Key"]: tag["Value"] for tag in tagged["Tags"]}.get("mlflow-certificates", "")
    every = elbv2.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    return {each["CertificateArn"] for each in every if not each["IsDefault"]}, listed.split()


def test_certificates_for_other_names(aws, given):
    params, acm = given["params"], aws.client("acm")
    theirs, one, other = (acm.request_certificate(DomainName=f"{n}.example.com")["CertificateArn"] for n in ("theirs", "one", "other"))

    def adding(*arns):
        return changed(params, lambda p: p["listeners"][1].update(additional_certificate_arns=list(arns)))

    made = run(aws, adding(one))
    assert ("create", "listener_certificates", f"{NAME}:443", ["certificate_arns"]) in lines(made)
    assert certificates(aws, made) == ({one}, [one[-36:]])
    assert "DescribeListenerCertificates" in unchanged(aws, adding(one))
    aws.client("elbv2").add_listener_certificates(ListenerArn=made["listeners"]["443"], Certificates=[{"CertificateArn": theirs}])
    mark = aws.mark()
    assert lines(run(aws, adding(other))) == [("update", "listener_certificates", f"{NAME}:443", ["certificate_arns"])]
    assert operations(aws, mark) == ["AddListenerCertificates", "AddTags", "AddTags", "RemoveListenerCertificates"]
    assert certificates(aws, made) == ({theirs, other}, [other[-36:]])
    unchanged(aws, adding(other))

    aws.client("elbv2").remove_listener_certificates(ListenerArn=made["listeners"]["443"], Certificates=[{"CertificateArn": other}])
    assert lines(run(aws, adding(other))) == [("update", "listener_certificates", f"{NAME}:443", ["certificate_arns"])]
    assert certificates(aws, made) == ({theirs, other}, [other[-36:]])

    moved = run(aws, {**adding(other), "scheme": "internet-facing"})
    assert certificates(aws, moved) == ({other}, [other[-36:]])
    unchanged(aws, {**adding(other), "scheme": "internet-facing"})
    mark = aws.mark()
    removed = run(aws, {**params, "scheme": "internet-facing"})
    assert lines(removed) == [("delete", "listener_certificates", f"{NAME}:443", [])]
    assert "clients that ask for another name" in removed["changes"][0]["warnings"][0]
    assert operations(aws, mark) == ["RemoveListenerCertificates", "RemoveTags"]
    assert certificates(aws, moved) == (set(), [])
    assert "DescribeListenerCertificates" not in unchanged(aws, {**params, "scheme": "internet-facing"})


def test_the_default_certificate_is_not_added_once_more(aws, given):
    params = changed(given["params"], lambda p: p["listeners"][1].update(additional_certificate_arns=given["certificates"][:1]))
    assert certificates(aws, run(aws, params)) == (set(), [])
    unchanged(aws, params)


def test_certificates_go_with_the_load_balancer(aws, given):
    params = changed(given["params"], lambda p: p["listeners"][1].update(additional_certificate_arns=given["certificates"][1:]))
    run(aws, params)
    mark = aws.mark()
    removed = run(aws, {"name": NAME, "target_group": {"name": NAME}, "state": "absent", "tags": TAGS})
    assert ("delete", "listener_certificates", f"{NAME}:443", []) in lines(removed)
    assert operations(aws, mark) == ["DeleteLoadBalancer", "DeleteTargetGroup"]


def test_a_rule_that_validates_tokens(aws, given):
    params = changed(given["params"], lambda p: p["listeners"][1]["rules"][1].update(actions=[TOKEN, {"Type": "forward"}]))
    run(aws, params)
    unchanged(aws, params)
    (action, forward) = rule(aws, 2)["Actions"]
    assert action == TOKEN | {"Order": 1} and forward["Type"] == "forward"

    by_hand = {**TOKEN, "JwtValidationConfig": {**TOKEN["JwtValidationConfig"], "AdditionalClaims": []}}
    aws.client("elbv2").modify_rule(RuleArn=rule(aws, 2)["RuleArn"], Actions=[by_hand | {"Order": 1}, forward])
    assert lines(run(aws, params)) == [("update", "listener_rule", f"{NAME}:443/2", ["actions"])]
    assert rule(aws, 2)["Actions"][0] == action

    opened = changed(params, lambda p: p["listeners"][1]["rules"][1].update(actions=[{"Type": "forward"}]))
    assert run(aws, opened)["changes"][0]["warnings"] == ["lets everybody in without a sign-in"]


def test_some_requests_go_to_a_target_group_of_their_own(aws, given):
    """While rules move to other priorities, each request finds one; and the target group goes when nothing forwards to it any more."""
    params, elbv2 = given["params"], aws.client("elbv2")
    run(aws, {**params, "obsolete_target_groups": [f"{NAME}-jobs"]})
    group = {**params["target_group"], "name": f"{NAME}-jobs"}

    def two(listeners):
        people = {"priority": 21, "conditions": [HOST], "actions": [COGNITO, {"Type": "forward"}]}
        jobs = [HOST, {"Field": "path-pattern", "Values": ["/jobs/*"]}]
        listeners[1]["rules"] = [{"priority": 11, "conditions": jobs, "actions": [COGNITO, {"Type": "forward", "TargetGroupName": f"{NAME}-jobs"}]}, people]

    wanted = {**changed(params, lambda p: two(p["listeners"])), "further_target_groups": [group]}
    mark = aws.mark()
    result = run(aws, wanted)
    operations = [call["operation"] for call in aws.mutating(mark)]
    assert operations[0] == "CreateTargetGroup" and operations[-4:] == ["CreateRule", "CreateRule", "DeleteRule", "DeleteRule"]
    arns = {each["TargetGroupName"]: each["TargetGroupArn"] for each in elbv2.describe_target_groups()["TargetGroups"]}
    assert result["further_target_groups"] == {f"{NAME}-jobs": arns[f"{NAME}-jobs"]} and result["target_group"]["arn"] == arns[NAME]
    assert [rule(aws, priority)["Actions"][-1]["TargetGroupArn"] for priority in (11, 21)] == [arns[f"{NAME}-jobs"], arns[NAME]]
    unchanged(aws, wanted)

    without = {**params, "obsolete_target_groups": [f"{NAME}-jobs"]}
    mark = aws.mark()
    assert run(aws, without)["superseded"] == [f"{NAME}-jobs"]
    assert [call["operation"] for call in aws.mutating(mark)] == ["CreateRule", "CreateRule", "DeleteRule", "DeleteRule"]
    mark = aws.mark()
    assert run(aws, {**without, "remove_superseded": True})["superseded"] == []
    assert [call["operation"] for call in aws.mutating(mark)] == ["DeleteTargetGroup"]
    run(aws, wanted)
    run(aws, {"name": NAME, "target_group": {"name": NAME}, "obsolete_target_groups": [f"{NAME}-jobs"], "state": "absent", "tags": TAGS})
    assert elbv2.describe_target_groups()["TargetGroups"] == []
