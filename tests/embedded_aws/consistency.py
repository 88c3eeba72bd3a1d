# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency: what was just made is not known everywhere for some seconds, and who refers to it is refused."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

from embedded_aws.client import ACCOUNT, REGION


class Refusal(NamedTuple):
    """How one service answers, in operations that name what it does not know yet, which the message names as C({0})."""

    service: str
    operations: str
    code: str
    message: str


@dataclass(frozen=True)
class Late:
    """What one operation makes, found in its request or answer, and how those refuse it that do not know it yet."""

    made_by: str
    """Empty for what the account lacks at first, and AWS makes for the first who needs it."""
    found_as: str
    """A regular expression whose group is what others name it by."""
    refused_by: tuple[Refusal, ...]


FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/"
DIMENSION = "scalable dimension: ecs:service:DesiredCount"
ARN = r"<{0}Arn>([^<]+)</{0}Arn>"

# Codes are those of the services' models; after each message is where it was seen, as an issue of GitHub where there is one.
TABLE = (
    Late(
        "",
        "",
        (
            # aws/containers-roadmap#2614, hashicorp/terraform-provider-aws#15457; CreateService: openemr/openemr-on-ecs#8
            Refusal(
                "ecs",
                "CreateCluster CreateService",
                "InvalidParameterException",
                "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
            ),
            # terraform-aws-modules/terraform-aws-rds#364, crossplane-contrib/provider-aws#479
            Refusal(
                "rds",
                "CreateDBSubnetGroup",
                "InvalidParameterValue",
                "Missing necessary credentials. Please check http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html",
            ),
            # aws-samples/eks-workshop-v2#1609, aws-samples/aws-fault-injection-simulator-workshop-v2#195
            Refusal(
                "rds",
                "CreateDBCluster",
                "InvalidParameterValue",
                "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait and try again later",
            ),
            # registerScalableTarget of hashicorp/terraform-provider-aws
            Refusal(
                "application-autoscaling",
                "RegisterScalableTarget",
                "ValidationException",
                "Unable to assume IAM role: "
                f"{ROLE_ARN}aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
            ),
            # hashicorp/terraform-provider-aws#920; it is CloudWatch that does not know the role
            Refusal(
                "application-autoscaling",
                "PutScalingPolicy",
                "FailedResourceAccessException",
                "Unable to retrieve alarms for scaling policy due to reason: The security token included in the request is invalid "
                "(Service: AmazonCloudWatch; Status Code: 403; Error Code: InvalidClientTokenId)",
            ),
        ),
    ),
    Late(
        "CreateRole",
        r"<RoleName>([^<]+)</RoleName>",
        (
            # prowler-cloud/prowler#2872, hashicorp/terraform-provider-aws#18435
            Refusal("iam", "PutRolePolicy", "NoSuchEntity", "The role with name {0} cannot be found."),
            # apex/up#189, hashicorp/terraform-provider-awscc#221
            Refusal("lambda", "CreateFunction", "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
            # hashicorp/terraform-provider-aws#29323
            Refusal("ec2", "CreateFlowLogs", "InvalidParameter", f"Unable to assume given IAM role: '{ROLE_ARN}{{0}}'"),
            # bradford-hamilton/terraform-ecs-fargate#8
            Refusal("ecs", "RegisterTaskDefinition", "ClientException", "Role is not valid"),
            # pulumi/pulumi#5628, terraform-aws-modules/terraform-aws-rds#393
            Refusal(
                "rds",
                "CreateDBInstance",
                "InvalidParameterValue",
                "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
            ),
            # terraform-aws-modules/terraform-aws-ecs#414
            Refusal(
                "ecs",
                "RegisterTaskDefinition",
                "AccessDeniedException",
                f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: iam:PassRole on resource: {ROLE_ARN}{{0}}",
            ),
        ),
    ),
    Late(
        "CreateSecurityGroup",
        r"<groupId>(sg-\w+)</groupId>",
        (
            # boto/boto3#620, aws/aws-sdk-js#318
            Refusal(
                "ec2",
                "RevokeSecurityGroupEgress AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress",
                "InvalidGroup.NotFound",
                "The security group '{0}' does not exist",
            ),
            # kubernetes-sigs/aws-load-balancer-controller#2371
            Refusal("elbv2", "CreateLoadBalancer", "InvalidSecurityGroup", "The security group '{0}' does not exist"),
            # the same words in several emulators and reports, of RDS and of DocumentDB, which share the API
            Refusal("rds", "CreateDBCluster", "InvalidParameterValue", "Invalid security group , groupId= {0}, groupName=."),
            # as moto has it
            Refusal(
                "ecs",
                "CreateService RunTask",
                "InvalidParameterException",
                "Error retrieving security group information for [{0}]: The security group '{0}' does not exist (ErrorCode: InvalidGroup.NotFound)",
            ),
            # nowhere: the model has no other code, and API Gateway passes on what EC2 says
            Refusal("apigatewayv2", "CreateVpcLink", "BadRequestException", "The security group '{0}' does not exist"),
        ),
    ),
    Late(
        "CreateBucket",
        r"^/([\w.-]+)",
        (
            # AWS's list of error responses of S3
            Refusal(
                "s3",
                "PutPublicAccessBlock PutBucketOwnershipControls PutBucketVersioning PutBucketEncryption PutBucketLifecycleConfiguration PutBucketPolicy "
                "PutBucketCors",
                "NoSuchBucket",
                "The specified bucket does not exist",
            ),
        ),
    ),
    Late(
        "CreateRepository",
        r'"repositoryName": ?"([^"]+)"',
        (
            # nowhere: the model's code, with the message that ECR has for one that there is not
            Refusal(
                "ecr",
                "PutLifecyclePolicy",
                "RepositoryNotFoundException",
                f"The repository with name '{{0}}' does not exist in the registry with id '{ACCOUNT}'",
            ),
        ),
    ),
    Late(
        "CreateDBSubnetGroup",
        r"<DBSubnetGroupName>([^<]+)</DBSubnetGroupName>",
        (
            # aws-controllers-k8s/community#1257
            Refusal("rds", "CreateDBCluster", "DBSubnetGroupNotFoundFault", "DBSubnetGroup '{0}' not found."),
        ),
    ),
    Late(
        "CreateDBClusterParameterGroup",
        r"<DBClusterParameterGroupName>([^<]+)</DBClusterParameterGroupName>",
        (
            # floci-io/floci#1330, by AWS's API reference
            Refusal("rds", "ModifyDBClusterParameterGroup", "DBParameterGroupNotFound", "DBClusterParameterGroup not found: {0}"),
            Refusal("rds", "CreateDBCluster", "DBClusterParameterGroupNotFound", "DBClusterParameterGroup not found: {0}"),
        ),
    ),
    Late(
        "CreateDBCluster",
        r"<DBClusterIdentifier>([^<]+)</DBClusterIdentifier>",
        (
            # aws-cloudformation/aws-cloudformation-resource-providers-rds#275
            Refusal("rds", "CreateDBInstance", "DBClusterNotFoundFault", "DBCluster {0} not found."),
        ),
    ),
    Late(
        "CreateLoadBalancer",
        ARN.format("LoadBalancer"),
        (
            # hashicorp/terraform-provider-aws#15214
            Refusal("elbv2", "ModifyLoadBalancerAttributes CreateListener AddTags", "LoadBalancerNotFound", "One or more load balancers not found"),
        ),
    ),
    Late(
        "CreateLoadBalancer",
        r"<DNSName>([^<]+)</DNSName>",
        (
            # harmony-one/harmony-ops#491, barnybug/cli53#227
            Refusal(
                "route53",
                "ChangeResourceRecordSets",
                "InvalidChangeBatch",
                "[Tried to create an alias that targets {0}., type A in zone Z32O12XQLNTSW2, but that target was not found]",
            ),
        ),
    ),
    Late(
        "CreateTargetGroup",
        ARN.format("TargetGroup"),
        (
            Refusal("elbv2", "ModifyTargetGroupAttributes CreateRule", "TargetGroupNotFound", "One or more target groups not found"),
            # hashicorp/terraform-provider-aws#29990, which retries it
            Refusal("ecs", "CreateService", "InvalidParameterException", "The target group with targetGroupArn {0} does not have an associated load balancer."),
        ),
    ),
    Late(
        "CreateListener",
        ARN.format("Listener"),
        (
            Refusal("elbv2", "AddListenerCertificates CreateRule", "ListenerNotFound", "One or more listeners not found"),
            # hashicorp/terraform-provider-aws#22590
            Refusal(
                "apigatewayv2", "CreateIntegration", "BadRequestException", "Unable to retrieve listener port and load balancer DNS name from ELB listener"
            ),
        ),
    ),
    Late(
        "RequestCertificate",
        r'"CertificateArn": ?"([^"]+)"',
        (
            # hashicorp/terraform-provider-aws#10294
            Refusal("elbv2", "AddListenerCertificates CreateListener", "CertificateNotFound", "Certificate '{0}' not found"),
            # aws/aws-cdk#3612
            Refusal("apigatewayv2", "CreateDomainName", "BadRequestException", "The provided certificate does not exist."),
        ),
    ),
    Late(
        "CreateHostedZone",
        r"<Id>/hostedzone/(\w+)</Id>",
        (
            # as moto has it
            Refusal("route53", "ChangeResourceRecordSets", "NoSuchHostedZone", "No hosted zone found with ID: {0}"),
        ),
    ),
    Late(
        "CreateUserPool",
        r'"Id": ?"([\w-]+_\w+)"',
        (
            # as moto has it
            Refusal("cognito-idp", "CreateUserPoolClient CreateUserPoolDomain", "ResourceNotFoundException", "User pool {0} does not exist."),
        ),
    ),
    Late(
        "CreateLogGroup",
        r'"logGroupName": ?"([^"]+)"',
        (
            # as moto has it
            Refusal("logs", "PutQueryDefinition PutRetentionPolicy", "ResourceNotFoundException", "The specified log group does not exist."),
            # nowhere: the model has no other code for it, and API Gateway passes on what CloudWatch Logs says
            Refusal("apigatewayv2", "CreateStage", "BadRequestException", "The specified log group does not exist."),
        ),
    ),
    Late(
        "CreateSecret",
        r'"ARN": ?"([^"]+)"',
        (
            # AWS's user guide of Secrets Manager
            Refusal("secretsmanager", "TagResource", "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
        ),
    ),
    Late(
        "CreateCluster",
        r'"clusterName": ?"([^"]+)"',  # which is also the end of its ARN
        (
            # hashicorp/terraform#15066
            Refusal("ecs", "CreateService RunTask", "ClusterNotFoundException", "Cluster not found."),
        ),
    ),
    Late(
        "RegisterTaskDefinition",
        r'"taskDefinitionArn": ?"([^"]+)"',
        (
            Refusal("ecs", "CreateService RunTask", "ClientException", "TaskDefinition not found."),
            # pulumi/pulumi-awsx#927; it is about the roles, which only the task definition names
            Refusal(
                "ecs",
                "RunTask",
                "ClientException",
                f"ECS was unable to assume the role '{ROLE_ARN}x' that was provided for this task. Please "
                "verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions "
                "to pass this role.",
            ),
        ),
    ),
    Late(
        "CreateService",
        r'"serviceArn": ?"[^"]+:(service/[^"]+)"',
        (
            # hashicorp/terraform-provider-aws#11693, spinnaker/spinnaker#4371
            Refusal("application-autoscaling", "RegisterScalableTarget", "ValidationException", "ECS service doesn't exist: {0}"),
        ),
    ),
    Late(
        "RegisterScalableTarget",
        r'"ResourceId": ?"([^"]+)"',
        (
            # cloudposse/terraform-aws-ecs-cloudwatch-autoscaling#36
            Refusal(
                "application-autoscaling",
                "PutScalingPolicy PutScheduledAction",
                "ObjectNotFoundException",
                f"No scalable target registered for service namespace: ecs, resource ID: {{0}}, {DIMENSION}",
            ),
        ),
    ),
    Late(
        "CreateFunction",
        r'"FunctionName": ?"([^"]+)"',
        (
            # hashicorp/terraform-provider-aws#7214, moritzzimmer/terraform-aws-lambda#128
            Refusal("lambda", "AddPermission", "ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}{{0}}"),
        ),
    ),
    Late(
        "CreateVpcLink",
        r'"vpcLinkId": ?"(\w+)"',
        (
            # nowhere: the model has these codes for whatever is not there, and API Gateway says so of all identifiers
            Refusal("apigatewayv2", "CreateIntegration", "BadRequestException", "Invalid VPC link identifier specified"),
        ),
    ),
    Late(
        "CreateApi",
        r'"apiId": ?"(\w+)"',
        (
            # aws/aws-sam-cli#7030, anomalyco/sst#5059
            Refusal(
                "apigatewayv2",
                "CreateIntegration CreateAuthorizer CreateRoute CreateStage CreateApiMapping",
                "NotFoundException",
                f"Invalid API identifier specified {ACCOUNT}:{{0}}",
            ),
        ),
    ),
    Late(
        "CreateStage",
        r'"stageName": ?"([^"]+)"',
        (
            # patrickcmd's notes on a SAM template without a dependency
            Refusal("apigatewayv2", "CreateApiMapping", "BadRequestException", "Invalid stage identifier specified"),
        ),
    ),
    Late(
        "CreateDomainName",
        r'"domainName": ?"([^"]+)"',
        (
            # amplify-education/serverless-domain-manager#369
            Refusal("apigatewayv2", "CreateApiMapping TagResource", "NotFoundException", "Invalid domain name identifier specified"),
        ),
    ),
    Late(
        "CreateDomainName",
        r'"apiGatewayDomainName": ?"([^"]+)"',
        (
            # aws/aws-cli#4687
            Refusal(
                "route53",
                "ChangeResourceRecordSets",
                "InvalidChangeBatch",
                "[Tried to create an alias that targets {0}., type A in zone ZLY8HYME6SFDD, but that target was not found]",
            ),
        ),
    ),
)


class Consistency:
    """Knows what was made lately, and by whom it is not known yet: for some seconds, or the first times that they name it."""

    def __init__(self, seconds: float = 0, times: int = 0) -> None:
        self.seconds, self.times = seconds, times
        self.refused: Counter[tuple[Late, Refusal, str, str]] = Counter()
        """How often, by what was not known, the operation that named it and the name."""
        self._made = {(late, ""): time.monotonic() for late in TABLE if not late.made_by}

    def refusals(self) -> list[tuple[str, str, str, str]]:
        """What it refused, each once: what had made what was not known, service, operation and error code."""
        return sorted({(late.made_by, refusal.service, operation, refusal.code) for late, refusal, operation, _name in self.refused})

    def note(self, operation: str, path: str, body: bytes, answer: bytes) -> None:
        """Remember what a call has made."""
        for late in TABLE if self.seconds or self.times else ():
            if late.made_by == operation and (found := re.search(late.found_as, f"{path} {answer.decode()} {body.decode()}")):
                self._made[late, found[1]] = time.monotonic()

    def refusal(self, service: str, operation: str, path: str, body: bytes) -> dict[str, Any] | None:
        """The error that a call is answered with that refers to what is not known yet."""
        if not self.seconds and not self.times:
            return None
        text = unquote(f"{path} {body.decode(errors='replace')}")
        for (late, name), since in list(self._made.items()):  # others add to it meanwhile
            for refusal in late.refused_by:
                if refusal.service != service or operation not in refusal.operations.split():
                    continue
                if name and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                    continue
                key = (late, refusal, operation, name)
                if time.monotonic() - since < self.seconds or self.refused[key] < self.times:
                    self.refused[key] += 1
                    status = 404 if "NotFound" in refusal.code and service in ("lambda", "apigatewayv2") else 400
                    return {"code": refusal.code, "message": refusal.message.format(name), "status": status}
        return None
