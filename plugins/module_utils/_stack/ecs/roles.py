# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the IAM roles of the tasks, with what they may do. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs import bedrock
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.ecs.choices import Choices, State, unique
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import secret_arns

Statements = list[State]


class Roles:
    """The roles of a stack, as the module C(iam_roles) takes them."""

    def __init__(self, choices: Choices, bucket_id: str, bucket_arn: str) -> None:
        self.choices, self.bucket_id, self.bucket_arn = choices, bucket_id, bucket_arn
        self.keys: dict[str, str] = choices.account["kms_keys"]
        """The customer managed keys of what inputs name."""

    def all(self) -> list[State]:
        choices, names = self.choices, self.choices.names
        description = f"Starts the tasks that prepare the database of {choices['mlflow_unique_name']}"
        roles = [
            self._role(names["execution_role"], f"Starts the tasks of {choices['mlflow_unique_name']}", self._execution()),
            self._role(names["preparation_role"], description, self._preparation()),
            {
                **self._role(names["task_role"], f"What MLflow may do in {choices['mlflow_unique_name']}", self._task()),
                "managed_policies": choices["mlflow_service_task_policy_arns"],
            },
        ]
        if choices["mlflow_service_image_mirror"] and not choices["mlflow_service_image_mirror_secret_arn"]:
            # One role, of the container too: what starts the servers may not write the images that they start from.
            roles.append(self._role(names["mirror_role"], f"Copies the image of {choices['mlflow_unique_name']}", self._mirror()))
        any_role = {
            "path": choices["mlflow_iam_role_path"],
            "assume_role_policy": self._trust(),
            "permissions_boundary": choices["mlflow_permissions_boundary_arn"] or None,
        }
        return [{**role, **any_role} for role in roles]

    def _role(self, name: str, description: str, statements: Statements) -> State:
        return {"name": name, "description": description, "inline_policies": {name: {"Version": "2012-10-17", "Statement": statements}}}

    def _trust(self) -> State:
        """ECS in somebody else's name gets nothing."""
        account = self.choices.account
        condition = {"StringEquals": {"aws:SourceAccount": account["account_id"]}, "ArnLike": {"aws:SourceArn": self.choices.arn("ecs", "*")}}
        principal = {"Service": "ecs-tasks.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
        return {"Version": "2012-10-17", "Statement": [statement]}

    def _execution(self) -> Statements:
        choices, names = self.choices, self.choices.names
        found = self._arns_of_users()
        parameters = [arn for arn in found if re.match("arn:[^:]+:ssm:", arn)]
        registry = self._registry_secrets()
        secrets = list(dict.fromkeys([*(arn for arn in found if arn not in parameters), *registry]))
        files = choices["mlflow_service_environment_files"]
        buckets = unique(re.sub("/.*$", "", arn) for arn in files)
        own = [names["backend_store_secret"], names["server_keys_secret"], *([names["identity_key_secret"]] if choices.is_signed else [])]
        return [
            self._log(),
            _allow("secretsmanager:GetSecretValue", [*map(self._secret_pattern, own), *secrets]),
            self._decrypt(list(dict.fromkeys([choices["mlflow_key_arn"], *self._keys_of(secrets)])), "secretsmanager"),
            _images(),
            *([_allow("ssm:GetParameters", parameters)] if parameters else []),
            *self._decrypt_if(unique(self._keys_of(parameters)), "ssm"),
            *self._cache(),
            *([_allow("s3:GetObject", files), _allow("s3:GetBucketLocation", buckets)] if files else []),
            *self._decrypt_if(unique(self._keys_of(re.sub("^.*:::", "", arn) for arn in buckets)), "s3"),
        ]

    def _preparation(self) -> Statements:
        """The preparation has a role of its own, so that the one with which the servers start cannot read the master password."""
        choices = self.choices
        password, source, registry = choices["mlflow_database_password_secret_arn"], choices["mlflow_import_database_secret_arn"], self._registry_secrets()
        secrets = list(dict.fromkeys([password, *([source] if source else []), *registry]))
        keys = [choices["mlflow_key_arn"], self.keys.get(password, choices["mlflow_key_arn"]), *self._keys_of([*registry, source])]
        return [
            self._log(),
            _allow("secretsmanager:GetSecretValue", [self._secret_pattern(choices.names["backend_store_secret"]), *secrets]),
            self._decrypt(list(dict.fromkeys(keys)), "secretsmanager"),
            _images(),
            *self._cache(),
        ]

    def _task(self) -> Statements:
        choices, account = self.choices, self.choices.account
        return [
            *self._artifacts(),
            *self._read_buckets(),
            *self._file_systems(),
            *(_exec() if choices["mlflow_service_enable_execute_command"] else []),
            *(
                # Converse and ConverseStream ask for these, too
                [
                    _allow(
                        ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"],
                        bedrock.model_arns(choices["mlflow_gateway_bedrock_models"], account["partition"], account["region"], account["account_id"]),
                    )
                ]
                if choices["mlflow_gateway_bedrock_models"]
                else []
            ),
            *choices["mlflow_service_task_policy_statements"],
        ]

    def _artifacts(self) -> Statements:
        prefix, bucket = self.choices.artifact_prefix, self.bucket_arn
        condition = {"Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}}} if prefix else {}
        keys = unique(filter(None, (self.choices["mlflow_artifact_bucket_encryption_key_arn"], self.keys.get(self.bucket_id, ""))))
        objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        return [
            {**_allow("s3:ListBucket", bucket), **condition},
            _allow("s3:ListBucketMultipartUploads", bucket),
            _allow(objects, "/".join(filter(None, (bucket, prefix, "*")))),
            *([self._decrypt(keys, "s3", ["kms:GenerateDataKey", "kms:Decrypt"])] if keys else []),
        ]

    def _read_buckets(self) -> Statements:
        """What MLflow may read beside its own bucket. A bucket may be in another region, and its key is where it is."""
        partition = self.choices.account["partition"]
        arns = [arn if arn.startswith("arn:") else f"arn:{partition}:s3:::{arn}" for arn in self.choices["mlflow_artifact_buckets_mlflow_will_read"]]
        if not arns:
            return []
        keys = unique(self._keys_of(re.sub(r"^.*:::([^/]*).*$", r"\1", arn) for arn in arns))
        services = unique(f"s3.{key.split(':')[3]}.amazonaws.com" for key in keys)
        decrypt = {**_allow("kms:Decrypt", keys), "Condition": {"StringEquals": {"kms:ViaService": services}}}
        return [
            _allow("s3:ListBucket", sorted(unique(re.sub("/.*$", "", arn) for arn in arns), key=str.lower)),
            _allow("s3:GetObject", sorted(unique(arn if "/" in arn else f"{arn}/*" for arn in arns), key=str.lower)),
            *([decrypt] if keys else []),
        ]

    def _file_systems(self) -> Statements:
        """Those that ask for the role of the task."""
        volumes = [volume["efsVolumeConfiguration"] for volume in self.choices.file_systems]
        ids = unique(volume["fileSystemId"] for volume in volumes if (volume.get("authorizationConfig") or {}).get("iam") == "ENABLED")
        arns = [self.choices.arn("elasticfilesystem", f"file-system/{each}") for each in ids]
        return [_allow(["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], arns)] if arns else []

    def _mirror(self) -> Statements:
        choices, credentials = self.choices, self.choices["mlflow_service_image_credentials_secret_arn"]
        actions = ["BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage", "DescribeImages"]
        return [
            self._log(),
            _allow([f"ecr:{action}" for action in actions], choices.arn("ecr", f"repository/{choices.names['mirror_repository']}")),
            *(
                [_allow("secretsmanager:GetSecretValue", credentials), self._decrypt(self.keys.get(credentials, choices["mlflow_key_arn"]), "secretsmanager")]
                if credentials
                else []
            ),
        ]

    def _arns_of_users(self) -> list[str]:
        """Of what inputs give the containers."""
        choices = self.choices
        containers = [*choices["mlflow_service_sidecar_container_definitions"], {"logConfiguration": choices["mlflow_service_log_configuration"]}]
        return secret_arns(containers, choices["mlflow_service_secrets"], choices.arn("ssm", "parameter"))

    def _registry_secrets(self) -> list[str]:
        secret = self.choices["mlflow_service_image_credentials_secret_arn"]
        return [secret] if secret and not self.choices["mlflow_service_image_mirror"] else []

    def _secret_pattern(self, name: str) -> str:
        """The roles are created before the secrets, whose ARNs end in six characters that Secrets Manager chooses."""
        return self.choices.arn("secretsmanager", f"secret:{name}-??????")

    def _keys_of(self, resources: t.Iterable[str]) -> list[str]:
        return [self.keys[resource] for resource in resources if resource in self.keys]

    def _log(self) -> State:
        group = self.choices.arn("logs", f"log-group:{self.choices.names['service_log_group']}:*")
        return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], group)

    def _cache(self) -> Statements:
        """The repository is there, so nobody but the run needs ecr:CreateRepository."""
        if not self.choices["mlflow_service_image_mirror_secret_arn"]:
            return []
        return [_allow("ecr:BatchImportUpstreamImage", self.choices.arn("ecr", f"repository/{self.choices.names['cached_repository']}"))]

    def _decrypt(self, keys: str | list[str], service: str, actions: str | list[str] = "kms:Decrypt") -> State:
        condition = {"StringEquals": {"kms:ViaService": f"{service}.{self.choices.account['region']}.amazonaws.com"}}
        return {**_allow(actions, keys), "Condition": condition}

    def _decrypt_if(self, keys: list[str], service: str) -> Statements:
        return [self._decrypt(keys, service)] if keys else []


def _allow(actions: str | list[str], resources: str | list[str]) -> State:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _images() -> State:
    """The image may lie in any registry of ECR, whose own policy decides."""
    actions = ["GetAuthorizationToken", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"]
    return _allow([f"ecr:{action}" for action in actions], "*")


def _exec() -> Statements:
    """ECS Exec. These actions know no resources."""
    channels = ["CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"]
    return [_allow([f"ssmmessages:{channel}" for channel in channels], "*")]
