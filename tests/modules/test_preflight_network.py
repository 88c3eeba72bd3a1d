# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds out about the network, the names and the account before the first change."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest
from ansible.module_utils.common import warnings
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight import sign_in
from modules.run_module import ModuleFailed, run_module
from support.stack import certificate as issued
from support.stack import give_ipv6, prerequisites, public_subnets, shared_network

LOAD_BALANCER, SERVICE = "mlflow_load_balancer_subnet_ids", "mlflow_service_subnet_ids"
CALLERS = "mlflow_load_balancer_ingress_cidr_blocks"
NETWORK = ("mlflow_vpc_id", LOAD_BALANCER, SERVICE, "mlflow_database_subnet_ids")
NAME = "mlflow-team-x"
OWN = [{"Key": "managed-by", "Value": "mlplatform.mlflow_aws"}, {"Key": "mlflow-stack", "Value": NAME}]


def told(aws, inputs, **options):
    """The problems by variable, and the warnings. Nothing is ever changed."""
    mark = aws.mark()
    warnings._global_warnings.clear()  # of what ran in this process before
    try:
        result = run_module("preflight", {"inputs": inputs, **options}, aws)
    except ModuleFailed as error:
        result = error.result
    assert aws.mutating(mark) == []
    problems = {}
    for line in result.get("problems", []):
        problems.setdefault(line.partition(":")[0], []).append(line)
    return problems, str(result.get("warnings", []))


def network(inputs, **changes):
    return {name: inputs[name] for name in NETWORK} | {"mlflow_unique_name": NAME} | changes


@pytest.fixture
def inputs(aws):
    return prerequisites(aws)


def lead(aws, vpc, subnets, **target):
    """Give subnets a route table of their own."""
    ec2 = aws.client("ec2")
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    if target:
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)


# The way out


def test_a_missing_default_route_is_warned_of(aws, inputs):
    vpc, subnet = inputs["mlflow_vpc_id"], inputs[LOAD_BALANCER][0]
    problems, warned = told(aws, network(inputs))
    assert not problems and "no route to the internet" not in warned

    lead(aws, vpc, [subnet])
    problems, warned = told(aws, network(inputs))
    assert not problems and warned.count("no route to the internet") == 1 and subnet in warned

    ec2 = aws.client("ec2")
    main = next(t["RouteTableId"] for t in ec2.describe_route_tables()["RouteTables"] if t["VpcId"] == vpc and any(a.get("Main") for a in t["Associations"]))
    ec2.delete_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0")
    problems, warned = told(aws, network(inputs))
    assert not problems and warned.count("the load balancer has to reach") == 3 and warned.count("the tasks have to reach ghcr.io") == 3
    ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow"
    assert "the tasks have to reach" not in told(aws, network(inputs, mlflow_service_image=ecr))[1]


def test_an_internal_load_balancer_needs_a_nat_gateway_to_sign_people_in(aws, inputs):
    public = network(inputs, **{LOAD_BALANCER: public_subnets(aws, inputs["mlflow_vpc_id"])})
    problems, _warned = told(aws, public)
    assert list(problems) == [LOAD_BALANCER]
    assert "leads to igw-" in problems[LOAD_BALANCER][0] and "nobody can sign in: give private subnets" in problems[LOAD_BALANCER][0]
    # an identity provider of one's own may have a private address
    problems, warned = told(aws, {**public, "mlflow_load_balancer_sign_in": "oidc"})
    assert not problems and "leads to igw-" in warned
    # whoever has it already keeps it
    aws.client("elbv2").create_load_balancer(Name=NAME, Scheme="internal", Subnets=public[LOAD_BALANCER], Tags=OWN)
    problems, warned = told(aws, public)
    assert not problems and "leads to igw-" in warned


def test_an_internet_facing_load_balancer_needs_an_internet_gateway(aws, inputs):
    problems, _warned = told(aws, network(inputs, mlflow_load_balancer_is_internal=False))
    assert list(problems) == [LOAD_BALANCER]
    assert "leads to nat-" in problems[LOAD_BALANCER][0] and "mlflow_load_balancer_is_internal to true" in problems[LOAD_BALANCER][0]
    public = public_subnets(aws, inputs["mlflow_vpc_id"])
    assert told(aws, network(inputs, mlflow_load_balancer_is_internal=False, **{LOAD_BALANCER: public}))[0] == {}


def test_tasks_have_no_public_address(aws, inputs):
    public = network(inputs, **{SERVICE: public_subnets(aws, inputs["mlflow_vpc_id"])})
    problems, _warned = told(aws, public)
    assert list(problems) == [SERVICE] and "the tasks have no public address" in problems[SERVICE][0]
    for image in ("python", "quay.io/team/mlflow"):
        assert list(told(aws, {**public, "mlflow_service_image": image})[0]) == [SERVICE]
    problems, warned = told(aws, {**public, "mlflow_service_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow"})
    assert not problems and "the tasks have no public address" in warned  # VPC endpoints may lead there


def test_the_endpoints_that_tasks_without_a_way_to_the_internet_lack_are_named(aws, inputs):
    ec2, vpc = aws.client("ec2"), inputs["mlflow_vpc_id"]
    given = network(inputs, mlflow_service_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow")
    mark = aws.mark()
    assert "VPC endpoint" not in told(aws, given)[1]
    assert not any(call["operation"] == "DescribeVpcEndpoints" for call in aws.calls(mark))
    lead(aws, vpc, inputs[SERVICE])
    problems, warned = told(aws, given)
    assert not problems and warned.count("no VPC endpoint leads from there to s3, logs, secretsmanager, ecr.api, ecr.dkr: the tasks") == 3
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [inputs[SERVICE][0]]}])["RouteTables"]
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-west-1.s3", RouteTableIds=[table["RouteTableId"]], VpcEndpointType="Gateway")
    for service in ("ecr.api", "ecr.dkr", "logs", "secretsmanager"):
        name = f"com.amazonaws.eu-west-1.{service}"
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType="Interface", SubnetIds=inputs[SERVICE], PrivateDnsEnabled=service != "logs")
    assert told(aws, given)[1].count("no VPC endpoint leads from there to logs: the tasks") == 3
    parameter = {"KEY": "arn:aws:ssm:eu-west-1:123456789012:parameter/team-x/key"}
    assert "leads from there to logs, ssm: the" in told(aws, {**given, "mlflow_service_secrets": parameter})[1]


def test_no_endpoint_leads_to_cognito(aws, inputs):
    lead(aws, inputs["mlflow_vpc_id"], inputs[LOAD_BALANCER])
    assert told(aws, network(inputs))[1].count("nobody can sign in, and no VPC endpoint leads to Cognito's token endpoint") == 3
    assert "VPC endpoint" not in told(aws, network(inputs, mlflow_load_balancer_sign_in="oidc"))[1]


def test_what_only_the_owner_of_a_shared_network_knows_is_not_guessed(aws, inputs):
    shared = shared_network(aws)
    given = {**network(inputs), **shared}
    assert told(aws, given) == ({}, "[]")
    owner = aws.client_of("999999999999", "ec2")
    subnet = shared[SERVICE][0]
    (table,) = owner.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    association = next(each["RouteTableAssociationId"] for each in table["Associations"] if each.get("SubnetId") == subnet)
    owner.disassociate_route_table(AssociationId=association)  # so that the main one of the VPC, which leads nowhere, is its own
    assert told(aws, given) == ({}, "[]")
    public = owner.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    owner.replace_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=public)
    assert list(told(aws, given)[0]) == [SERVICE]  # what is seen counts


# IPv6, and prefix lists


def test_ipv6_needs_subnets_with_ipv6(aws, inputs):
    given = network(inputs, mlflow_load_balancer_ip_address_type="dualstack")
    problems, _warned = told(aws, given)
    assert list(problems) == [LOAD_BALANCER] and f"{', '.join(inputs[LOAD_BALANCER])} has no IPv6 CIDR block" in problems[LOAD_BALANCER][0]
    give_ipv6(aws, inputs["mlflow_vpc_id"], inputs[LOAD_BALANCER])
    assert told(aws, given)[0] == {}


def test_nobody_signs_in_with_cognito_without_public_ipv4(aws, inputs):
    public = public_subnets(aws, inputs["mlflow_vpc_id"])
    give_ipv6(aws, inputs["mlflow_vpc_id"], public)
    given = network(inputs, mlflow_load_balancer_is_internal=False, **{LOAD_BALANCER: public}) | {
        "mlflow_load_balancer_ip_address_type": "dualstack-without-public-ipv4"
    }
    problems, warned = told(aws, given)
    assert not problems and "nobody can sign in with Cognito" in warned
    assert "nobody can sign in" not in told(aws, {**given, "mlflow_load_balancer_sign_in": "oidc"})[1]
    assert "nobody can sign in" not in told(aws, {**given, "mlflow_load_balancer_ip_address_type": "dualstack"})[1]


def test_prefix_lists_that_are_not_there_or_of_the_other_version_are_told(aws, inputs):
    def prefix_list(family, entries):
        made = aws.client("ec2").create_managed_prefix_list(PrefixListName="a", AddressFamily=family, MaxEntries=entries)
        return made["PrefixList"]["PrefixListId"]

    four, six, large = prefix_list("IPv4", 10), prefix_list("IPv6", 10), prefix_list("IPv4", 30)
    given = network(inputs, **{CALLERS: ["192.0.2.0/24", four]}) | {"mlflow_load_balancer_ip_address_type": "ipv4"}
    mark = aws.mark()
    assert told(aws, given)[0] == {}
    assert sum(call["operation"] == "DescribeManagedPrefixLists" for call in aws.calls(mark)) == 1
    (line,) = told(aws, {**given, CALLERS: [four, "pl-0a1b2c3d4e5f67890"]})[0][CALLERS]
    assert "pl-0a1b2c3d4e5f67890 not found in eu-west-1" in line and f"{four} not" not in line
    (line,) = told(aws, {**given, CALLERS: [four, six]})[0][CALLERS]
    assert f"{six} holds IPv6 addresses" in line
    (line,) = told(aws, {**given, CALLERS: ["192.0.2.0/24", large]})[0][CALLERS]
    assert "1 IPv4 blocks and prefix lists of up to 30 entries take 63 rules, and AWS takes 60 inbound rules" in line


# Zones


def subnets_of(aws, region, zones):
    ec2 = boto3.client("ec2", region_name=region, endpoint_url=aws.endpoint, aws_access_key_id="a", aws_secret_access_key="b")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=region + zone)["Subnet"] for n, zone in enumerate(zones)]
    return {"mlflow_vpc_id": vpc, "mlflow_unique_name": NAME, SERVICE: [subnet["SubnetId"] for subnet in made]}


def test_a_zone_without_vpc_links_is_refused_by_its_id(aws):
    given = subnets_of(aws, "eu-west-3", "abc")
    problems, _warned = told(aws, given, region="eu-west-3")
    (line,) = problems.pop(SERVICE)
    assert not problems and f"{given[SERVICE][1]} lies in the zone euw3-az2 (eu-west-3b), where AWS has no VPC links" in line
    assert "give subnets in the zones euw3-az1, euw3-az3" in line
    assert told(aws, {**given, SERVICE: given[SERVICE][::2]}, region="eu-west-3")[0] == {}


def test_a_zone_that_nobody_knows_is_warned_of(aws):
    problems, warned = told(aws, subnets_of(aws, "ap-southeast-3", "abc"), region="ap-southeast-3")
    assert not problems and "does not know whether API Gateway makes VPC links in" in warned


def test_a_link_that_is_there_knows_better_than_the_list(aws):
    given = subnets_of(aws, "ap-northeast-2", "abcd")
    assert list(told(aws, given, region="ap-northeast-2")[0]) == [SERVICE]
    apigw = boto3.client("apigatewayv2", region_name="ap-northeast-2", endpoint_url=aws.endpoint, aws_access_key_id="a", aws_secret_access_key="b")
    apigw.create_vpc_link(Name="another", SubnetIds=["subnet-0123456789abcdef0"])
    assert list(told(aws, given, region="ap-northeast-2")[0]) == [SERVICE]


# Addresses


def test_too_few_free_addresses_are_told(aws, inputs):
    ec2, vpc = aws.client("ec2"), inputs["mlflow_vpc_id"]
    small = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.60.0/28", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]
    problems, _warned = told(aws, network(inputs, **{LOAD_BALANCER: [small, *inputs[LOAD_BALANCER][1:]]}))
    assert list(problems) == [LOAD_BALANCER] and f"{small} is a /28" in problems[LOAD_BALANCER][0]

    ec2.create_network_interface(SubnetId=inputs[LOAD_BALANCER][1], SecondaryPrivateIpAddressCount=243)
    problems, _warned = told(aws, network(inputs))
    assert list(problems) == [LOAD_BALANCER] and "has 7 free addresses, and a load balancer takes 8" in problems[LOAD_BALANCER][0]
    assert told(aws, network(inputs, **{LOAD_BALANCER: inputs[LOAD_BALANCER][::2]}))[0] == {}

    ec2.create_network_interface(SubnetId=small, SecondaryPrivateIpAddressCount=10)
    problems, _warned = told(aws, network(inputs, **{LOAD_BALANCER: inputs[LOAD_BALANCER][::2], SERVICE: [small, inputs[SERVICE][1]]}))
    assert list(problems) == [SERVICE] and f"{small} has no free address for the VPC link" in problems[SERVICE][0]


def test_what_is_there_has_its_addresses(aws, inputs):
    aws.client("elbv2").create_load_balancer(Name=NAME, Scheme="internal", Subnets=inputs[LOAD_BALANCER], Tags=OWN)
    aws.client("apigatewayv2").create_vpc_link(Name=NAME, SubnetIds=inputs[SERVICE])
    for subnet in (*inputs[LOAD_BALANCER], *inputs[SERVICE]):
        aws.client("ec2").create_network_interface(SubnetId=subnet, SecondaryPrivateIpAddressCount=249)
    assert told(aws, network(inputs))[0] == {}
    # but another subnet takes an address of its own
    small = aws.client("ec2").create_subnet(VpcId=inputs["mlflow_vpc_id"], CidrBlock="10.0.60.0/28", AvailabilityZone="eu-west-1b")["Subnet"]["SubnetId"]
    aws.client("ec2").create_network_interface(SubnetId=small, SecondaryPrivateIpAddressCount=10)
    assert list(told(aws, network(inputs, **{SERVICE: [*inputs[SERVICE][:1], small]}))[0]) == [SERVICE]


# Quotas


def quota_inputs(inputs, **changes):
    names = ("mlflow_unique_name", "mlflow_record_name", "mlflow_api_zone_name", SERVICE)
    return {name: inputs[name] for name in names} | {"mlflow_service_cpu": 2048, "mlflow_jobs": "off"} | changes


def raise_quota(aws, service, code, value):
    aws.client("service-quotas").request_service_quota_increase(ServiceCode=service, QuotaCode=code, DesiredValue=value)


def test_full_quotas_are_told_all_at_once(aws, inputs):
    gateway, elbv2, rds = aws.client("apigatewayv2"), aws.client("elbv2"), aws.client("rds")
    for n in range(10):
        gateway.create_vpc_link(Name=f"other-{n}", SubnetIds=inputs[SERVICE])
    for n in range(50):
        elbv2.create_load_balancer(Name=f"other-{n}", Scheme="internal", Subnets=inputs[LOAD_BALANCER])
    for n in range(120):
        gateway.create_domain_name(DomainName=f"{n}.example.com")
    problems, _warned = told(aws, quota_inputs(inputs))
    lines = problems.pop("mlflow_unique_name")
    assert not problems and len(lines) == 3
    for line, of in zip(lines, ("10 VPC links", "50 Application Load Balancers", "120 custom domain names of API Gateway"), strict=True):
        assert f"the account has {of} in eu-west-1 and may have {of.split()[0]}" in line and "needs 1 more" in line
        assert "in Service Quotas, or remove what nobody needs" in line
    assert "raise the quota L-608BDCD4 of apigateway" in lines[0]

    for service, code in (("apigateway", "L-608BDCD4"), ("apigateway", "L-A93447B8"), ("elasticloadbalancing", "L-53DA6B97")):
        raise_quota(aws, service, code, 200)
    assert told(aws, quota_inputs(inputs))[0] == {}
    assert rds.describe_db_clusters()["DBClusters"] == []


def test_a_quota_that_is_full_of_what_the_stack_has_is_none_of_its_business(aws, inputs):
    gateway = aws.client("apigatewayv2")
    gateway.create_vpc_link(Name=NAME, SubnetIds=inputs[SERVICE])
    for n in range(9):
        gateway.create_vpc_link(Name=f"other-{n}", SubnetIds=inputs[SERVICE])
    gateway.create_domain_name(DomainName=f"mlflow.{inputs['mlflow_api_zone_name']}", Tags={tag["Key"]: tag["Value"] for tag in OWN})
    aws.client("elbv2").create_load_balancer(Name=NAME, Scheme="internal", Subnets=inputs[LOAD_BALANCER], Tags=OWN)
    aws.client("rds").create_db_cluster(DBClusterIdentifier=NAME, Engine="aurora-mysql", MasterUsername="admin", MasterUserPassword="password1", Tags=OWN)
    mark = aws.mark()
    assert "mlflow_unique_name" not in told(aws, quota_inputs(inputs))[0]
    assert not [call for call in aws.calls(mark) if call["service"] == "service-quotas"]
    # but another subnet takes another link
    assert "mlflow_unique_name" in told(aws, quota_inputs(inputs, **{SERVICE: inputs[SERVICE][:2]}))[0]


def test_whoever_may_not_ask_for_quotas_is_not_stopped(aws, inputs):
    for n in range(10):
        aws.client("apigatewayv2").create_vpc_link(Name=f"other-{n}", SubnetIds=inputs[SERVICE])
    aws.faults({"service": "service-quotas", "operation": "GetServiceQuota", "error": {"code": "AccessDeniedException", "message": "no", "status": 400}})
    mark = aws.mark()
    assert told(aws, quota_inputs(inputs))[0] == {}
    assert {call["error"] for call in aws.calls(mark) if call["service"] == "service-quotas"} == {"AccessDeniedException"}


def test_tasks_that_the_account_may_not_run_are_told(aws, inputs):
    assert told(aws, quota_inputs(inputs))[0] == {}
    problems, _warned = told(aws, quota_inputs(inputs, mlflow_service_cpu=4096, mlflow_service_min_capacity=2))
    assert list(problems) == ["mlflow_service_cpu"] and "2 tasks of 4 vCPUs are more than the 6" in problems["mlflow_service_cpu"][0]
    problems, warned = told(aws, quota_inputs(inputs, mlflow_service_min_capacity=1, mlflow_service_max_capacity=4))
    assert not problems and "4 tasks of 2 vCPUs" in warned
    problems, warned = told(aws, quota_inputs(inputs, mlflow_service_min_capacity=1, mlflow_service_max_capacity=4, mlflow_jobs="on_demand"))
    assert not problems and "5 tasks of 2 vCPUs" in warned  # that of the jobs
    raise_quota(aws, "fargate", "L-3032A538", 8)
    assert "4 tasks of 2 vCPUs" not in told(aws, quota_inputs(inputs, mlflow_service_max_capacity=4))[1]


def test_more_blocks_than_rules_and_more_subnets_than_a_link_takes_are_told(aws, inputs):
    name = CALLERS
    four, six = [f"10.{n}.0.0/16" for n in range(30)], [f"2001:db8:{n:x}::/48" for n in range(29)]
    assert told(aws, quota_inputs(inputs, **{name: [*four[:29], *six]}))[0] == {}
    problems, _warned = told(aws, quota_inputs(inputs, **{name: [*four, *six]}))
    assert list(problems) == [name] and "30 IPv4 blocks take 61 rules, and AWS takes 60" in problems[name][0]
    raise_quota(aws, "vpc", "L-0EA8095F", 100)
    assert told(aws, quota_inputs(inputs, **{name: [*four, *six]}))[0] == {}

    many = [*inputs[SERVICE], *(f"subnet-{n:017x}" for n in range(8))]
    problems, _warned = told(aws, quota_inputs(inputs, **{SERVICE: many}))
    assert any("they are 11, and AWS takes 10 subnets in a VPC link: give fewer" in line for line in problems[SERVICE])


# Names


def test_a_cname_in_the_way_is_told(aws, inputs):
    names = ("mlflow_record_name", "mlflow_zone_id", "mlflow_zone_name", "mlflow_api_zone_id", "mlflow_api_zone_name")
    given = {name: inputs[name] for name in names}
    assert told(aws, given)[0] == {}
    for zone, kind, value in (("zone", "CNAME", "elsewhere.example.com"), ("api_zone", "NS", "ns.example.com")):
        record = {"Name": f"mlflow.{inputs[f'mlflow_{zone}_name']}", "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        aws.client("route53").change_resource_record_sets(HostedZoneId=inputs[f"mlflow_{zone}_id"], ChangeBatch=batch)
    problems, _warned = told(aws, given)
    first, second = problems.pop("mlflow_record_name")
    assert not problems and "(CNAME elsewhere.example.com)" in first and "(NS ns.example.com)" in second
    assert inputs["mlflow_zone_id"] in first and inputs["mlflow_api_zone_id"] in second


TOKENS = {"mlflow_load_balancer_token_access": True, "mlflow_load_balancer_token_record_name": "mlflow-token"}


def test_the_host_name_of_token_access_needs_a_certificate_and_a_free_name(aws, inputs):
    names = ("mlflow_record_name", "mlflow_api_zone_id", "mlflow_api_zone_name", "mlflow_api_cert_arn")
    given, zone = {name: inputs[name] for name in names}, inputs["mlflow_api_zone_name"]
    assert told(aws, {**given, **TOKENS, "mlflow_load_balancer_token_access": False})[0] == {}
    problems, _warned = told(aws, {**given, **TOKENS})
    assert list(problems) == ["mlflow_api_cert_arn"]
    assert f"it covers mlflow.{zone}, not mlflow-token.{zone}: request one for mlflow.{zone} and mlflow-token.{zone}" in problems["mlflow_api_cert_arn"][0]
    for more in (f"mlflow-token.{zone}", f"*.{zone}"):
        covered = {**given, **TOKENS, "mlflow_api_cert_arn": issued(aws, f"mlflow.{zone}", inputs["mlflow_api_zone_id"], more)}
        assert told(aws, covered)[0] == {}
    record = {"Name": f"mlflow-token.{zone}", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "elsewhere.example.com"}]}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=inputs["mlflow_api_zone_id"], ChangeBatch=batch)
    problems, _warned = told(aws, covered)
    assert list(problems) == ["mlflow_load_balancer_token_record_name"]
    assert "(CNAME elsewhere.example.com)" in problems["mlflow_load_balancer_token_record_name"][0]


def test_token_access_needs_a_boto3_that_knows_it(aws, inputs, monkeypatch):
    given = {name: inputs[name] for name in ("mlflow_record_name", "mlflow_api_zone_name")} | TOKENS
    assert told(aws, given)[0] == {}
    monkeypatch.setattr(sign_in, "TOKEN_VALIDATION", "what no boto3 knows")
    problems, _warned = told(aws, given)
    assert list(problems) == ["mlflow_load_balancer_token_access"] and "boto3" in problems["mlflow_load_balancer_token_access"][0]


def certificate(aws, name, issuer):
    """The ARN of an imported certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return aws.client("acm").import_certificate(Certificate=signed, PrivateKey=secret)["CertificateArn"]


def test_a_certificate_that_api_gateway_does_not_trust_is_told(aws, inputs):
    host = f"mlflow.{inputs['mlflow_api_zone_name']}"
    authority = "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/12345678-1234-1234-1234-123456789012"
    private = aws.client("acm").request_certificate(DomainName=host, CertificateAuthorityArn=authority)["CertificateArn"]
    names = ("mlflow_record_name", "mlflow_api_zone_name", "mlflow_unique_name")
    given = {name: inputs[name] for name in names}
    for arn in (private, certificate(aws, host, host)):
        problems, _warned = told(aws, {**given, "mlflow_api_cert_arn": arn})
        assert list(problems) == ["mlflow_api_cert_arn"] and "which API Gateway does not trust" in problems["mlflow_api_cert_arn"][0], problems
    for arn in (inputs["mlflow_api_cert_arn"], certificate(aws, host, "Some Public Authority")):
        assert told(aws, {**given, "mlflow_api_cert_arn": arn})[0] == {}
    # a browser may trust it
    people = {"mlflow_record_name": "mlflow", "mlflow_zone_name": inputs["mlflow_api_zone_name"], "mlflow_certificate_arn": private}
    assert told(aws, people)[0] == {}
