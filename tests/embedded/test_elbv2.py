# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Load Balancing of the embedded AWS behaves as AWS documents."""

from __future__ import annotations

import functools
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded.helpers import Balancer, Network, has, import_certificate, refused
from embedded_aws.client import REGION, EmbeddedAWS
from support.stack import give_ipv6


def test_load_balancers_need_room(aws: EmbeddedAWS, network: Network) -> None:
    ec2, elbv2 = aws.client("ec2"), aws.client("elbv2")

    def room() -> list[int]:
        return [s["AvailableIpAddressCount"] for s in ec2.describe_subnets(SubnetIds=network.subnets)["Subnets"]]

    assert room() == [251] * 3
    create = elbv2.create_load_balancer
    assert "no internet gateway" in refused("InvalidSubnet", create, Name="b", Scheme="internet-facing", Subnets=network.subnets)
    create(Name="b", Scheme="internal", Subnets=network.subnets)
    aws.client("apigatewayv2").create_vpc_link(Name="l", SubnetIds=network.subnets[:2])
    assert sorted(room()) == [249, 249, 250]
    ec2.create_network_interface(SubnetId=network.subnets[0], SecondaryPrivateIpAddressCount=241)
    message = refused("InvalidSubnet", create, Name="c", Scheme="internal", Subnets=network.subnets)
    assert message == f"Not enough IP space available in {network.subnets[0]}. ELB requires at least 8 free IP addresses in each subnet."
    for n in range(49):
        create(Name=f"b{n}", Scheme="internal", Subnets=network.subnets[1:])
    refused("TooManyLoadBalancers", create, Name="c", Scheme="internal", Subnets=network.subnets[1:])


def _pairs(attributes: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in attributes}


def test_load_balancer(aws: EmbeddedAWS, network: Network) -> None:
    aws.creation_seconds(elb=0.5)
    balancer = Balancer(aws, network)
    elb, arn = balancer.elb, balancer.arn
    has(balancer.description, State={"Code": "provisioning"}, CanonicalHostedZoneId="Z32O12XQLNTSW2")
    assert balancer.description["DNSName"].startswith("internal-b-")
    time.sleep(0.5)
    has(elb.describe_load_balancers(Names=["b"])["LoadBalancers"][0], State={"Code": "active"})
    attributes = _pairs(elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert len(attributes) >= 20
    expected = {
        "idle_timeout.timeout_seconds": "60",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http2.enabled": "true",
        "client_keep_alive.seconds": "3600",
    }
    assert expected.items() <= attributes.items()
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protection)
    refused("OperationNotPermitted", elb.delete_load_balancer, LoadBalancerArn=arn)
    assert elb.set_subnets(LoadBalancerArn=arn, Subnets=network.subnets[:2])["AvailabilityZones"]
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[network.group])
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert {each["SubnetId"] for each in described["AvailabilityZones"]} == set(network.subnets[:2])
    refused("DuplicateLoadBalancerName", elb.create_load_balancer, Name="b", Subnets=network.subnets)
    refused("ValidationError", elb.create_load_balancer, Name="c", Subnets=network.subnets[:1])
    refused("InvalidConfigurationRequest", elb.create_load_balancer, Name="c", Subnets=[network.subnets[0]] * 2)


def test_load_balancers_log_into_buckets_of_their_region_without_a_kms_key(aws: EmbeddedAWS, balancer: Balancer) -> None:
    s3, far = aws.client("s3"), aws.client("s3", "eu-west-2")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    for name, where, client in (("logs", REGION, s3), ("with-a-key", REGION, s3), ("far-away", "eu-west-2", far)):
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": where})
    s3.put_bucket_encryption(Bucket="with-a-key", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def log(bucket: str) -> dict[str, Any]:
        wanted = [{"Key": "access_logs.s3.enabled", "Value": "true"}, {"Key": "access_logs.s3.bucket", "Value": bucket}]
        return {"LoadBalancerArn": balancer.arn, "Attributes": wanted}

    for bucket in ("with-a-key", "far-away"):
        refused("InvalidConfigurationRequest", balancer.elb.modify_load_balancer_attributes, **log(bucket))
    balancer.elb.modify_load_balancer_attributes(**log("logs"))


def test_target_groups(balancer: Balancer) -> None:
    elb, group = balancer.elb, balancer.group
    attributes = _pairs(elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"])
    expected = {"deregistration_delay.timeout_seconds": "300", "stickiness.type": "lb_cookie", "load_balancing.algorithm.anomaly_mitigation": "off"}
    assert expected.items() <= attributes.items()
    changed = elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}])
    assert len(changed["Attributes"]) == len(attributes)
    rule = balancer.rule(1, balancer.forward)

    def described():
        return elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]

    assert described()["LoadBalancerArns"] == [balancer.arn]
    refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=group)
    description = elb.create_load_balancer(Name="c", Subnets=balancer.subnets)["LoadBalancers"][0]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    (other,) = elb.create_listener(LoadBalancerArn=description["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=refuse)["Listeners"]
    here = {"ListenerArn": other["ListenerArn"], "Priority": 1, "Conditions": [{"Field": "host-header", "Values": ["a.example"]}]}
    refused("TargetGroupAssociationLimit", elb.create_rule, **here, Actions=[balancer.forward])
    elb.delete_rule(RuleArn=rule["RuleArn"])
    refused("RuleNotFound", elb.delete_rule, RuleArn=rule["RuleArn"])
    assert described()["LoadBalancerArns"] == []
    elb.delete_target_group(TargetGroupArn=group)


def test_transforms_and_client_certificates(aws: EmbeddedAWS, balancer: Balancer) -> None:
    elb, rule = balancer.elb, balancer.rule(1, balancer.forward)
    rewrite = [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}}]
    for more, shown in (({"Transforms": rewrite}, rewrite), ({"Actions": [balancer.forward]}, rewrite), ({"ResetTransforms": True}, [])):
        elb.modify_rule(RuleArn=rule["RuleArn"], **more)
        described = elb.describe_rules(ListenerArn=balancer.listener)["Rules"][0]
        assert described.get("Transforms", []) == shown and described["Actions"]

    arn = aws.client("acm").request_certificate(DomainName="a.example")["CertificateArn"]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    secure = {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": arn}], "DefaultActions": refuse}
    (listener,) = elb.create_listener(LoadBalancerArn=balancer.arn, **secure)["Listeners"]
    for more, mode in (({}, "off"), ({"MutualAuthentication": {"Mode": "passthrough"}}, "passthrough"), ({}, "passthrough")):
        elb.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08", **more)
        (described,) = elb.describe_listeners(ListenerArns=[listener["ListenerArn"]])["Listeners"]
        assert described["MutualAuthentication"]["Mode"] == mode


COGNITO = {"UserPoolArn": "arn:p", "UserPoolClientId": "c", "UserPoolDomain": "d"}


OIDC = {"Issuer": "https://i", "AuthorizationEndpoint": "https://a", "TokenEndpoint": "https://t", "UserInfoEndpoint": "https://u", "ClientId": "c"}


AUTHENTICATE = {"OnUnauthenticatedRequest": "authenticate", "Scope": "openid", "SessionTimeout": 604800, "SessionCookieName": "AWSELBAuthSessionCookie"}


ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_0"


def token_check(*claims: tuple[str, str, list[str]], **config: Any) -> dict[str, Any]:
    """A jwt-validation action with further claims: name, format, values."""
    further = {"AdditionalClaims": [{"Name": name, "Format": form, "Values": values} for name, form, values in claims]} if claims else {}
    return {"Type": "jwt-validation", "JwtValidationConfig": {"JwksEndpoint": f"{ISSUER}/.well-known/jwks.json", "Issuer": ISSUER, **further, **config}}


@pytest.fixture
def secure(aws: EmbeddedAWS, balancer: Balancer) -> Balancer:
    """The load balancer with an HTTPS listener, to which its rules go."""
    certificate = [{"CertificateArn": import_certificate(aws, "a.example")}]
    refuse = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    (listener,) = balancer.elb.create_listener(LoadBalancerArn=balancer.arn, Protocol="HTTPS", Port=443, Certificates=certificate, DefaultActions=refuse)[
        "Listeners"
    ]
    balancer.listener = listener["ListenerArn"]
    return balancer


def test_tokens_are_validated_by_rules_of_https_listeners(secure: Balancer) -> None:
    """API_JwtValidationActionConfig, API_JwtValidationActionAdditionalClaim; "Verify JWTs using an Application Load Balancer" of the User Guide."""
    check = token_check(("token_use", "single-string", ["access"]), ("scope", "space-separated-values", ["a", "b"]))
    made = secure.rule(1, check, secure.forward)
    assert made["Actions"][0] == check
    (changed,) = secure.elb.modify_rule(RuleArn=made["RuleArn"], Actions=[token_check(), secure.forward])["Rules"]
    assert changed["Actions"][0] == token_check() and changed["Actions"][1]["TargetGroupArn"] == secure.group
    wrong = (
        token_check(JwksEndpoint="http://keys.example/jwks.json"),
        token_check(JwksEndpoint="https://keys.example/" + "k" * 256),
        token_check(Issuer="i" * 257),
        token_check(*((f"claim-{n}", "single-string", ["v"]) for n in range(11))),
        *(token_check((name, "single-string", ["v"])) for name in ("exp", "iss", "nbf", "iat")),
        token_check(("scope", "a list", ["v"])),
        token_check(("scope", "single-string", [])),
        token_check(("scope", "single-string", [f"{n}" for n in range(11)])),
        token_check(("scope", "single-string", ["v" * 257])),
        token_check(("scope", "space-separated-values", ["a b"])),
    )
    for action in wrong:
        with pytest.raises(ClientError, match="ValidationError"):
            secure.rule(2, action, secure.forward)
    sign_in = {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": COGNITO}
    for actions in ([token_check()], [token_check(), sign_in, secure.forward]):
        with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
            secure.rule(2, *actions)


def test_nobody_is_asked_who_calls_over_plain_http(balancer: Balancer) -> None:
    """API_Action: "[HTTPS listeners] ... Specify only when Type is jwt-validation"."""
    made = balancer.rule(1, balancer.forward)
    for action in (token_check(), {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": COGNITO}):
        with pytest.raises(ClientError, match="supported only on HTTPS listeners"):
            balancer.rule(2, action, balancer.forward)
        refused("InvalidLoadBalancerAction", balancer.elb.modify_rule, RuleArn=made["RuleArn"], Actions=[action, balancer.forward])


def test_listeners_have_further_certificates(aws: EmbeddedAWS, balancer: Balancer, secure: Balancer) -> None:
    """API_AddListenerCertificates and API_RemoveListenerCertificates."""
    elb, arn = secure.elb, secure.listener

    def certificates() -> list[tuple[str, bool]]:
        return [(each["CertificateArn"], each["IsDefault"]) for each in elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]]

    ((default, _is_default),) = certificates()
    other = import_certificate(aws, "other.example")
    for _once_more in range(2):
        elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": other}])
    assert certificates() == [(default, True), (other, False)]
    missing = [{"CertificateArn": f"{other[:-4]}0000"}]
    refused("CertificateNotFound", elb.add_listener_certificates, ListenerArn=arn, Certificates=missing)
    refused("OperationNotPermitted", elb.remove_listener_certificates, ListenerArn=arn, Certificates=[{"CertificateArn": default}])
    elb.remove_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": other}])
    assert certificates() == [(default, True)]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer.arn)["Listeners"]
    plain = next(each["ListenerArn"] for each in listeners if each["Protocol"] == "HTTP")
    refused("UnsupportedProtocol", elb.add_listener_certificates, ListenerArn=plain, Certificates=[{"CertificateArn": other}])


def test_action_defaults(secure: Balancer) -> None:
    balancer, forward = secure, secure.forward
    both_forms = {
        **forward,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": balancer.group, "Weight": 1}], "TargetGroupStickinessConfig": {"Enabled": False}},
    }
    table = [
        ([forward], [both_forms]),
        ([{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": balancer.group}]}}], [both_forms]),
        (
            [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}],
            [
                {
                    "Type": "redirect",
                    "RedirectConfig": {
                        "Protocol": "HTTPS",
                        "Port": "443",
                        "StatusCode": "HTTP_301",
                        "Host": "#{host}",
                        "Path": "/#{path}",
                        "Query": "#{query}",
                    },
                }
            ],
        ),
        (
            [{"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": COGNITO}, {**forward, "Order": 2}],
            [{"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": COGNITO | AUTHENTICATE}, {**both_forms, "Order": 2}],
        ),
        (
            [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": {**OIDC, "ClientSecret": "hush"}}, {**forward, "Order": 2}],
            [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": OIDC | AUTHENTICATE}, {**both_forms, "Order": 2}],
        ),
    ]
    for priority, (given, echoed) in enumerate(table, start=1):
        assert balancer.rule(priority, *given)["Actions"] == echoed
    only_authentication = [{"Type": "authenticate-cognito", "AuthenticateCognitoConfig": COGNITO}]
    with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
        balancer.rule(99, *only_authentication)


def test_rules(balancer: Balancer) -> None:
    elb = balancer.elb
    second, first = balancer.rule(2, balancer.forward), balancer.rule(1, balancer.forward, host="b.example")
    assert first["Conditions"] == [{"Field": "host-header", "Values": ["b.example"], "HostHeaderConfig": {"Values": ["b.example"]}}]
    (changed,) = elb.modify_rule(RuleArn=first["RuleArn"], Conditions=[{"Field": "path-pattern", "Values": ["/x"]}])["Rules"]
    assert changed["Conditions"] == [{"Field": "path-pattern", "Values": ["/x"], "PathPatternConfig": {"Values": ["/x"]}}]
    with pytest.raises(ClientError, match="PriorityInUse"):
        balancer.rule(2, balancer.forward)

    def order():
        return [rule["RuleArn"] for rule in elb.describe_rules(ListenerArn=balancer.listener)["Rules"] if not rule["IsDefault"]]

    assert order() == [first["RuleArn"], second["RuleArn"]]
    swapped = [{"RuleArn": second["RuleArn"], "Priority": 1}, {"RuleArn": first["RuleArn"], "Priority": 2}]
    elb.set_rule_priorities(RulePriorities=swapped)
    assert order() == [second["RuleArn"], first["RuleArn"]]
    refused("PriorityInUse", elb.set_rule_priorities, RulePriorities=[{"RuleArn": first["RuleArn"], "Priority": 1}])


def test_a_load_balancer_takes_fifty_tags(balancer: Balancer) -> None:
    balancer.elb.add_tags(ResourceArns=[balancer.arn], Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])
    balancer.elb.add_tags(ResourceArns=[balancer.arn], Tags=[{"Key": "k0", "Value": "w"}])
    refused("TooManyTags", balancer.elb.add_tags, ResourceArns=[balancer.arn], Tags=[{"Key": "another", "Value": "v"}])


def test_listeners(aws: EmbeddedAWS, balancer: Balancer) -> None:
    elb = balancer.elb
    one, two, three = (import_certificate(aws, f"{name}.example") for name in ("one", "two", "three"))
    secure = {"LoadBalancerArn": balancer.arn, "Protocol": "HTTPS", "Port": 443, "DefaultActions": [balancer.forward]}
    refused("CertificateNotFound", elb.create_listener, **secure)
    (listener,) = elb.create_listener(**secure, Certificates=[{"CertificateArn": one}], SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")["Listeners"]
    arn = listener["ListenerArn"]
    has(listener, SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", Certificates=[{"CertificateArn": one}])
    refused("DuplicateListener", elb.create_listener, **secure)
    elb.add_listener_certificates(ListenerArn=arn, Certificates=[{"CertificateArn": two}])
    certificate = [{"CertificateArn": three}]
    elb.modify_listener(ListenerArn=arn, Certificates=certificate, SslPolicy="ELBSecurityPolicy-2016-08")
    (listener,) = elb.describe_listeners(ListenerArns=[arn])["Listeners"]
    has(listener, SslPolicy="ELBSecurityPolicy-2016-08", Certificates=[{"CertificateArn": three}])
    certificates = elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
    assert {each["CertificateArn"]: each["IsDefault"] for each in certificates} == {three: True, two: False}
    attributes = _pairs(elb.describe_listener_attributes(ListenerArn=arn)["Attributes"])
    assert attributes["routing.http.response.server.enabled"] == "true"
    (plain,) = elb.describe_listeners(ListenerArns=[balancer.listener])["Listeners"]
    has(plain, SslPolicy=None, Certificates=None)


def test_ip_address_types_need_subnets_and_a_scheme_that_allow_them(aws: EmbeddedAWS, network: Network) -> None:
    """ "IP address types" of the User Guide for Application Load Balancers."""
    elbv2, ec2, subnets = aws.client("elbv2"), aws.client("ec2"), network.subnets[:2]
    made = elbv2.create_load_balancer(Name="b", Scheme="internal", Subnets=subnets)["LoadBalancers"][0]
    has(made, IpAddressType="ipv4")
    change = functools.partial(elbv2.set_ip_address_type, LoadBalancerArn=made["LoadBalancerArn"])
    refused("InvalidSubnet", change, IpAddressType="dualstack")
    refused("InvalidSubnet", elbv2.create_load_balancer, Name="c", Scheme="internal", Subnets=subnets, IpAddressType="dualstack")
    give_ipv6(aws, network.vpc, subnets)
    assert change(IpAddressType="dualstack")["IpAddressType"] == "dualstack"
    refused("InvalidConfigurationRequest", change, IpAddressType="dualstack-without-public-ipv4")
    refused("InvalidSubnet", elbv2.set_subnets, LoadBalancerArn=made["LoadBalancerArn"], Subnets=network.subnets[1:])
    elbv2.set_subnets(LoadBalancerArn=made["LoadBalancerArn"], Subnets=network.subnets[1:], IpAddressType="ipv4")
    has(elbv2.describe_load_balancers(Names=["b"])["LoadBalancers"][0], IpAddressType="ipv4")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    open_one = {"Name": "d", "Scheme": "internet-facing", "Subnets": subnets, "IpAddressType": "dualstack-without-public-ipv4"}
    has(elbv2.create_load_balancer(**open_one)["LoadBalancers"][0], IpAddressType="dualstack-without-public-ipv4")
