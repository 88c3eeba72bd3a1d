# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Load Balancing v2: attribute and action defaults, listeners, rules, target groups."""

from __future__ import annotations

import copy
from typing import Any

from moto.elbv2 import exceptions, models, responses
from moto.s3.models import s3_backends

from embedded_aws.gaps import gap
from embedded_aws.services.servicequotas import limit
from embedded_aws.timing import Elapsed

ALB_ATTRIBUTES = {
    "access_logs.s3.bucket": "",
    "access_logs.s3.enabled": "false",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
RESPONSE_HEADERS = (
    "access_control_allow_credentials",
    "access_control_allow_headers",
    "access_control_allow_methods",
    "access_control_allow_origin",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "strict_transport_security",
    "x_content_type_options",
    "x_frame_options",
)
REQUEST_HEADERS = (
    "x_amzn_mtls_clientcert",
    "x_amzn_mtls_clientcert_issuer",
    "x_amzn_mtls_clientcert_leaf",
    "x_amzn_mtls_clientcert_serial_number",
    "x_amzn_mtls_clientcert_subject",
    "x_amzn_mtls_clientcert_validity",
    "x_amzn_tls_cipher_suite",
    "x_amzn_tls_version",
)
HOSTED_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
    "eu-west-1": "Z32O12XQLNTSW2",
    "eu-west-2": "ZHURV8PSTC4K8",
    "eu-west-3": "Z3Q77PNBQS71R4",
    "eu-central-1": "Z215JYRZR1TBD5",
    "eu-north-1": "Z23TAZ6LKFMNIO",
}
AUTHENTICATE_DEFAULTS = {
    "OnUnauthenticatedRequest": "authenticate",
    "Scope": "openid",
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "SessionTimeout": 604800,
}
REDIRECT_DEFAULTS = {"Host": "#{host}", "Path": "/#{path}", "Port": "#{port}", "Protocol": "#{protocol}", "Query": "#{query}"}
CONDITION_CONFIGS = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}
ASK_WHO_CALLS = ("authenticate-cognito", "authenticate-oidc", "jwt-validation")
CLAIM_FORMATS = ("single-string", "string-array", "space-separated-values")
CHECKED_CLAIMS = ("exp", "iss", "nbf", "iat")
"""Those of a token that a load balancer checks by itself."""


@gap(models.FakeLoadBalancer, "__init__")
def load_balancer_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """An Application Load Balancer has every attribute from the start; an internal one's DNS name says internal."""
    original(self, *args, **kwargs)
    self.scheme = self.scheme or "internet-facing"
    self.since_creation = Elapsed("elb")
    region = self.arn.split(":")[3]
    self.canonical_hosted_zone_id = HOSTED_ZONES.get(region, self.canonical_hosted_zone_id)
    number = int(self.arn.rpartition("/")[2][:8], 16)
    internal = "internal-" if self.scheme == "internal" else ""
    self.dns_name = f"{internal}{self.name}-{number:010}.{region}.elb.amazonaws.com"  # of one length, so that tests can compare requests by size
    if self.type == "application":
        self.attrs = dict(ALB_ATTRIBUTES)


@gap()
def known_load_balancer_attributes() -> None:
    """ModifyLoadBalancerAttributes accepts every documented attribute."""
    models.FakeLoadBalancer.VALID_ATTRS |= ALB_ATTRIBUTES.keys()


@gap(models.ELBv2Backend, "modify_load_balancer_attributes")
def modify_load_balancer_attributes(original: Any, self: Any, arn: str, attrs: dict[str, str]) -> Any:
    """ModifyLoadBalancerAttributes refuses a log bucket of another region, or whose default encryption is not SSE-S3."""
    # "Requirements" of enable-access-logging; the words: terraform-aws-modules/terraform-aws-alb#61, aws/aws-cdk#21947
    bucket = s3_backends[self.account_id][self.partition].buckets.get(attrs.get("access_logs.s3.bucket", ""))
    if bucket:
        default = bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"]
        if bucket.region_name != self.region_name or default["SSEAlgorithm"] != "AES256":
            raise exceptions.ELBClientError("InvalidConfigurationRequest", f"Access Denied for bucket: {bucket.name}. Please check S3bucket permission")
    return original(self, arn, attrs)


@gap(models.FakeLoadBalancer, "activate")
def activate(original: Any, self: Any) -> None:
    """A load balancer is provisioning before it is active."""
    if self.since_creation.over():
        original(self)


@gap(models.ELBv2Backend, "create_load_balancer")
def load_balancer_name_is_unique(original: Any, self: Any, name: str, **kwargs: Any) -> Any:
    """CreateLoadBalancer refuses a name in use, except with the same settings, when it answers with what exists."""
    for balancer in self.load_balancers.values():
        if balancer.name == name:
            same = (
                balancer.scheme == (kwargs.get("scheme") or "internet-facing")
                and sorted(balancer.security_groups) == sorted(kwargs.get("security_groups") or [])
                and sorted(subnet.id for subnet in balancer.subnets) == sorted(kwargs.get("subnet_ids") or [])
            )
            if same:
                return balancer
            raise exceptions.DuplicateLoadBalancerName()
    return original(self, name=name, **kwargs)


@gap(models.ELBv2Backend, "create_load_balancer")
def room_for_load_balancer(original: Any, self: Any, name: str, subnet_ids: list[str], **kwargs: Any) -> Any:
    """CreateLoadBalancer refuses one beyond the quota, too few free addresses, and the internet without an internet gateway."""
    there = [balancer for balancer in self.load_balancers.values() if balancer.type == "application"]
    if all(balancer.name != name for balancer in there):
        if len(there) >= limit(self.account_id, self.region_name, "elasticloadbalancing", "L-53DA6B97"):
            raise exceptions.ELBClientError("TooManyLoadBalancers", "The maximum number of load balancers has been reached.")
        for subnet in filter(None, map(self.ec2_backend.get_subnet, subnet_ids or [])):
            if subnet.available_ip_address_count < 8:
                raise exceptions.ELBClientError(
                    "InvalidSubnet", f"Not enough IP space available in {subnet.id}. ELB requires at least 8 free IP addresses in each subnet."
                )
            gateways = [each.vpc.id for each in subnet.ec2_backend.internet_gateways.values() if each.vpc]
            if kwargs.get("scheme") == "internet-facing" and subnet.vpc_id not in gateways:
                raise exceptions.ELBClientError("InvalidSubnet", f"VPC {subnet.vpc_id} has no internet gateway")
    return original(self, name=name, subnet_ids=subnet_ids, **kwargs)


@gap(models.ELBv2Backend, "create_load_balancer")
def load_balancer_subnets(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateLoadBalancer takes one subnet of each zone, for an Application Load Balancer of two zones or more."""
    _check_zones(self, kwargs.get("subnet_ids") or [])
    return original(self, *args, **kwargs)


@gap(models.ELBv2Backend, "create_load_balancer")
def address_type_of_load_balancer(original: Any, self: Any, *args: Any, ip_address_type: str = "ipv4", **kwargs: Any) -> Any:
    """CreateLoadBalancer takes a type of IP addresses that its subnets and its scheme allow; one without public IPv4 among them."""
    _check_address_type(self, ip_address_type, kwargs.get("scheme"), kwargs.get("subnet_ids") or [])
    balancer = original(self, *args, **kwargs)
    balancer.ip_address_type = ip_address_type
    if ip_address_type != "ipv4" and balancer.scheme == "internal":
        balancer.attrs["ipv6.deny_all_igw_traffic"] = "true"
    return balancer


@gap(models.ELBv2Backend, "set_ip_address_type")
def set_ip_address_type(_original: Any, self: Any, arn: str, ip_type: str) -> None:
    """SetIpAddressType takes a type of IP addresses that subnets and scheme of the load balancer allow."""
    balancer = self.describe_load_balancers([arn], None)[0]
    _check_address_type(self, ip_type, balancer.scheme, [subnet.id for subnet in balancer.subnets])
    balancer.ip_address_type = ip_type


@gap(responses.ELBV2Response, "set_subnets")
def set_subnets(original: Any, self: Any) -> Any:
    """SetSubnets takes subnets that allow the type of IP addresses, which it can change at the same time."""
    balancer = self.elbv2_backend.describe_load_balancers([self._get_param("LoadBalancerArn")], None)[0]
    wanted = self._get_param("IpAddressType") or balancer.ip_address_type
    _check_address_type(self.elbv2_backend, wanted, balancer.scheme, self._get_param("Subnets", []))
    answer = original(self)
    balancer.ip_address_type = wanted
    return answer


def _check_address_type(backend: Any, ip_type: str, scheme: str | None, subnet_ids: list[str]) -> None:
    if ip_type not in ("ipv4", "dualstack", "dualstack-without-public-ipv4"):
        raise exceptions.ELBClientError("ValidationError", f"'{ip_type}' is not a valid IP address type")
    if ip_type == "dualstack-without-public-ipv4" and scheme == "internal":
        raise exceptions.ELBClientError("InvalidConfigurationRequest", f"IP address type '{ip_type}' is not supported for internal load balancers")
    found = [backend.ec2_backend.get_subnet(subnet) for subnet in subnet_ids]
    if ip_type != "ipv4" and not all(map(_has_ipv6, filter(None, found))):
        raise exceptions.ELBClientError("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block.")


def _has_ipv6(subnet: Any) -> bool:
    return any(each["ipv6CidrBlockState"]["State"] == "associated" for each in subnet.ipv6_cidr_block_associations.values())


def _check_zones(backend: Any, subnet_ids: list[str]) -> None:
    found = [backend.ec2_backend.get_subnet(subnet) for subnet in subnet_ids]
    zones = [subnet.availability_zone for subnet in found if subnet]
    if len(set(zones)) < len(zones):
        raise exceptions.ELBClientError("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    if len(zones) == 1:
        raise exceptions.ELBClientError("ValidationError", "At least two subnets in two different Availability Zones must be specified")


@gap(models.ELBv2Backend, "delete_load_balancer")
def delete_load_balancer(original: Any, self: Any, arn: str) -> None:
    """DeleteLoadBalancer is refused with deletion protection: OperationNotPermitted."""
    balancer = self.load_balancers.get(arn)
    if balancer and balancer.attrs["deletion_protection.enabled"] == "true":
        raise exceptions.ELBClientError("OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    original(self, arn)


@gap(models.FakeAction, "__init__")
def action_defaults(original: Any, self: Any, data: dict[str, Any]) -> None:
    """Actions are echoed with their defaults filled in, forwards in both forms, and without a client secret."""
    data = copy.deepcopy(data)
    match data.get("Type"):
        case "redirect":
            data["RedirectConfig"] = {**REDIRECT_DEFAULTS, **data["RedirectConfig"]}
        case "authenticate-cognito":
            data["AuthenticateCognitoConfig"] = {**AUTHENTICATE_DEFAULTS, **data["AuthenticateCognitoConfig"]}
        case "authenticate-oidc":
            config = {**AUTHENTICATE_DEFAULTS, **data["AuthenticateOidcConfig"]}
            config.pop("ClientSecret", None)
            config.pop("UseExistingClientSecret", None)
            data["AuthenticateOidcConfig"] = config
        case "forward":
            groups = data.get("ForwardConfig", {}).get("TargetGroups")
            if data.get("TargetGroupArn") and not groups:
                data["ForwardConfig"] = {"TargetGroups": [{"TargetGroupArn": data["TargetGroupArn"]}]}
            elif groups and len(groups) == 1:
                data["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    original(self, data)


@gap(models.ELBv2Backend, "_validate_actions")
def validate_actions(original: Any, self: Any, actions: list[Any]) -> None:
    """A list of actions ends with exactly one forward, redirect or fixed-response."""
    final = [action.type in ("forward", "redirect", "fixed-response") for action in actions]
    if actions and (sum(final) != 1 or not final[_last_action(actions)]):
        raise exceptions.ELBClientError("InvalidLoadBalancerAction", "The last action must be a forward, redirect or fixed-response action")
    original(self, [action for action in actions if action.type != "jwt-validation"])  # which moto does not know


@gap(models.ELBv2Backend, "_validate_actions")
def validate_tokens(original: Any, self: Any, actions: list[Any]) -> None:
    """A jwt-validation action has an HTTPS endpoint of keys, an issuer and at most 10 further claims with 1 to 10 values; a rule asks once who calls."""
    # API_JwtValidationActionConfig and API_JwtValidationActionAdditionalClaim; for one of these actions in a rule, API_Action
    if sum(action.type in ASK_WHO_CALLS for action in actions) > 1:
        raise exceptions.ELBClientError("InvalidLoadBalancerAction", "A rule can have one authentication action")
    for action in actions:
        if action.type == "jwt-validation" and (reason := _wrong_with_tokens(action.data.get("JwtValidationConfig") or {})):
            raise exceptions.ELBClientError("ValidationError", reason)
    original(self, actions)


def _wrong_with_tokens(config: dict[str, Any]) -> str | None:
    endpoint, issuer, claims = config.get("JwksEndpoint", ""), config.get("Issuer", ""), config.get("AdditionalClaims") or []
    if not endpoint.startswith("https://") or len(endpoint) > 256:
        return "JwksEndpoint must be an HTTPS URL of at most 256 characters"
    if not 0 < len(issuer) <= 256:
        return "Issuer must have 1 to 256 characters"
    if len(claims) > 10:
        return "A JWT validation action can have 10 additional claims"
    for claim in claims:
        values = claim.get("Values") or []
        if claim["Name"] in CHECKED_CLAIMS:
            return f"The claim '{claim['Name']}' is validated by default"
        if claim["Format"] not in CLAIM_FORMATS:
            return f"'{claim['Format']}' is not a valid format of a claim"
        if not 0 < len(values) <= 10 or any(len(value) > 256 for value in values):
            return f"The claim '{claim['Name']}' must have 1 to 10 values of at most 256 characters"
        if claim["Format"] == "space-separated-values" and any(" " in value for value in values):
            return f"The values of the claim '{claim['Name']}' cannot include spaces"
    return None


def _check_protocol(protocol: str, actions: list[dict[str, Any]]) -> None:
    for action in actions or []:
        if action["Type"] in ASK_WHO_CALLS and protocol != "HTTPS":
            raise exceptions.ELBClientError("InvalidLoadBalancerAction", f"Actions of type '{action['Type']}' are supported only on HTTPS listeners")


def _last_action(actions: list[Any]) -> int:
    return max(range(len(actions)), key=lambda index: (int(actions[index].data.get("Order", 1)), index))


@gap(models.ELBv2Backend, "create_rule")
def create_rule(original: Any, self: Any, listener_arn: str, conditions: Any, priority: int, actions: Any, **kwargs: Any) -> Any:
    """CreateRule refuses a target group that another load balancer uses (TargetGroupAssociationLimit), and to ask who calls over plain HTTP."""
    _check_protocol(self.describe_listeners(None, [listener_arn])[0].protocol, actions)
    forwards = [action for action in actions if action["Type"] == "forward"]
    wanted = {arn for action in forwards for arn in self._get_target_group_arns_from(action_data=action)}
    for balancer in self.load_balancers.values():
        taken = [arn for arn in wanted if _uses(self, balancer, arn)]
        if taken and listener_arn not in balancer.listeners:
            raise exceptions.ELBClientError(
                "TargetGroupAssociationLimit", f"The following target groups cannot be associated with more than one load balancer: {', '.join(taken)}"
            )
    return original(self, listener_arn, conditions, priority, actions, **kwargs)


@gap(models.FakeListenerRule, "__init__")
def rule_conditions(original: Any, self: Any, listener_arn: str, arn: str, conditions: Any, *rest: Any) -> None:
    """Host and path conditions are echoed both as Values and as their Config."""
    original(self, listener_arn, arn, _both_forms(conditions), *rest)
    self.transforms: list[dict[str, Any]] = []


@gap(models.ELBv2Backend, "modify_rule")
def modify_rule(original: Any, self: Any, rule_arn: str, conditions: Any, actions: Any) -> Any:
    """ModifyRule echoes conditions in both forms, refuses the default rule, and to ask who calls over plain HTTP."""
    (before,) = self.describe_rules(None, [rule_arn])
    _check_protocol(self.describe_listeners(None, [before.listener_arn])[0].protocol, actions)
    rule = original(self, rule_arn, conditions, actions)
    rule.conditions = _both_forms(rule.conditions)
    return rule


def _both_forms(conditions: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    echoed = []
    for condition in conditions or []:
        config = CONDITION_CONFIGS.get(condition.get("Field", ""))
        if config:
            values = condition.get("Values") or condition.get(config, {}).get("Values")
            condition = {**condition, "Values": values, config: {"Values": values}}
        echoed.append(condition)
    return echoed


@gap(models.ELBv2Backend, "describe_rules")
def describe_rules(original: Any, self: Any, listener_arn: Any, rule_arns: Any) -> Any:
    """DescribeRules lists a listener's rules by priority, the default one last, and does not find a missing one."""
    rules = original(self, listener_arn, rule_arns)
    return sorted(rules, key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)))


@gap(models.ELBv2Backend, "delete_rule")
def delete_rule(original: Any, self: Any, arn: str) -> None:
    """DeleteRule does not find a missing rule and refuses the default one."""
    rule = self.describe_rules(None, [arn])[0]
    if rule.is_default:
        raise exceptions.ELBClientError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
    original(self, arn)


@gap(models.ELBv2Backend, "set_rule_priorities")
def set_rule_priorities(_original: Any, self: Any, rule_priorities: list[dict[str, Any]]) -> Any:
    """SetRulePriorities may swap priorities; only a rule that is not named in the call is in the way."""
    priorities = [each["Priority"] for each in rule_priorities]
    for priority in priorities:
        if priorities.count(priority) > 1:
            raise exceptions.DuplicatePriorityError(priority)
    arns = [each["RuleArn"] for each in rule_priorities]
    rules = {rule.arn: rule for rule in self.describe_rules(None, arns)}
    for each in rule_priorities:
        siblings = self.describe_rules(rules[each["RuleArn"]].listener_arn, None)
        if any(rule.priority == each["Priority"] and rule.arn not in arns for rule in siblings):
            raise exceptions.PriorityInUseError()
    for each in rule_priorities:
        rules[each["RuleArn"]].priority = each["Priority"]
    return [rules[arn] for arn in arns]


@gap(responses.ELBV2Response, "modify_rule")
def modify_transforms(original: Any, self: Any) -> Any:
    """ModifyRule replaces the transforms of a rule, or takes them away."""
    params = self._get_params()
    wanted = [] if params.get("ResetTransforms") else params.get("Transforms")
    if wanted is None:
        return original(self)
    if params.get("Conditions") or params.get("Actions"):
        original(self)
    (rule,) = self.elbv2_backend.describe_rules(None, [params["RuleArn"]])
    rule.transforms = wanted
    return responses.ActionResult({"Rules": [rule]})


@gap(responses.ELBV2Response, "modify_listener")
def modify_mutual_authentication(original: Any, self: Any) -> Any:
    """ModifyListener says whether an HTTPS listener verifies client certificates; without a word about it that stays as it is."""
    wanted = self._get_params().get("MutualAuthentication")
    (listener,) = self.elbv2_backend.describe_listeners(None, [self._get_param("ListenerArn")])
    if wanted and listener.protocol == "HTTPS":
        listener.mutual_authentication = wanted
    return original(self)


@gap(models.FakeListener, "__init__")
def listener_defaults(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Only a secure listener has a TLS policy; an ALB's listener has the header attributes."""
    original(self, *args, **kwargs)
    if self.protocol not in ("HTTPS", "TLS"):
        self.ssl_policy = None
    if self.protocol in ("HTTP", "HTTPS"):
        self.attributes = {"routing.http.response.server.enabled": "true"}
        self.attributes |= {f"routing.http.response.{header}.header_value": "" for header in RESPONSE_HEADERS}
    if self.protocol == "HTTPS":
        self.mutual_authentication = {"Mode": "off"}
        self.attributes |= {f"routing.http.request.{header}.header_name": "-".join(part.title() for part in header.split("_")) for header in REQUEST_HEADERS}


@gap(models.ELBv2Backend, "create_listener")
def create_listener(original: Any, self: Any, **kwargs: Any) -> Any:
    """CreateListener refuses a port in use and an HTTPS listener without an existing certificate."""
    balancer = self.load_balancers.get(kwargs["load_balancer_arn"])
    if balancer and any(listener.port == kwargs["port"] for listener in balancer.listeners.values()):
        raise exceptions.DuplicateListenerError()
    if kwargs["protocol"] == "HTTPS":
        if not kwargs["certificate"]:
            raise exceptions.ELBClientError("CertificateNotFound", "A certificate must be specified for HTTPS listeners")
        if not self._certificate_exists(kwargs["certificate"]):
            raise exceptions.ELBClientError("CertificateNotFound", f"Certificate {kwargs['certificate']} not found")
    return original(self, **kwargs)


@gap(models.ELBv2Backend, "modify_listener")
def modify_listener(original: Any, self: Any, arn: str, *args: Any, **kwargs: Any) -> Any:
    """ModifyListener replaces the default certificate only, and a plain listener keeps neither it nor a policy."""
    listener = self.describe_listeners(None, [arn])[0]
    additional = listener.certificates[1:]
    original(self, arn, *args, **kwargs)
    listener.certificates = listener.certificates[:1] + [each for each in additional if each != listener.certificate]
    if listener.protocol in ("HTTPS", "TLS"):
        listener.ssl_policy = listener.ssl_policy or "ELBSecurityPolicy-2016-08"
    else:
        listener.certificate, listener.certificates, listener.ssl_policy = None, [], None
    return listener


@gap(models.ELBv2Backend, "add_listener_certificates")
def add_listener_certificates(original: Any, self: Any, arn: str, certificates: list[dict[str, Any]]) -> Any:
    """AddListenerCertificates refuses a plain listener and what is no certificate, and takes one that is in the list already without a word."""
    # API_AddListenerCertificates: "If the certificate in already in the certificate list, the call is successful but the certificate is not added again."
    listener = self.describe_listeners(None, [arn])[0]
    if listener.protocol not in ("HTTPS", "TLS"):
        raise exceptions.ELBClientError("UnsupportedProtocol", "Certificates can be added to HTTPS and TLS listeners only")
    wanted = [each["CertificateArn"] for each in certificates]
    for certificate in wanted:
        if not self._certificate_exists(certificate):
            raise exceptions.ELBClientError("CertificateNotFound", f"Certificate '{certificate}' not found")
    return original(self, arn, [{"CertificateArn": each} for each in wanted if each not in listener.certificates[1:]])


@gap(models.ELBv2Backend, "remove_listener_certificates")
def remove_listener_certificates(_original: Any, self: Any, arn: str, certificates: list[dict[str, Any]]) -> None:
    """RemoveListenerCertificates refuses the default certificate of a listener: OperationNotPermitted."""
    # API_RemoveListenerCertificates: "You can't remove the default certificate for a listener."
    listener = self.describe_listeners(None, [arn])[0]
    unwanted = [each["CertificateArn"] for each in certificates]
    if listener.certificates[0] in unwanted and listener.certificates[0] not in listener.certificates[1:]:
        raise exceptions.ELBClientError("OperationNotPermitted", "The default certificate of a listener cannot be removed")
    listener.certificates = [listener.certificates[0], *(each for each in listener.certificates[1:] if each not in unwanted)]


@gap()
def default_certificate_only() -> None:
    """DescribeListeners shows a listener's default certificate; DescribeListenerCertificates shows all."""

    def default_certificate(arns: list[str]) -> list[dict[str, str]] | None:
        return [{"CertificateArn": arn} for arn in arns[:1]] or None

    for path, transformer in responses.ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items():
        if transformer is responses.transform_certificates:
            responses.ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER[path] = default_certificate


@gap(models.FakeTargetGroup, "__init__")
def target_group_attributes(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """An HTTP target group has every attribute from the start."""
    original(self, *args, **kwargs)
    if self.protocol in ("HTTP", "HTTPS"):
        self.attributes = dict(TARGET_GROUP_ATTRIBUTES)


@gap(responses.ELBV2Response, "modify_target_group_attributes")
def modify_target_group_attributes(original: Any, self: Any) -> Any:
    """ModifyTargetGroupAttributes answers with all attributes."""
    original(self)
    return self.describe_target_group_attributes()


@gap(models.ELBv2Backend, "add_tags")
def add_tags(_original: Any, self: Any, resource_arns: list[str], tags: list[dict[str, str]]) -> None:
    """A resource takes 50 tags; AddTags refuses more."""
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
        if len({*self.tagging_service.get_tag_dict_for_resource(arn), *(tag["Key"] for tag in tags)}) > 50:
            raise exceptions.TooManyTagsError()
        self.tagging_service.tag_resource(arn, tags)


@gap(models.ELBv2Backend, "describe_target_groups")
def target_group_load_balancers(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """A target group names the load balancers whose listeners and rules use it now."""
    for group in self.target_groups.values():
        group.load_balancer_arns = [balancer.arn for balancer in self.load_balancers.values() if _uses(self, balancer, group.arn)]
    return original(self, *args, **kwargs)


def _uses(backend: Any, balancer: Any, target_group_arn: str) -> bool:
    return any(
        target_group_arn in backend._get_target_group_arns_from(action_data=action.data)
        for listener in balancer.listeners.values()
        for rule in listener.rules.values()
        for action in rule.actions
    )
