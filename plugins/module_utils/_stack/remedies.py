# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: what the user of a stack does about what AWS refuses: the table that the engine shows remedies from."""

from __future__ import annotations

_AGAIN = "and run the same command again"

REMEDIES: tuple[tuple[str, str], ...] = (
    # the caller
    (
        r"asks for an MFA code",
        f"get a session that has MFA first (aws sts get-session-token, aws sso login), set AWS_PROFILE or mlflow_aws_profile to its profile, {_AGAIN}",
    ),
    (r"credential_process (cannot|is no)", f"correct credential_process in the AWS configuration file, or choose another mlflow_aws_profile, {_AGAIN}"),
    (
        r"ExpiredToken|RequestExpired|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|AuthFailure"
        r"|InvalidAccessKeyId|MissingAuthenticationToken|NoCredentials|PartialCredentials|CredentialRetrieval|SSOTokenLoad|UnauthorizedSSOToken"
        r"|TokenRetrieval",
        f"sign in to AWS again or set AWS_PROFILE or mlflow_aws_profile, check the clock of this machine, {_AGAIN}",
    ),
    (r"InvalidConfigError|ConfigParseError|ConfigNotFound", f"correct the AWS configuration files, or choose another mlflow_aws_profile, {_AGAIN}"),
    (r"ProfileNotFound", "give mlflow_aws_profile the name of a profile of the AWS configuration files"),
    (
        r"OptInRequired|SubscriptionRequired|PendingVerification|BlockedException|account is (currently )?blocked",
        f"ask AWS Support to open this service to the account, {_AGAIN}",
    ),
    # the way to AWS
    (
        r"EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|ProxyConnection|SSLError|HTTPClientError",
        f"check the network, the proxy and the region (mlflow_aws_region), {_AGAIN}",
    ),
    (
        r"Throttl|RequestLimitExceeded|TooManyRequests|SlowDown|PriorRequestNotComplete|ServiceUnavailable|InternalFailure|InternalError",
        f"wait some minutes {_AGAIN}; if it stays, look for a full quota in Service Quotas",
    ),
    (r"MaxSessionDuration|session limit for roles", "give at most the MaxSessionDuration of the role, and 3600 where a role assumes it: sessions are renewed"),
    (
        r"explicit deny of iam:(Create|Put|Attach|Delete)Role",
        "give the permissions boundary that the organisation demands as mlflow_permissions_boundary_arn, and the path as mlflow_iam_role_path, "
        "or ask whoever set this deny to lift it",
    ),
    # names, capacity and quotas
    (
        r"BucketAlready(Exists|OwnedByYou)",
        "bucket names are shared by all of AWS: choose another mlflow_unique_name, or give a bucket of your own as mlflow_artifact_bucket_id",
    ),
    ("a second one would compete with it", "use it by its ID (bootstrap: mlflow_bootstrap_zone_id, mlflow_bootstrap_api_zone_id), or choose another name"),
    (
        r"InsufficientFreeAddresses|Not enough IP space|insufficient free addresses|not enough free addresses",
        f"free addresses in this subnet or give a larger one in its place (mlflow_*_subnet_ids), {_AGAIN}",
    ),
    (
        r"Insufficient\w*Capacity|Capacity is unavailable|InstanceCapacity",
        f"AWS has too little capacity in these zones: wait, or give subnets in other zones, {_AGAIN}",
    ),
    (
        r"breaking Cloudwatch Logs Constraints",
        "the resource policy AWSLogDeliveryWrite20150319 of CloudWatch Logs is full (5,120 characters): take the log groups out of it that are gone "
        f"(aws logs describe-resource-policies, put-resource-policy), or all of a prefix by one pattern, {_AGAIN}",
    ),
    (r"Insufficient permissions to enable logging", f"allow the caller the actions of the statement AccessLogsOfTheApi in docs/iam-policy-api.json, {_AGAIN}"),
    (
        r"in Availability Zone .* where service is not available",
        f"AWS has no VPC links in this zone: give a subnet in another one in its place (mlflow_service_subnet_ids), {_AGAIN}",
    ),
    (r"has no internet gateway", "give mlflow_load_balancer_subnet_ids of a VPC with an internet gateway, or set mlflow_load_balancer_is_internal to true"),
    (r"Maximum policy size", "name fewer buckets in mlflow_artifact_buckets_mlflow_will_read, by an ARN with * where they have a common prefix"),
    (
        r"TooMany\w+|\w*(Limit|Quota)\w*Exceeded|StorageExceeded|quota|[Tt]oo many .*[Ll]imit is|limit on the number of vCPUs|[Ll]imit has been reached",
        f"raise this quota of the account in Service Quotas or remove what nobody needs any more, {_AGAIN}",
    ),
    # what the stack refers to
    (
        r"not authorized to access this resource",  # Route 53, of a zone of another account
        "give the ID of a hosted zone of this account, or, if it is in another one, set mlflow_dns_assume_role_arn, or mlflow_manage_dns to false",
    ),
    (
        r"Cannot find version|(EngineVersion|engine version)\b.*(not|un)\s?(found|available|supported)",
        "AWS does not offer this version any more: choose another mlflow_rds_cluster_engine_version",
    ),
    (
        r"KMS\w*(NotAccessible|Disabled|InvalidState|NotFound|AccessDenied)|DisabledException|KMSInvalidState|Access to KMS",
        f"enable the key (mlflow_key_arn, mlflow_database_kms_key_arn) and let its policy allow the caller and the service, {_AGAIN}",
    ),
    (
        r"not allowed to be used with (Arn|LogGroup)",
        "let the policy of the key (mlflow_service_log_kms_key_arn) allow logs.<region>.amazonaws.com kms:Encrypt*, kms:Decrypt*, kms:ReEncrypt*, "
        f"kms:GenerateDataKey* and kms:Describe*, {_AGAIN}",
    ),
    (
        r"Access Denied for bucket",
        "let the policy of mlflow_load_balancer_access_logs_bucket allow the log delivery of load balancers, give it SSE-S3 (AES256) as its default "
        "encryption, and see that it is in the region of the stack, or leave the input out",
    ),
    (r"service.linked role", f"allow iam:CreateServiceLinkedRole in the caller's IAM policy, wait a minute {_AGAIN}"),
    # the tasks
    (
        r"UnableToGetUpstreamImage|UpstreamRegistry|UnableToAccessSecret|SecretNotFoundException.*ecr-pullthroughcache",
        f"check mlflow_service_image, its tag, and that mlflow_service_image_mirror_secret_arn holds a user and a valid token of the registry, {_AGAIN}",
    ),
    (
        r"CannotPullContainer",
        "check mlflow_service_image and its tag, and that the subnets of mlflow_service_subnet_ids reach the registry (NAT gateway, VPC endpoints)",
    ),
    (
        r"failed to invoke EFS utils|mount\.nfs4",
        "check that mlflow_service_volumes name a file system with mount targets in the zones of mlflow_service_subnet_ids, whose security group lets the "
        "servers in on port 2049",
    ),
    (
        r"unable to download env files",
        "check that the objects in mlflow_service_environment_files exist, and that the subnets of mlflow_service_subnet_ids reach S3",
    ),
    (
        r"ResourceInitializationError",
        "check that the secrets in mlflow_service_secrets exist and that the subnets of mlflow_service_subnet_ids reach Secrets Manager and the registry",
    ),
    (r"OutOfMemory", f"raise mlflow_service_memory or lower mlflow_service_workers, {_AGAIN}"),
)
"""What AWS's error code or message holds, and what to do about it. The first that fits is taken."""
