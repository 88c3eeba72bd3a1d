# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the playbook ``bootstrap`` needs. Pure."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import (
    ALL,
    CALLER,
    EC2,
    LEASE,
    LOG_GROUP,
    NEW,
    NO_RESOURCES,
    OWN,
    Statement,
    roles,
)

BOOTSTRAP_NETWORK = (
    *CALLER,
    Statement(
        "NetworkReads",
        """
        ec2:DescribeAddresses ec2:DescribeAvailabilityZones ec2:DescribeFlowLogs ec2:DescribeInternetGateways ec2:DescribeNatGateways
        ec2:DescribeRouteTables ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeTags
        ec2:DescribeVpcEndpoints ec2:DescribeVpcs
        """,
        ALL,
        why=NO_RESOURCES,
    ),
    Statement(
        "NewNetwork",
        """
        ec2:AllocateAddress ec2:CreateFlowLogs ec2:CreateInternetGateway ec2:CreateNatGateway ec2:CreateRouteTable ec2:CreateSecurityGroup
        ec2:CreateSubnet ec2:CreateVpc ec2:CreateVpcEndpoint
        """,
        (
            EC2 + "elastic-ip/*",
            EC2 + "internet-gateway/*",
            EC2 + "natgateway/*",
            EC2 + "route-table/*",
            EC2 + "security-group/*",
            EC2 + "subnet/*",
            EC2 + "vpc/*",
            EC2 + "vpc-endpoint/*",
            EC2 + "vpc-flow-log/*",
        ),
        NEW,
    ),
    Statement(
        "NewNetworkTags",
        "ec2:CreateTags",
        (EC2 + "*",),
        {
            "StringEquals": {
                "ec2:CreateAction": [
                    "AllocateAddress",
                    "CreateFlowLogs",
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
        ec2:AssociateRouteTable ec2:AttachInternetGateway ec2:AuthorizeSecurityGroupIngress ec2:CreateFlowLogs ec2:CreateNatGateway
        ec2:CreateRoute ec2:CreateRouteTable ec2:CreateSecurityGroup ec2:CreateSubnet ec2:CreateTags ec2:CreateVpcEndpoint ec2:DeleteFlowLogs
        ec2:DeleteInternetGateway ec2:DeleteNatGateway ec2:DeleteRoute ec2:DeleteRouteTable ec2:DeleteSecurityGroup ec2:DeleteSubnet ec2:DeleteTags
        ec2:DeleteVpc ec2:DeleteVpcEndpoints ec2:DescribeVpcAttribute ec2:DetachInternetGateway ec2:DisassociateRouteTable
        ec2:ModifySecurityGroupRules ec2:ModifySubnetAttribute ec2:ModifyVpcAttribute ec2:ModifyVpcEndpoint ec2:ReleaseAddress ec2:ReplaceRoute
        ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress ec2:UpdateSecurityGroupRuleDescriptionsIngress
        """,
        (EC2 + "*",),
        OWN,
    ),
    Statement(
        "SecurityGroupRules",
        "ec2:ModifySecurityGroupRules",
        (EC2 + "security-group-rule/*",),
        why="rules have no names and no tags; their security group, which AWS checks too, has to be the stack's",
    ),
    Statement(
        "DefaultSecurityGroups",
        "ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress",
        (EC2 + "security-group/*",),
        why="the default security group of a new VPC has no tags; it is closed",
    ),
    Statement(
        "ServiceLinkedRoles",
        "iam:CreateServiceLinkedRole",
        ("arn:{partition}:iam::{account}:role/aws-service-role/*",),
        {"StringEquals": {"iam:AWSServiceName": "natgateway.amazonaws.com"}},
    ),
    *roles("{prefix}*-flow-logs"),
    Statement(
        "RoleOfFlowLogs",
        "iam:PassRole",
        ("arn:{partition}:iam::{account}:role{role_path}{prefix}*-flow-logs",),
        {"StringEquals": {"iam:PassedToService": "vpc-flow-logs.amazonaws.com"}},
    ),
    Statement("LogReads", "logs:DescribeLogGroups", ALL, why=NO_RESOURCES),
    Statement(
        "FlowLogs",
        "logs:CreateLogGroup logs:DeleteLogGroup logs:ListTagsForResource logs:PutRetentionPolicy logs:TagResource logs:UntagResource",
        (LOG_GROUP + "/aws/vpc-flow-logs/{prefix}*",),
    ),
    LEASE,
)

BOOTSTRAP_ACCOUNTS = (
    Statement("ZoneLists", "route53:CreateHostedZone route53:ListHostedZonesByName", ALL, why=NO_RESOURCES),
    Statement(
        "Zones",
        """
        route53:AssociateVPCWithHostedZone route53:ChangeResourceRecordSets route53:ChangeTagsForResource route53:DeleteHostedZone
        route53:GetHostedZone route53:ListResourceRecordSets route53:ListTagsForResource route53:UpdateHostedZoneComment
        """,
        ("arn:{partition}:route53:::hostedzone/*",),
        why="AWS chooses the IDs of hosted zones, and checks no tags of theirs",
    ),
    Statement("CertificateLists", "acm:ListCertificates", ALL, why=NO_RESOURCES),
    Statement("NewCertificates", "acm:RequestCertificate", ALL, NEW, why=NO_RESOURCES),
    Statement("NewCertificatesTags", "acm:AddTagsToCertificate", ("arn:{partition}:acm:{region}:{account}:certificate/*",), NEW),
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
        OWN,
    ),
    Statement("PoolLists", "cognito-idp:DescribeUserPoolDomain cognito-idp:ListUserPools", ALL, why=NO_RESOURCES),
    Statement("NewPools", "cognito-idp:CreateUserPool", ALL, NEW, why=NO_RESOURCES),
    Statement(
        "PoolReads",
        """
        cognito-idp:AdminGetUser cognito-idp:AdminListGroupsForUser cognito-idp:DescribeUserPool cognito-idp:DescribeUserPoolClient
        cognito-idp:GetGroup cognito-idp:GetUserPoolMfaConfig cognito-idp:ListUserPoolClients
        """,
        ("arn:{partition}:cognito-idp:{region}:{account}:userpool/*",),
        why="it looks for its own by its name and tags, which AWS only lists",
    ),
    Statement(
        "Pools",
        """
        cognito-idp:AdminAddUserToGroup cognito-idp:AdminCreateUser cognito-idp:CreateGroup cognito-idp:CreateUserPoolClient
        cognito-idp:CreateUserPoolDomain cognito-idp:DeleteUserPool cognito-idp:DeleteUserPoolClient cognito-idp:DeleteUserPoolDomain
        cognito-idp:SetUserPoolMfaConfig cognito-idp:TagResource cognito-idp:UntagResource cognito-idp:UpdateUserPool cognito-idp:UpdateUserPoolClient
        """,
        ("arn:{partition}:cognito-idp:{region}:{account}:userpool/*",),
        OWN,
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
    Statement("KeyLists", "kms:ListAliases", ALL, why=NO_RESOURCES),
    Statement("NewKeys", "kms:CreateKey", ALL, NEW, why=NO_RESOURCES),
    Statement("NewKeysTags", "kms:TagResource", ("arn:{partition}:kms:{region}:{account}:key/*",), NEW),
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
        kms:CreateAlias kms:Decrypt kms:EnableKeyRotation kms:GenerateDataKey kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:TagResource
        kms:UntagResource kms:UpdateKeyDescription
        """,
        ("arn:{partition}:kms:{region}:{account}:key/*",),
        OWN,
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
