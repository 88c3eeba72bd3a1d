# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the playbooks on a stack need: ``site``, ``plan``, ``verify``, ``backup``, ``restore`` and ``destroy``. Pure."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.permissions.statements import (
    ALL,
    API,
    CALLER,
    EC2,
    ECS,
    ELB,
    LEASE,
    LOG_GROUP,
    NEW,
    NO_RESOURCES,
    OWN,
    RDS,
    Statement,
    roles,
)

NETWORK = (
    Statement(
        "NetworkReads",
        """
        ec2:DescribeAccountAttributes ec2:DescribeInternetGateways ec2:DescribeManagedPrefixLists ec2:DescribeNetworkInterfaces
        ec2:DescribeRouteTables ec2:DescribeSecurityGroupRules ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcEndpoints
        ec2:DescribeVpcs
        """,
        ALL,
        why=NO_RESOURCES,
    ),
    Statement("NewSecurityGroups", "ec2:CreateSecurityGroup", (EC2 + "security-group/*",), NEW),
    Statement("NewSecurityGroupsVpc", "ec2:CreateSecurityGroup", ("arn:{partition}:ec2:{region}:*:vpc/*",), why="an input names the VPC"),
    Statement("NewSecurityGroupsTags", "ec2:CreateTags", (EC2 + "security-group/*",), {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}),
    Statement(
        "SecurityGroups",
        """
        ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress ec2:CreateTags ec2:DeleteSecurityGroup ec2:DeleteTags
        ec2:ModifySecurityGroupRules ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress
        ec2:UpdateSecurityGroupRuleDescriptionsEgress ec2:UpdateSecurityGroupRuleDescriptionsIngress
        """,
        (EC2 + "security-group/*",),
        OWN,
    ),
    Statement(
        "SecurityGroupRules",
        "ec2:ModifySecurityGroupRules",
        (EC2 + "security-group-rule/*",),
        why="rules have no names and no tags; their security group, which AWS checks too, has to be the stack's",
    ),
    Statement(
        "LoadBalancerReads",
        """
        elasticloadbalancing:DescribeAccountLimits elasticloadbalancing:DescribeListenerCertificates elasticloadbalancing:DescribeListeners
        elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeRules
        elasticloadbalancing:DescribeSSLPolicies elasticloadbalancing:DescribeTags elasticloadbalancing:DescribeTargetGroupAttributes
        elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeTargetHealth
        """,
        ALL,
        why=NO_RESOURCES,
    ),
    Statement(
        "LoadBalancer",
        """
        elasticloadbalancing:AddListenerCertificates elasticloadbalancing:AddTags elasticloadbalancing:CreateListener
        elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:CreateRule elasticloadbalancing:CreateTargetGroup
        elasticloadbalancing:DeleteListener elasticloadbalancing:DeleteLoadBalancer elasticloadbalancing:DeleteRule
        elasticloadbalancing:DeleteTargetGroup elasticloadbalancing:ModifyListener elasticloadbalancing:ModifyLoadBalancerAttributes
        elasticloadbalancing:ModifyRule elasticloadbalancing:ModifyTargetGroup elasticloadbalancing:ModifyTargetGroupAttributes
        elasticloadbalancing:RemoveListenerCertificates elasticloadbalancing:RemoveTags elasticloadbalancing:SetIpAddressType
        elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets
        """,
        (ELB + "loadbalancer/app/{prefix}*", ELB + "listener/app/{prefix}*", ELB + "listener-rule/app/{prefix}*", ELB + "targetgroup/{prefix}*"),
    ),
    Statement(
        "WebAclOfTheLoadBalancer",
        """
        elasticloadbalancing:CreateWebACLAssociation elasticloadbalancing:DeleteWebACLAssociation elasticloadbalancing:GetLoadBalancerWebACL
        wafv2:AssociateWebACL wafv2:DisassociateWebACL wafv2:GetWebACLForResource
        """,
        (ELB + "loadbalancer/app/{prefix}*",),
    ),
    Statement("WebAclAssociations", "elasticloadbalancing:SetWebAcl", ALL, why=NO_RESOURCES),
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

IDENTITY = (
    *CALLER,
    *roles("{prefix}*"),
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
    Statement("SignInDomain", "cognito-idp:DescribeUserPoolDomain", ALL, why=NO_RESOURCES),
)

DATABASE = (
    Statement(
        "DatabaseReads",
        """
        rds:DescribeDBClusterParameterGroups rds:DescribeDBClusterParameters rds:DescribeDBClusterSnapshots rds:DescribeDBClusters
        rds:DescribeDBInstances rds:DescribeDBSubnetGroups rds:ListTagsForResource
        """,
        (RDS + "*",),
        why="they list and search, for which AWS asks for all names",
    ),
    Statement("DatabaseEngines", "rds:DescribeAccountAttributes rds:DescribeDBEngineVersions", ALL, why=NO_RESOURCES),
    Statement(
        "Database",
        """
        rds:AddTagsToResource rds:CreateDBCluster rds:CreateDBClusterParameterGroup rds:CreateDBClusterSnapshot rds:CreateDBInstance
        rds:CreateDBSubnetGroup rds:DeleteDBCluster rds:DeleteDBClusterParameterGroup rds:DeleteDBInstance rds:DeleteDBSubnetGroup
        rds:ModifyDBCluster rds:ModifyDBClusterParameterGroup rds:ModifyDBInstance
        rds:ModifyDBSubnetGroup rds:RebootDBInstance rds:RemoveTagsFromResource rds:RestoreDBClusterFromSnapshot
        rds:RestoreDBClusterToPointInTime
        """,
        (RDS + "cluster:{prefix}*", RDS + "cluster-pg:{prefix}*", RDS + "cluster-snapshot:{prefix}*", RDS + "db:{prefix}*", RDS + "subgrp:{prefix}*"),
    ),
    Statement(
        "DatabaseDefaults",
        """
        rds:CreateDBCluster rds:CreateDBInstance rds:ModifyDBCluster rds:ModifyDBInstance rds:RestoreDBClusterFromSnapshot
        rds:RestoreDBClusterToPointInTime
        """,
        (RDS + "cluster-pg:default.*", RDS + "og:default:*", RDS + "pg:default.*"),
    ),
    Statement(
        "NewSnapshots",
        "rds:AddTagsToResource rds:CreateDBClusterSnapshot",
        (RDS + "cluster-snapshot:*",),
        NEW,
        why="an input names the snapshot; AWS asks also for the cluster, which has to be the stack's",
    ),
    Statement(
        "Snapshots",
        "rds:RestoreDBClusterFromSnapshot",
        (RDS + "cluster-snapshot:*",),
        why="an input names the snapshot to restore; AWS names its automated ones",
    ),
)

STORAGE = (
    Statement(
        "Bucket",
        """
        s3:CreateBucket s3:DeleteBucket s3:DeleteBucketPolicy s3:GetBucketCORS s3:GetBucketLogging s3:GetBucketOwnershipControls s3:GetBucketPolicy
        s3:GetBucketPublicAccessBlock s3:GetBucketTagging s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration
        s3:ListBucket s3:ListBucketMultipartUploads s3:ListBucketVersions s3:ListTagsForResource s3:PutBucketCORS s3:PutBucketLogging
        s3:PutBucketOwnershipControls s3:PutBucketPolicy s3:PutBucketPublicAccessBlock s3:PutBucketTagging s3:PutBucketVersioning
        s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource
        """,
        ("arn:{partition}:s3:::{prefix}*",),
    ),
    Statement("Objects", "s3:AbortMultipartUpload s3:DeleteObject s3:DeleteObjectVersion", ("arn:{partition}:s3:::{prefix}*/*",)),
    Statement(
        "OtherBuckets",
        "s3:GetBucketCORS s3:GetBucketPolicy s3:GetEncryptionConfiguration s3:ListBucket",
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
    Statement("ContainerParameters", "ssm:DescribeParameters", ALL, why=NO_RESOURCES),
    LEASE,
)

SERVERS = (
    Statement("ServerReads", "ecs:DeregisterTaskDefinition ecs:DescribeTaskDefinition ecs:ListTaskDefinitions", ALL, why=NO_RESOURCES),
    Statement(
        "TaskLists",
        "ecs:ListTasks",
        ALL,
        {"ArnLike": {"ecs:cluster": ECS + "cluster/{prefix}*"}},
        why="AWS lists by the cluster, which the condition names; the resource is that of a container instance, which Fargate has none of",
    ),
    Statement(
        "Servers",
        """
        ecs:CreateCluster ecs:CreateService ecs:DeleteCluster ecs:DeleteService ecs:DeleteTaskDefinitions ecs:DescribeClusters
        ecs:DescribeServices ecs:DescribeTasks ecs:ListTagsForResource ecs:PutClusterCapacityProviders ecs:RegisterTaskDefinition ecs:RunTask
        ecs:TagResource ecs:UntagResource ecs:UpdateCluster ecs:UpdateService
        """,
        (ECS + "cluster/{prefix}*", ECS + "service/{prefix}*", ECS + "task-definition/{prefix}*", ECS + "task/{prefix}*"),
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
        ALL,
        why=NO_RESOURCES,
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
        ALL,
        why=NO_RESOURCES,
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
    Statement("LogReads", "logs:DescribeLogGroups", ALL, why=NO_RESOURCES),
    Statement("LogQueries", "logs:DeleteQueryDefinition logs:DescribeQueryDefinitions logs:PutQueryDefinition", ALL, why=NO_RESOURCES),
    Statement(
        "Logs",
        """
        logs:AssociateKmsKey logs:CreateLogGroup logs:DeleteLogGroup logs:DisassociateKmsKey logs:GetLogEvents logs:ListTagsForResource
        logs:PutRetentionPolicy logs:TagResource logs:UntagResource
        """,
        (
            LOG_GROUP + "/ecs/{prefix}*",
            LOG_GROUP + "/aws/apigateway/{prefix}*",
            LOG_GROUP + "/aws/lambda/{prefix}*",
            LOG_GROUP + "/aws/rds/cluster/{prefix}*",
            LOG_GROUP + "/aws/vendedlogs/apigateway/{prefix}*",
        ),
    ),
)

API_GATEWAY = (
    Statement("ApiReads", "apigateway:GET", (API + "/*",), why="AWS chooses the IDs of APIs and VPC links, and lists all"),
    Statement("NewApis", "apigateway:POST", (API + "/apis", API + "/domainnames", API + "/vpclinks"), NEW),
    Statement("Apis", "apigateway:DELETE apigateway:PATCH", (API + "/apis/*", API + "/domainnames/*", API + "/vpclinks/*"), OWN),
    Statement(
        "ApiParts",
        "apigateway:DELETE apigateway:PATCH apigateway:POST",
        (API + "/apis/*/*", API + "/domainnames/*/apimappings", API + "/domainnames/*/apimappings/*"),
        why="AWS chooses the IDs of APIs, whose routes, integrations, authorizers and mappings have no tags",
    ),
    Statement(
        "ApiTags",
        "apigateway:DELETE apigateway:POST apigateway:PUT apigateway:TagResource apigateway:UntagResource",
        (API + "/tags/*",),
        why="AWS chooses the IDs of APIs and VPC links",
    ),
    Statement("ApiNewTags", "apigateway:TagResource", (API + "/apis", API + "/apis/*/stages", API + "/domainnames", API + "/vpclinks")),
    Statement(
        "ApiDomains",
        "apigateway:AddCertificateToDomain apigateway:RemoveCertificateFromDomain",
        (API + "/domainnames", API + "/domainnames/*"),
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
        ALL,
        why=NO_RESOURCES,
    ),
)

MONITORING = (
    Statement(
        "Alarms",
        "cloudwatch:DeleteAlarms cloudwatch:ListTagsForResource cloudwatch:PutMetricAlarm cloudwatch:TagResource cloudwatch:UntagResource",
        ("arn:{partition}:cloudwatch:{region}:{account}:alarm:{prefix}*",),
    ),
    Statement(
        "Dashboards",
        """
        cloudwatch:DeleteDashboards cloudwatch:GetDashboard cloudwatch:ListTagsForResource cloudwatch:PutDashboard cloudwatch:TagResource
        cloudwatch:UntagResource
        """,
        ("arn:{partition}:cloudwatch::{account}:dashboard/{prefix}*",),
    ),
    Statement(
        "Topics",
        """
        sns:CreateTopic sns:DeleteTopic sns:GetTopicAttributes sns:ListSubscriptionsByTopic sns:ListTagsForResource sns:SetTopicAttributes
        sns:Subscribe sns:TagResource sns:UntagResource
        """,
        ("arn:{partition}:sns:{region}:{account}:{prefix}*",),
    ),
    Statement("Subscriptions", "sns:Unsubscribe", ALL, why=NO_RESOURCES),
    Statement("OtherTopics", "sns:GetTopicAttributes", ("arn:{partition}:sns:{region}:{account}:*",), why="an input names the topic"),
    Statement(
        "Events",
        """
        events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule events:PutRule events:PutTargets
        events:RemoveTargets events:TagResource events:UntagResource
        """,
        ("arn:{partition}:events:{region}:{account}:rule/{prefix}*",),
    ),
    Statement(
        "DatabaseEvents",
        """
        rds:AddTagsToResource rds:CreateEventSubscription rds:DeleteEventSubscription rds:DescribeEventSubscriptions rds:ModifyEventSubscription
        rds:RemoveTagsFromResource
        """,
        (RDS + "es:{prefix}*",),
    ),
    Statement(
        "RefusedRequests", "logs:DeleteMetricFilter logs:DescribeMetricFilters logs:PutMetricFilter", (LOG_GROUP + "/aws/vendedlogs/apigateway/{prefix}*",)
    ),
)
