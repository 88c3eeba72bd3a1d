# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the permissions that the caller needs, as policy documents for a prefix of names, an account and a region. Pure.

The only place where they are written down: the playbook ``policy`` and ``docs/iam-policy-*.json`` are rendered from it. What a resource or
a condition depends on stands in braces: the fields of ``Scope``, of which ``{secrets}`` and ``{keys}`` are lists. A statement without
resources is left out.
"""

from __future__ import annotations

import typing as t

Document = dict[str, t.Any]
Conditions = dict[str, dict[str, t.Any]]


class Scope(t.NamedTuple):
    """What the documents are written for."""

    prefix: str
    """Of the names of all stacks (``mlflow_unique_name``) that the caller deploys."""
    account: str
    region: str
    role_path: str = "/"
    """Of the roles that the stacks get."""
    boundary: str = ""
    """The permissions boundary that each of these roles must have. Without one, who may create roles may give them any permission."""
    secrets: tuple[str, ...] = ()
    """The secrets that inputs name, where their names do not begin with the prefix."""
    keys: tuple[str, ...] = ()
    """The KMS keys that inputs name. None: all keys of the account and region."""
    dns_role: str = ""
    """The role of the account that has the hosted zones, if it is another one."""

    @property
    def partition(self) -> str:
        partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((partition for prefix, partition in partitions.items() if self.region.startswith(prefix)), "aws")


class Statement(t.NamedTuple):
    """One statement. All are allowed; what differs with a boundary says so."""

    sid: str
    actions: str
    resources: tuple[str, ...]
    conditions: Conditions = {}
    why: str = ""
    """Why it names more than what is the stack's by name or tag. Required where the resource is ``*``."""
    bounded: bool = False
    """Whether it applies only to roles that have the boundary, if there is one."""
    unbounded: bool = False
    """Whether it is left out if there is a boundary."""


_EC2 = "arn:{partition}:ec2:{region}:{account}:"
_ELB = "arn:{partition}:elasticloadbalancing:{region}:{account}:"
_RDS = "arn:{partition}:rds:{region}:{account}:"
_ECS = "arn:{partition}:ecs:{region}:{account}:"
_API = "arn:{partition}:apigateway:{region}::"
_LOG_GROUP = "arn:{partition}:logs:{region}:{account}:log-group:"
_ALL = ("*",)

_OWN: Conditions = {"StringLike": {"aws:ResourceTag/mlflow-stack": "{prefix}*"}}
_NEW: Conditions = {"StringLike": {"aws:RequestTag/mlflow-stack": "{prefix}*"}}
_NO_RESOURCES = "AWS knows no resources for these actions"
_LEASE = Statement(
    "Lease",
    "ssm:AddTagsToResource ssm:DeleteParameters ssm:GetParametersByPath ssm:PutParameter",
    ("arn:{partition}:ssm:{region}:{account}:parameter/mlplatform/mlflow_aws/{prefix}*",),
)
_CALLER = (
    Statement("Caller", "sts:GetCallerIdentity", _ALL, why=_NO_RESOURCES),
    Statement("Quotas", "servicequotas:GetServiceQuota", ("arn:{partition}:servicequotas:{region}:{account}:*",)),
)

_NETWORK = (
    Statement(
        "NetworkReads",
        """
        ec2:DescribeAccountAttributes ec2:DescribeInternetGateways ec2:DescribeManagedPrefixLists ec2:DescribeNetworkInterfaces
        ec2:DescribeRouteTables ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcEndpoints
        ec2:DescribeVpcs
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
    Statement("NewSecurityGroups", "ec2:CreateSecurityGroup", (_EC2 + "security-group/*",), _NEW),
    Statement("NewSecurityGroupsVpc", "ec2:CreateSecurityGroup", ("arn:{partition}:ec2:{region}:*:vpc/*",), why="an input names the VPC"),
    Statement("NewSecurityGroupsTags", "ec2:CreateTags", (_EC2 + "security-group/*",), {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}),
    Statement(
        "SecurityGroups",
        """
        ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress ec2:CreateTags ec2:DeleteSecurityGroup ec2:DeleteTags
        ec2:ModifySecurityGroupRules ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress
        ec2:UpdateSecurityGroupRuleDescriptionsEgress ec2:UpdateSecurityGroupRuleDescriptionsIngress
        """,
        (_EC2 + "security-group/*",),
        _OWN,
    ),
    Statement(
        "SecurityGroupRules",
        "ec2:ModifySecurityGroupRules",
        (_EC2 + "security-group-rule/*",),
        why="rules have no names and no tags; their security group, which AWS checks too, has to be the stack's",
    ),
    Statement(
        "LoadBalancerReads",
        """
        elasticloadbalancing:DescribeAccountLimits elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeLoadBalancerAttributes
        elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeRules elasticloadbalancing:DescribeSSLPolicies
        elasticloadbalancing:DescribeTags elasticloadbalancing:DescribeTargetGroupAttributes elasticloadbalancing:DescribeTargetGroups
        elasticloadbalancing:DescribeTargetHealth
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
    Statement(
        "LoadBalancer",
        """
        elasticloadbalancing:AddTags elasticloadbalancing:CreateListener elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:CreateRule
        elasticloadbalancing:CreateTargetGroup elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer
        elasticloadbalancing:DeleteRule elasticloadbalancing:DeleteTargetGroup elasticloadbalancing:ModifyListener
        elasticloadbalancing:ModifyLoadBalancerAttributes elasticloadbalancing:ModifyRule elasticloadbalancing:ModifyTargetGroup
        elasticloadbalancing:ModifyTargetGroupAttributes elasticloadbalancing:RemoveTags elasticloadbalancing:SetIpAddressType
        elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets
        """,
        (_ELB + "loadbalancer/app/{prefix}*", _ELB + "listener/app/{prefix}*", _ELB + "listener-rule/app/{prefix}*", _ELB + "targetgroup/{prefix}*"),
    ),
    Statement(
        "WebAclOfTheLoadBalancer",
        """
        elasticloadbalancing:CreateWebACLAssociation elasticloadbalancing:DeleteWebACLAssociation elasticloadbalancing:GetLoadBalancerWebACL
        wafv2:AssociateWebACL wafv2:DisassociateWebACL wafv2:GetWebACLForResource
        """,
        (_ELB + "loadbalancer/app/{prefix}*",),
    ),
    Statement("WebAclAssociations", "elasticloadbalancing:SetWebAcl", _ALL, why=_NO_RESOURCES),
    Statement(
        "WebAcls",
        "wafv2:AssociateWebACL wafv2:GetWebACL wafv2:GetWebACLForResource",
        ("arn:{partition}:wafv2:{region}:{account}:regional/webacl/*",),
        why="an input names the web ACL",
    ),
    Statement("Certificates", "acm:DescribeCertificate", ("arn:{partition}:acm:{region}:{account}:certificate/*",), why="inputs name the certificates"),
    Statement("Zones", "route53:GetHostedZone route53:ListResourceRecordSets", ("arn:{partition}:route53:::hostedzone/*",), why="inputs name the hosted zones"),
    Statement(
        "Records",
        "route53:ChangeResourceRecordSets",
        ("arn:{partition}:route53:::hostedzone/*",),
        {"ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "TXT"]}},
        why="inputs name the hosted zones, and the host names in them",
    ),
    Statement("DnsRole", "sts:AssumeRole", ("{dns_role}",)),
    Statement("RecordChanges", "route53:GetChange", ("arn:{partition}:route53:::change/*",), why="AWS chooses the IDs of changes"),
)

_IDENTITY = (
    *_CALLER,
    Statement(
        "RoleReads",
        "iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListInstanceProfilesForRole iam:ListRolePolicies",
        ("arn:{partition}:iam::{account}:role/{prefix}*", "arn:{partition}:iam::{account}:role{role_path}{prefix}*"),
    ),
    Statement(
        "ManagedPolicies",
        "iam:GetPolicy",
        ("arn:{partition}:iam::{account}:policy/*", "arn:{partition}:iam::aws:policy/*"),
        why="inputs name the managed policies of the roles",
    ),
    Statement(
        "BoundedRoles",
        "iam:AttachRolePolicy iam:CreateRole iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:UpdateAssumeRolePolicy",
        ("arn:{partition}:iam::{account}:role{role_path}{prefix}*",),
        bounded=True,
    ),
    Statement("Boundaries", "iam:DeleteRolePermissionsBoundary", ("arn:{partition}:iam::{account}:role{role_path}{prefix}*",), unbounded=True),
    Statement(
        "Roles",
        "iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:TagRole iam:UntagRole iam:UpdateRole",
        ("arn:{partition}:iam::{account}:role{role_path}{prefix}*",),
    ),
    Statement(
        "InstanceProfiles",
        "iam:RemoveRoleFromInstanceProfile",
        ("arn:{partition}:iam::{account}:instance-profile/*",),
        why="others may have put a role of the stack into a profile of theirs",
    ),
    Statement(
        "RolesOfServices",
        "iam:PassRole",
        ("arn:{partition}:iam::{account}:role{role_path}{prefix}*",),
        {"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com"]}},
    ),
    Statement(
        "ServiceLinkedRoles",
        "iam:CreateServiceLinkedRole",
        ("arn:{partition}:iam::{account}:role/aws-service-role/*",),
        {
            "StringEquals": {
                "iam:AWSServiceName": [
                    "ecs.amazonaws.com",
                    "ecs.application-autoscaling.amazonaws.com",
                    "elasticloadbalancing.amazonaws.com",
                    "ops.apigateway.amazonaws.com",
                    "pullthroughcache.ecr.amazonaws.com",
                    "rds.amazonaws.com",
                ]
            }
        },
    ),
    Statement(
        "SignIn",
        "cognito-idp:DescribeUserPool cognito-idp:DescribeUserPoolClient",
        ("arn:{partition}:cognito-idp:{region}:{account}:userpool/*",),
        why="an input names the user pool",
    ),
    Statement("SignInDomain", "cognito-idp:DescribeUserPoolDomain", _ALL, why=_NO_RESOURCES),
)

_DATABASE = (
    Statement(
        "DatabaseReads",
        """
        rds:DescribeDBClusterParameterGroups rds:DescribeDBClusterParameters rds:DescribeDBClusterSnapshots rds:DescribeDBClusters
        rds:DescribeDBInstances rds:DescribeDBSubnetGroups rds:ListTagsForResource
        """,
        (_RDS + "*",),
        why="they list and search, for which AWS asks for all names",
    ),
    Statement("DatabaseEngines", "rds:DescribeAccountAttributes rds:DescribeDBEngineVersions", _ALL, why=_NO_RESOURCES),
    Statement(
        "Database",
        """
        rds:AddTagsToResource rds:CreateDBCluster rds:CreateDBClusterParameterGroup rds:CreateDBClusterSnapshot rds:CreateDBInstance
        rds:CreateDBSubnetGroup rds:DeleteDBCluster rds:DeleteDBClusterParameterGroup rds:DeleteDBInstance rds:DeleteDBSubnetGroup
        rds:ModifyDBCluster rds:ModifyDBClusterParameterGroup rds:ModifyDBInstance
        rds:ModifyDBSubnetGroup rds:RebootDBInstance rds:RemoveTagsFromResource rds:RestoreDBClusterFromSnapshot
        rds:RestoreDBClusterToPointInTime
        """,
        (_RDS + "cluster:{prefix}*", _RDS + "cluster-pg:{prefix}*", _RDS + "cluster-snapshot:{prefix}*", _RDS + "db:{prefix}*", _RDS + "subgrp:{prefix}*"),
    ),
    Statement(
        "DatabaseDefaults",
        """
        rds:CreateDBCluster rds:CreateDBInstance rds:ModifyDBCluster rds:ModifyDBInstance rds:RestoreDBClusterFromSnapshot
        rds:RestoreDBClusterToPointInTime
        """,
        (_RDS + "cluster-pg:default.*", _RDS + "og:default:*", _RDS + "pg:default.*"),
    ),
    Statement(
        "NewSnapshots",
        "rds:AddTagsToResource rds:CreateDBClusterSnapshot",
        (_RDS + "cluster-snapshot:*",),
        _NEW,
        why="an input names the snapshot; AWS asks also for the cluster, which has to be the stack's",
    ),
    Statement(
        "Snapshots",
        "rds:RestoreDBClusterFromSnapshot",
        (_RDS + "cluster-snapshot:*",),
        why="an input names the snapshot to restore; AWS names its automated ones",
    ),
)

_STORAGE = (
    Statement(
        "Bucket",
        """
        s3:CreateBucket s3:DeleteBucket s3:DeleteBucketPolicy s3:GetBucketLogging s3:GetBucketOwnershipControls s3:GetBucketPolicy
        s3:GetBucketPublicAccessBlock s3:GetBucketTagging s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration
        s3:ListBucket s3:ListBucketMultipartUploads s3:ListBucketVersions s3:ListTagsForResource s3:PutBucketLogging s3:PutBucketOwnershipControls
        s3:PutBucketPolicy s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning s3:PutEncryptionConfiguration
        s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource
        """,
        ("arn:{partition}:s3:::{prefix}*",),
    ),
    Statement("Objects", "s3:AbortMultipartUpload s3:DeleteObject s3:DeleteObjectVersion", ("arn:{partition}:s3:::{prefix}*/*",)),
    Statement(
        "OtherBuckets",
        "s3:GetBucketPolicy s3:GetEncryptionConfiguration s3:ListBucket",
        ("arn:{partition}:s3:::*",),
        why="inputs name buckets for artifacts and access logs; their objects cannot be read",
    ),
    Statement(
        "SecretReads",
        "secretsmanager:DescribeSecret",
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:*",),
        why="inputs name secrets for the containers, which are not read",
    ),
    Statement("InputSecrets", "secretsmanager:GetSecretValue", ("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}*", "{secrets}")),
    Statement(
        "Secrets",
        """
        secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:RestoreSecret
        secretsmanager:TagResource secretsmanager:UntagResource secretsmanager:UpdateSecret
        """,
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}*",),
    ),
    Statement(
        "KeyReads",
        "kms:DescribeKey kms:GetKeyPolicy",
        ("arn:{partition}:kms:{region}:{account}:key/*",),
        why="inputs name the keys; only their configuration is read",
    ),
    Statement(
        "Keys",
        "kms:Decrypt kms:Encrypt kms:GenerateDataKey",
        ("{keys}",),
        {"StringEquals": {"kms:ViaService": ["rds.{region}.amazonaws.com", "secretsmanager.{region}.amazonaws.com"]}},
        why="inputs name the keys; they can be used through these services only",
    ),
    Statement(
        "KeyGrants",
        "kms:CreateGrant",
        ("{keys}",),
        {"Bool": {"kms:GrantIsForAWSResource": "true"}, "StringEquals": {"kms:ViaService": "rds.{region}.amazonaws.com"}},
        why="as Keys",
    ),
    Statement("ContainerParameters", "ssm:DescribeParameters", _ALL, why=_NO_RESOURCES),
    _LEASE,
)

_SERVERS = (
    Statement("ServerReads", "ecs:DeregisterTaskDefinition ecs:DescribeTaskDefinition ecs:ListTaskDefinitions", _ALL, why=_NO_RESOURCES),
    Statement(
        "TaskLists",
        "ecs:ListTasks",
        _ALL,
        {"ArnLike": {"ecs:cluster": _ECS + "cluster/{prefix}*"}},
        why="AWS lists by the cluster, which the condition names; the resource is that of a container instance, which Fargate has none of",
    ),
    Statement(
        "Servers",
        """
        ecs:CreateCluster ecs:CreateService ecs:DeleteCluster ecs:DeleteService ecs:DeleteTaskDefinitions ecs:DescribeClusters
        ecs:DescribeServices ecs:DescribeTasks ecs:ListTagsForResource ecs:PutClusterCapacityProviders ecs:RegisterTaskDefinition ecs:RunTask
        ecs:TagResource ecs:UntagResource ecs:UpdateCluster ecs:UpdateService
        """,
        (_ECS + "cluster/{prefix}*", _ECS + "service/{prefix}*", _ECS + "task-definition/{prefix}*", _ECS + "task/{prefix}*"),
    ),
    Statement(
        "Images",
        """
        ecr:BatchGetImage ecr:BatchImportUpstreamImage ecr:CreateRepository ecr:DeleteLifecyclePolicy ecr:DeleteRepository ecr:DescribeImages
        ecr:DescribeRepositories ecr:GetLifecyclePolicy ecr:ListTagsForResource ecr:PutImageScanningConfiguration ecr:PutImageTagMutability
        ecr:PutLifecyclePolicy ecr:TagResource ecr:UntagResource
        """,
        ("arn:{partition}:ecr:{region}:{account}:repository/{prefix}*",),
    ),
    Statement(
        "ImageCache",
        """
        ecr:CreatePullThroughCacheRule ecr:DeletePullThroughCacheRule ecr:DescribePullThroughCacheRules ecr:UpdatePullThroughCacheRule
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
    Statement(
        "ImageLists",
        "ecr:DescribeRepositories",
        ("arn:{partition}:ecr:{region}:{account}:repository/*",),
        why="those below the prefix of a pull-through cache rule are found in the list of all",
    ),
    Statement(
        "ScalingReads",
        """
        application-autoscaling:DescribeScalableTargets application-autoscaling:DescribeScalingPolicies
        application-autoscaling:DescribeScheduledActions
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
    Statement(
        "Scaling",
        """
        application-autoscaling:DeleteScalingPolicy application-autoscaling:DeleteScheduledAction
        application-autoscaling:DeregisterScalableTarget application-autoscaling:PutScalingPolicy
        application-autoscaling:PutScheduledAction application-autoscaling:RegisterScalableTarget
        """,
        ("arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",),
        {"StringEquals": {"application-autoscaling:service-namespace": "ecs"}},
        why="AWS chooses the IDs of scalable targets",
    ),
    Statement(
        "ScalingTags",
        "application-autoscaling:ListTagsForResource application-autoscaling:TagResource application-autoscaling:UntagResource",
        ("arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",),
        why="as Scaling",
    ),
    Statement(
        "ScalingAlarms",
        "cloudwatch:DeleteAlarms cloudwatch:PutMetricAlarm",
        ("arn:{partition}:cloudwatch:{region}:{account}:alarm:TargetTracking-service/{prefix}*",),
    ),
    Statement("ScalingAlarmReads", "cloudwatch:DescribeAlarms", ("arn:{partition}:cloudwatch:{region}:{account}:alarm:*",), why="AWS lists all alarms"),
    Statement("LogReads", "logs:DescribeLogGroups", _ALL, why=_NO_RESOURCES),
    Statement(
        "Logs",
        """
        logs:AssociateKmsKey logs:CreateLogGroup logs:DeleteLogGroup logs:DisassociateKmsKey logs:GetLogEvents logs:ListTagsForResource
        logs:PutRetentionPolicy logs:TagResource logs:UntagResource
        """,
        (
            _LOG_GROUP + "/ecs/{prefix}*",
            _LOG_GROUP + "/aws/apigateway/{prefix}*",
            _LOG_GROUP + "/aws/lambda/{prefix}*",
            _LOG_GROUP + "/aws/rds/cluster/{prefix}*",
            _LOG_GROUP + "/aws/vendedlogs/apigateway/{prefix}*",
        ),
    ),
)

_API_GATEWAY = (
    Statement("ApiReads", "apigateway:GET", (_API + "/*",), why="AWS chooses the IDs of APIs and VPC links, and lists all"),
    Statement("NewApis", "apigateway:POST", (_API + "/apis", _API + "/domainnames", _API + "/vpclinks"), _NEW),
    Statement("Apis", "apigateway:DELETE apigateway:PATCH", (_API + "/apis/*", _API + "/domainnames/*", _API + "/vpclinks/*"), _OWN),
    Statement(
        "ApiParts",
        "apigateway:DELETE apigateway:PATCH apigateway:POST",
        (_API + "/apis/*/*", _API + "/domainnames/*/apimappings", _API + "/domainnames/*/apimappings/*"),
        why="AWS chooses the IDs of APIs, whose routes, integrations, authorizers and mappings have no tags",
    ),
    Statement(
        "ApiTags",
        "apigateway:DELETE apigateway:POST apigateway:PUT apigateway:TagResource apigateway:UntagResource",
        (_API + "/tags/*",),
        why="AWS chooses the IDs of APIs and VPC links",
    ),
    Statement("ApiNewTags", "apigateway:TagResource", (_API + "/apis", _API + "/apis/*/stages", _API + "/domainnames", _API + "/vpclinks")),
    Statement(
        "ApiDomains",
        "apigateway:AddCertificateToDomain apigateway:RemoveCertificateFromDomain",
        (_API + "/domainnames", _API + "/domainnames/*"),
        why="inputs name the domain and its certificate",
    ),
    Statement(
        "Authorizer",
        """
        lambda:AddPermission lambda:CreateFunction lambda:DeleteFunction lambda:GetFunction lambda:GetPolicy
        lambda:ListTags lambda:RemovePermission lambda:TagResource lambda:UntagResource lambda:UpdateFunctionCode
        lambda:UpdateFunctionConfiguration
        """,
        ("arn:{partition}:lambda:{region}:{account}:function:{prefix}*",),
    ),
    Statement(
        "AccessLogsOfTheApi",
        """
        logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeResourcePolicies logs:GetLogDelivery logs:ListLogDeliveries
        logs:PutResourcePolicy logs:UpdateLogDelivery
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
)

_BOOTSTRAP_NETWORK = (
    *_CALLER,
    Statement(
        "NetworkReads",
        """
        ec2:DescribeAddresses ec2:DescribeAvailabilityZones ec2:DescribeInternetGateways ec2:DescribeNatGateways ec2:DescribeRouteTables
        ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeTags ec2:DescribeVpcEndpoints
        ec2:DescribeVpcs
        """,
        _ALL,
        why=_NO_RESOURCES,
    ),
    Statement(
        "NewNetwork",
        """
        ec2:AllocateAddress ec2:CreateInternetGateway ec2:CreateNatGateway ec2:CreateRouteTable ec2:CreateSecurityGroup ec2:CreateSubnet
        ec2:CreateVpc ec2:CreateVpcEndpoint
        """,
        (
            _EC2 + "elastic-ip/*",
            _EC2 + "internet-gateway/*",
            _EC2 + "natgateway/*",
            _EC2 + "route-table/*",
            _EC2 + "security-group/*",
            _EC2 + "subnet/*",
            _EC2 + "vpc/*",
            _EC2 + "vpc-endpoint/*",
        ),
        _NEW,
    ),
    Statement(
        "NewNetworkTags",
        "ec2:CreateTags",
        (_EC2 + "*",),
        {
            "StringEquals": {
                "ec2:CreateAction": [
                    "AllocateAddress",
                    "CreateInternetGateway",
                    "CreateNatGateway",
                    "CreateRouteTable",
                    "CreateSecurityGroup",
                    "CreateSubnet",
                    "CreateVpc",
                    "CreateVpcEndpoint",
                ]
            }
        },
    ),
    Statement(
        "Network",
        """
        ec2:AssociateRouteTable ec2:AttachInternetGateway ec2:AuthorizeSecurityGroupIngress ec2:CreateNatGateway ec2:CreateRoute
        ec2:CreateRouteTable ec2:CreateSecurityGroup ec2:CreateSubnet ec2:CreateTags ec2:CreateVpcEndpoint ec2:DeleteInternetGateway
        ec2:DeleteNatGateway ec2:DeleteRoute ec2:DeleteRouteTable ec2:DeleteSecurityGroup ec2:DeleteSubnet ec2:DeleteTags ec2:DeleteVpc
        ec2:DeleteVpcEndpoints ec2:DescribeVpcAttribute ec2:DetachInternetGateway ec2:DisassociateRouteTable ec2:ModifySecurityGroupRules
        ec2:ModifySubnetAttribute ec2:ModifyVpcAttribute ec2:ModifyVpcEndpoint ec2:ReleaseAddress ec2:ReplaceRoute
        ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress ec2:UpdateSecurityGroupRuleDescriptionsIngress
        """,
        (_EC2 + "*",),
        _OWN,
    ),
    Statement(
        "SecurityGroupRules",
        "ec2:ModifySecurityGroupRules",
        (_EC2 + "security-group-rule/*",),
        why="rules have no names and no tags; their security group, which AWS checks too, has to be the stack's",
    ),
    Statement(
        "DefaultSecurityGroups",
        "ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress",
        (_EC2 + "security-group/*",),
        why="the default security group of a new VPC has no tags; it is closed",
    ),
    Statement(
        "ServiceLinkedRoles",
        "iam:CreateServiceLinkedRole",
        ("arn:{partition}:iam::{account}:role/aws-service-role/*",),
        {"StringEquals": {"iam:AWSServiceName": "natgateway.amazonaws.com"}},
    ),
    _LEASE,
)

_BOOTSTRAP_ACCOUNTS = (
    Statement("ZoneLists", "route53:CreateHostedZone route53:ListHostedZonesByName", _ALL, why=_NO_RESOURCES),
    Statement(
        "Zones",
        """
        route53:AssociateVPCWithHostedZone route53:ChangeResourceRecordSets route53:ChangeTagsForResource route53:DeleteHostedZone
        route53:GetHostedZone route53:ListResourceRecordSets route53:ListTagsForResource route53:UpdateHostedZoneComment
        """,
        ("arn:{partition}:route53:::hostedzone/*",),
        why="AWS chooses the IDs of hosted zones, and checks no tags of theirs",
    ),
    Statement("CertificateLists", "acm:ListCertificates", _ALL, why=_NO_RESOURCES),
    Statement("NewCertificates", "acm:RequestCertificate", _ALL, _NEW, why=_NO_RESOURCES),
    Statement("NewCertificatesTags", "acm:AddTagsToCertificate", ("arn:{partition}:acm:{region}:{account}:certificate/*",), _NEW),
    Statement(
        "CertificateReads",
        "acm:DescribeCertificate acm:ListTagsForCertificate",
        ("arn:{partition}:acm:{region}:{account}:certificate/*",),
        why="it looks for its own by their tags, which AWS only lists",
    ),
    Statement(
        "Certificates",
        "acm:AddTagsToCertificate acm:DeleteCertificate acm:RemoveTagsFromCertificate",
        ("arn:{partition}:acm:{region}:{account}:certificate/*",),
        _OWN,
    ),
    Statement("PoolLists", "cognito-idp:DescribeUserPoolDomain cognito-idp:ListUserPools", _ALL, why=_NO_RESOURCES),
    Statement("NewPools", "cognito-idp:CreateUserPool", _ALL, _NEW, why=_NO_RESOURCES),
    Statement(
        "PoolReads",
        """
        cognito-idp:DescribeUserPool cognito-idp:DescribeUserPoolClient cognito-idp:GetUserPoolMfaConfig cognito-idp:ListUserPoolClients
        """,
        ("arn:{partition}:cognito-idp:{region}:{account}:userpool/*",),
        why="it looks for its own by its name and tags, which AWS only lists",
    ),
    Statement(
        "Pools",
        """
        cognito-idp:CreateUserPoolClient cognito-idp:CreateUserPoolDomain cognito-idp:DeleteUserPool cognito-idp:DeleteUserPoolClient
        cognito-idp:DeleteUserPoolDomain cognito-idp:SetUserPoolMfaConfig cognito-idp:TagResource cognito-idp:UntagResource
        cognito-idp:UpdateUserPool cognito-idp:UpdateUserPoolClient
        """,
        ("arn:{partition}:cognito-idp:{region}:{account}:userpool/*",),
        _OWN,
    ),
    Statement(
        "AccessLogsBucket",
        """
        s3:CreateBucket s3:DeleteBucket s3:GetBucketLocation s3:GetBucketOwnershipControls s3:GetBucketPolicy s3:GetBucketPublicAccessBlock
        s3:GetBucketTagging s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration s3:ListBucket
        s3:ListBucketVersions s3:PutBucketOwnershipControls s3:PutBucketPolicy s3:PutBucketPublicAccessBlock s3:PutBucketTagging
        s3:PutBucketVersioning s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource
        """,
        ("arn:{partition}:s3:::{prefix}*",),
    ),
    Statement("KeyLists", "kms:ListAliases", _ALL, why=_NO_RESOURCES),
    Statement("NewKeys", "kms:CreateKey", _ALL, _NEW, why=_NO_RESOURCES),
    Statement("NewKeysTags", "kms:TagResource", ("arn:{partition}:kms:{region}:{account}:key/*",), _NEW),
    Statement(
        "KeyReads",
        "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListGrants kms:ListKeyPolicies kms:ListResourceTags",
        ("arn:{partition}:kms:{region}:{account}:key/*",),
        why="it looks for its own by its tags, which AWS only lists",
    ),
    Statement("KeyAliases", "kms:CreateAlias", ("arn:{partition}:kms:{region}:{account}:alias/{prefix}*",)),
    Statement(
        "Keys",
        """
        kms:CreateAlias kms:Decrypt kms:EnableKeyRotation kms:GenerateDataKey kms:ScheduleKeyDeletion kms:TagResource kms:UntagResource
        kms:UpdateKeyDescription
        """,
        ("arn:{partition}:kms:{region}:{account}:key/*",),
        _OWN,
    ),
    Statement(
        "Secrets",
        """
        secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret secretsmanager:RestoreSecret
        secretsmanager:TagResource secretsmanager:UntagResource secretsmanager:UpdateSecret
        """,
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}*",),
    ),
)

STATEMENTS: dict[str, tuple[Statement, ...]] = {
    "iam-policy-identity": _IDENTITY,
    "iam-policy-network": _NETWORK,
    "iam-policy-database": _DATABASE,
    "iam-policy-storage": _STORAGE,
    "iam-policy-servers": _SERVERS,
    "iam-policy-api": _API_GATEWAY,
    "iam-policy-bootstrap-network": _BOOTSTRAP_NETWORK,
    "iam-policy-bootstrap-accounts": _BOOTSTRAP_ACCOUNTS,
}
"""By the name of the document. Those of ``bootstrap`` stand for themselves, all others belong together. No document may have more than
6,144 characters without white space, and no role more than 10 of them.
"""


def documents(scope: Scope) -> dict[str, Document]:
    """The policy documents for a scope, by their names."""
    return {
        name: {
            "Version": "2012-10-17",
            "Statement": [_rendered(each, scope) for each in statements if _resources(each, scope) and not (each.unbounded and scope.boundary)],
        }
        for name, statements in STATEMENTS.items()
    }


def explained() -> list[tuple[str, Statement]]:
    """The statements that reach further than what is the stack's by name or tag, each with the name of its document."""
    return [(name, each) for name, statements in STATEMENTS.items() for each in statements if each.why]


def _rendered(statement: Statement, scope: Scope) -> Document:
    conditions = statement.conditions
    if statement.bounded and scope.boundary:
        conditions = {**conditions, "StringEquals": {**conditions.get("StringEquals", {}), "iam:PermissionsBoundary": scope.boundary}}
    rendered: Document = {"Sid": statement.sid, "Effect": "Allow", "Action": sorted(statement.actions.split()), "Resource": _resources(statement, scope)}
    if conditions:
        rendered["Condition"] = {operator: {key: _value(value, scope) for key, value in keys.items()} for operator, keys in conditions.items()}
    return rendered


def _value(value: str | list[str], scope: Scope) -> str | list[str]:
    return [_fill(each, scope) for each in value] if isinstance(value, list) else _fill(value, scope)


def _resources(statement: Statement, scope: Scope) -> list[str]:
    return list(dict.fromkeys(filled for each in statement.resources for filled in _filled(each, scope) if filled))


def _filled(resource: str, scope: Scope) -> tuple[str, ...]:
    """The resources that one of a statement stands for."""
    lists = {"{secrets}": scope.secrets, "{keys}": scope.keys or (_fill("arn:{partition}:kms:{region}:{account}:key/*", scope),)}
    return lists[resource] if resource in lists else (_fill(resource, scope),)


def _fill(text: str, scope: Scope) -> str:
    return text.format(**scope._asdict(), partition=scope.partition)
