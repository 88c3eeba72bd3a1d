# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the KMS keys: those that inputs name, and those of the secrets, parameters and buckets that inputs name.

Who reads a secret under a customer key, or writes into a bucket under one, has to be allowed to use that key. Preflight finds out which key
that is, and the roles ``ecs`` and ``apigw`` allow exactly it.
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t
from functools import partial

from ansible.module_utils.common.warnings import warn

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import none_if_missing
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import ClientError, NOT_ALLOWED, error_code
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.containers import LOG, SIDECARS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.derived import secret_arn, sidecar_secrets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import CACHE, Check, Checks, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.buckets import bucket_key

NAMED = ("mlflow_key_arn", "mlflow_database_kms_key_arn", "mlflow_artifact_bucket_encryption_key_arn", "mlflow_service_log_kms_key_arn")
LOGS = NAMED[-1]
READ = ("mlflow_database_password_secret_arn", "mlflow_api_credentials_secret_arn", "mlflow_service_image_credentials_secret_arn")
"""Inputs with a secret whose value another check reads, which also tells that there is none."""
PARAMETERS = 50
"""The most values that a filter of DescribeParameters takes."""

Document = dict[str, t.Any]


class Thing(t.NamedTuple):
    """What may be under a key: a secret or a parameter by its ARN, or a bucket by its name; and the role that has to use it."""

    variable: str
    name: str
    role: str
    hidden: bool = False
    """Whether what was given may be a secret, and is not shown."""

    @property
    def service(self) -> str:
        return self.name.split(":")[2] if self.name.startswith("arn:") else "s3"

    @property
    def region(self) -> str:
        return self.name.split(":")[3] if self.name.startswith("arn:") else ""

    @property
    def account(self) -> str:
        return self.name.split(":")[4] if self.name.startswith("arn:") else ""


class Use(t.NamedTuple):
    """The customer key that something is under, if any, and what to say of it."""

    key: str = ""
    problem: str = ""
    warning: str = ""


class Unusable(Exception):
    """Why the role that has to use something could not."""


class Keys(Checks):
    def checks(self) -> list[Check]:
        return [
            *((self.named, (name,), (name,)) for name in NAMED),
            (self.of_logs, (), (LOGS,)),
            (self.of_cache, (), (CACHE,)),
            *((self.usable, (thing,), (re.split(r"[.\[]", thing.variable)[0],)) for thing in self.things()),
        ]

    def things(self) -> list[Thing]:
        stack = self.inputs.get("mlflow_unique_name", "")
        preparation, servers, mlflow, authorizer = (f"{stack}-{role}" for role in ("ecs-prepare-execution", "ecs-execution", "ecs-task", "authorizer"))
        pulling = (f"{stack}-ecs-mirror",) if self.inputs.get("mlflow_service_image_mirror") else (preparation, servers)
        single = [
            ("mlflow_database_password_secret_arn", preparation),
            ("mlflow_import_database_secret_arn", preparation),
            ("mlflow_api_credentials_secret_arn", authorizer),
            *(("mlflow_service_image_credentials_secret_arn", role) for role in pulling),
            ("mlflow_artifact_bucket_id", mlflow),
        ]
        secrets = self.inputs.get("mlflow_service_secrets") or {}
        sidecars = [(f"{SIDECARS}[{index}]", sidecar) for index, sidecar in enumerate(self.inputs.get(SIDECARS) or [])]
        files = (bucket_name(each) for each in self.inputs.get("mlflow_service_environment_files") or [])
        read = (bucket_name(each) for each in self.inputs.get("mlflow_artifact_buckets_mlflow_will_read") or [])
        things = [
            *(Thing(name, self.inputs[name], role) for name, role in single if self.inputs.get(name)),
            *(self.secret("mlflow_service_secrets", f"[{name}]", reference, servers) for name, reference in secrets.items()),
            *(
                self.secret(where, f".{field}".removeprefix(".logConfiguration" if where == LOG else ""), reference, servers)
                for where, container in (*sidecars, (LOG, {"logConfiguration": self.inputs.get(LOG) or {}}))
                for field, reference in sidecar_secrets(container)
                if isinstance(reference, str)
            ),
            *(Thing("mlflow_service_environment_files", name, servers) for name in files),
            *(Thing("mlflow_artifact_buckets_mlflow_will_read", name, mlflow) for name in read if name),
        ]
        return list(dict.fromkeys(things))

    def secret(self, variable: str, field: str, reference: str, role: str) -> Thing:
        """What a container reads as a secret. A parameter may be given by its name, of which nothing tells it from a secret itself."""
        named = not reference.startswith("arn:")
        name = secret_arn(reference, f"arn:{self.aws.partition}:ssm:{self.aws.region}:{self.aws.account_id}:parameter") if named else secret_arn(reference)
        return Thing(variable + field if named or variable.startswith(SIDECARS) else variable, name, role, named)

    def keys(self) -> dict[str, str]:
        """The customer key of each thing that is under one, by the thing's name. Asks nothing that the checks have asked."""
        return {thing.name: key for thing in self.things() if (key := self.use(thing).key)}

    def named(self, name: str) -> Problems:
        key = self.described(self.inputs[name])
        if key is None:
            yield self.problem(name, f"no such key in {self.aws.region}")
        elif key["KeyState"] != "Enabled":
            yield self.problem(name, f"the key is {key['KeyState']}: enable it or give another one")
        elif key.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
            yield self.problem(name, f"the key is {key['KeySpec']}: AWS's services encrypt with symmetric keys only, give one")

    def of_logs(self) -> Problems:
        """Whether CloudWatch Logs may use the key of the log groups, as far as the caller may see it; AWS refuses it otherwise."""
        try:
            policy = self.aws.client("kms").get_key_policy(KeyId=self.inputs[LOGS], PolicyName="default")["Policy"]
        except ClientError as error:
            if error_code(error) not in (*NOT_ALLOWED, "NotFoundException"):
                raise
            return
        service = f"logs.{self.aws.region}.amazonaws.com"
        principals = [json.dumps(statement.get("Principal")) for statement in json.loads(policy)["Statement"] if statement["Effect"] == "Allow"]
        if not any(service in principal or '"*"' in principal for principal in principals):
            allowed = "kms:Encrypt*, kms:Decrypt*, kms:ReEncrypt*, kms:GenerateDataKey* and kms:Describe*"
            yield self.problem(LOGS, f"its policy does not let CloudWatch Logs use it: allow the service {service} {allowed}")

    def of_cache(self) -> Problems:
        """Whether ECR can decrypt the secret of its pull-through cache: it uses no customer key."""
        if self.is_of_another_account(self.inputs[CACHE]):
            return  # of which another check tells
        secret = none_if_missing(self.aws.client("secretsmanager").describe_secret, "ResourceNotFoundException", SecretId=self.inputs[CACHE])
        key = (secret or {}).get("KmsKeyId", "")  # another check tells that there is no such secret
        if key and not key.endswith("alias/aws/secretsmanager") and (self.described(key) or {}).get("KeyManager") != "AWS":
            yield self.problem(CACHE, f"it is under the key {key}, and Amazon ECR uses no customer key: encrypt it with aws/secretsmanager")

    def usable(self, thing: Thing) -> Problems:
        use = self.use(thing)
        if use.problem:
            yield Problem(thing.variable, None if thing.hidden else thing.name, use.problem)
        if use.warning:
            warn(f"{thing.variable}: {thing.name}: {use.warning}")

    def use(self, thing: Thing) -> Use:
        return self.aws.once(("use of a key", thing.name, thing.role), partial(self._use, thing))

    def _use(self, thing: Thing) -> Use:
        unseen = f"see to it that the role {thing.role} may use the key that it is under"
        if thing.region not in ("", self.aws.region):
            return Use(warning=f"it is in {thing.region}, where nothing was looked at: {unseen}")
        if thing.service == "ssm" and thing.account != self.aws.account_id:
            return Use(warning=f"it is of the account {thing.account}, where nothing was looked at: {unseen}")
        try:
            key = {"secretsmanager": self.key_of_secret, "ssm": self.key_of_parameter, "s3": self.key_of_bucket}[thing.service](thing)
            aws_managed = not key or key.startswith("alias/aws/")  # whoever may read the secret or the bucket may use that
            return Use() if aws_managed else self._use_of_key(thing, key)
        except Unusable as reason:
            return Use(problem=str(reason))
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            if thing.hidden:
                return Use(problem=f"the caller may not {error.operation_name}, which would tell whether there is such a parameter: give its full ARN")
            return Use(warning=f"the caller may not {error.operation_name} it: {unseen}")

    def _use_of_key(self, thing: Thing, key_id: str) -> Use:
        may = f"has to let the role {thing.role} use it"
        region = key_id.split(":")[3] if key_id.startswith("arn:") else self.aws.region
        if region != self.aws.region:  # where what it encrypts is
            return Use(key=key_id)
        try:
            key = self.described(key_id)
        except ClientError as error:
            if error_code(error) not in NOT_ALLOWED:
                raise
            arn = key_id if ":key/" in key_id else ""
            return Use(key=arn, warning=f"the caller may not DescribeKey its key {key_id}, whose policy {may}")
        if key is None:
            raise Unusable(f"it is under the key {key_id}, which there is not: encrypt it with another one")
        arn, theirs = key["Arn"], key["AWSAccountId"] != self.aws.account_id
        if key["KeyState"] != "Enabled" and arn not in map(self.inputs.get, NAMED):  # of which named() tells
            raise Unusable(f"it is under the key {arn}, which is {key['KeyState']}: enable the key, or encrypt it with another one")
        if key["KeyManager"] == "AWS":
            if theirs:
                raise Unusable(f"it is under the key {arn}, of AWS in another account, which nobody here can use: encrypt it with a customer key")
            return Use()
        return Use(arn, warning=f"it is under the key {arn} of another account, whose policy {may}" if theirs else "")

    def described(self, key_id: str) -> Document | None:
        describe = partial(self.aws.client("kms").describe_key, KeyId=key_id)
        answer = self.aws.once(("key", key_id), lambda: none_if_missing(describe, "NotFoundException"))
        return answer and answer["KeyMetadata"]

    def key_of_secret(self, thing: Thing) -> str:
        secret = none_if_missing(self.aws.client("secretsmanager").describe_secret, "ResourceNotFoundException", SecretId=thing.name)
        if secret is None or "DeletedDate" in secret:
            if thing.variable in READ:
                return ""
            raise Unusable("it is scheduled for deletion: restore it, or give another one" if secret else f"there is no such secret in {self.aws.region}")
        key = secret.get("KmsKeyId", "")
        if thing.account == self.aws.account_id or key.startswith("arn:"):
            return key
        if key in ("", "alias/aws/secretsmanager"):
            raise Unusable("it is of another account, under AWS's key for Secrets Manager there, which nobody here can use: encrypt it with a customer key")
        partition = thing.name.split(":")[1]
        return f"arn:{partition}:kms:{thing.region}:{thing.account}:{'' if key.startswith('alias/') else 'key/'}{key}"  # an ID or alias of that account

    def key_of_parameter(self, thing: Thing) -> str:
        parameter = self.parameters().get(parameter_name(thing.name))
        if parameter is None:
            raise Unusable(f"there is no such parameter in {self.aws.region}")
        return parameter.get("KeyId", "") if parameter["Type"] == "SecureString" else ""

    def parameters(self) -> dict[str, Document]:
        """What AWS says of the parameters of this account that inputs name, asked for at once."""
        ours = (thing for thing in self.things() if thing.service == "ssm" and (thing.region, thing.account) == (self.aws.region, self.aws.account_id))
        names = sorted({parameter_name(thing.name) for thing in ours})
        # ARNs do not tell whether the name begins with a slash, unless it has another one.
        spelled = [spelling for name in names for spelling in ((f"/{name}",) if "/" in name else (name, f"/{name}"))]
        batches = [spelled[n : n + PARAMETERS] for n in range(0, len(spelled), PARAMETERS)]
        answers = self.aws.once("parameters", lambda: list(itertools.chain.from_iterable(map(self._parameters, batches))))
        return {parameter["Name"].removeprefix("/"): parameter for parameter in answers}

    def _parameters(self, names: list[str]) -> list[Document]:
        filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
        return self.aws.pages("ssm", "describe_parameters", "Parameters", ParameterFilters=filters)

    def key_of_bucket(self, thing: Thing) -> str:
        missing = ("NoSuchBucket", "ServerSideEncryptionConfigurationNotFoundError")
        answer = none_if_missing(self.aws.client("s3").get_bucket_encryption, *missing, Bucket=thing.name)
        return bucket_key(answer) or ""


def bucket_name(given: str) -> str:
    """The bucket in a name or an ARN of objects; empty where a pattern stands for many.

    >>> [bucket_name(given) for given in ("data", "arn:aws:s3:::data", "arn:aws:s3:::data/public/*", "arn:aws:s3:::data-*")]
    ['data', 'data', 'data', '']
    """
    name = given.rpartition(":::")[2].partition("/")[0]
    return "" if set(name) & set("*?") else name


def parameter_name(arn: str) -> str:
    """The name of a parameter without a slash before it.

    >>> parameter_name("arn:aws:ssm:eu-west-1:123456789012:parameter/team/x/token")
    'team/x/token'
    """
    return arn.partition(":parameter/")[2]
