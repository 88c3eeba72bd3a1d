# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: the names of everything of a stack in AWS, and the ports that its parts meet at. Pure.

docs/design/names.md has them as a table. Other names follow from what is in AWS: those of instances, parameter groups, snapshots and
restored clusters, in ``_services/rds/names.py``.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import OWNER_TAGS
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import resource_id
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.ecr import upstream
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.names import log_group_name
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.server_environment import static_prefix
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Inputs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.monitoring.alarms import DEPLOYMENT

LOAD_BALANCER_NAME = 32
"""The maximum number of characters of the name of a load balancer or a target group."""

SERVICE_PORT = 5000
"""Of MLflow in its container."""
LOOPBACK_PORT = 5001
"""Of MLflow for its own machine alone, where something else takes TLS for it."""
_API_LISTENER_PORT = 8443
"""Of the listener of a load balancer that API Gateway's VPC link connects to."""
_DATABASE_PORTS = {"aurora-mysql": 3306, "aurora-postgresql": 5432}
_DATABASE_LOGS = {"aurora-mysql": ("error", "slowquery"), "aurora-postgresql": ("postgresql",)}
"""What the database writes into log groups, by engine."""
_AUDIT_LOGS = {"aurora-mysql": ("audit",)}
"""What else with ``mlflow_database_audit_log``. The other engine audits into its one log."""


class Names(t.NamedTuple):
    """The names of one stack. Several kinds of resources may share a name. Preflight returns them all."""

    unique_name: str
    """Of the cluster of the database and its subnet group, the load balancer for people and its target group, the cluster of ECS, the
    service and its task definition, the API and its VPC link."""
    host: str
    """The host name for people; empty where an input for it is missing, as the next."""
    api_host: str
    """The host name for programs."""
    token_host: str
    """The one for programs that come by the load balancer itself, with tokens; empty where none do."""
    path_prefix: str
    """The path below which MLflow serves at both; empty for none."""
    ports: dict[str, int | None]
    """Of MLflow (``service``; ``loopback`` within its container, where it is behind TLS), of the load balancer
    for the VPC link (``api_listener``), of the database (``database``)."""
    load_balancer_security_group: str
    service_security_group: str
    database_security_group: str
    vpc_link_security_group: str
    api_load_balancer_security_group: str
    bucket: str
    database_log_groups: dict[str, str]
    """RDS chooses their names. By the log type of the database's engine."""
    all_database_log_groups: dict[str, str]
    """Those of all engines."""
    load_balancers: list[str]
    """Those of the stack, each with one of the next."""
    target_groups: list[str]
    """Each has the name of its load balancer, or the next where the servers take TLS: AWS cannot change the protocol of one."""
    tls_target_groups: dict[str, str]
    """By the load balancer; empty where AWS would not take the name."""
    jobs_target_groups: list[str]
    """Those of the servers that run jobs, one for each of `load_balancers`; empty where AWS would not take the name, as in the next."""
    all_jobs_target_groups: dict[str, list[str]]
    """By the load balancer: the one of HTTP, the one of HTTPS."""
    api_load_balancer: str
    """Of the load balancer for programs, who need one of their own beside an internet-facing one."""
    jobs_service: str
    """Of the service whose one task runs MLflow's jobs, and of its task definition."""
    preparation_task: str
    """Of the task definition of the one-off task that initialises the database."""
    import_task: str
    """Of that of the task that copies another MLflow's."""
    mirror_repository: str
    """With the next three: of the copy of MLflow's image in the account."""
    mirror_task: str
    mirror_role: str
    mirror_tag: str
    """Of one image for one CPU architecture, and never moved; empty where an input for it is missing."""
    cached_repository: str
    """Of the image that ECR's pull-through cache brings, whose prefix is the name of the stack; empty where an input for it is missing, as the next."""
    cached_registry: str
    """Where it brings it from."""
    scalable_target: str
    cpu_policy: str
    scheduled_action_prefix: str
    execution_role: str
    preparation_role: str
    task_role: str
    monitoring_role: str
    """Of Enhanced Monitoring of the database."""
    backend_store_secret: str
    server_keys_secret: str
    identity_key_secret: str
    """Of the key with which the Lambda authorizer signs for the servers who calls."""
    service_log_group: str
    audit_query: str
    authorizer: str
    """Of the function and its role."""
    lambda_authorizer: str
    """With the next: the authorizers of the API have a name each, so that both can exist while one replaces the other."""
    jwt_authorizer: str
    authorizer_log_group: str
    """AWS Lambda chooses it."""
    access_log_group: str
    previous_access_log_group: str
    """What that was called in an earlier version; it keeps its lines until they expire."""
    alarm_prefix: str
    """Of the names of all alarms. No name of another stack begins so."""
    deployment_alarms: list[str]
    """The alarms that end a deployment."""
    alarm_topic: str
    database_events: str
    """Of the subscription to events of RDS."""
    deployments_rule: str
    """With the next: of the rules of EventBridge."""
    stopped_tasks_rule: str
    refused_filter: str
    """Of the metric filter that counts refused requests in the access log; its metric is called so too."""
    dashboard: str
    """With the next: the dashboards of an account have different names in all regions."""
    account_dashboard: str
    """Of the dashboard over all stacks of the account."""
    database_password_secret: str
    """With the next five: of ``bootstrap``."""
    access_logs_bucket: str
    flow_logs_role: str
    flow_log_group: str
    api_credentials_secret: str
    cognito_domain: str

    @property
    def security_groups(self) -> tuple[str, ...]:
        """In the order in which all modules ask for them."""
        return (
            self.load_balancer_security_group,
            self.service_security_group,
            self.database_security_group,
            self.vpc_link_security_group,
            self.api_load_balancer_security_group,
        )

    @property
    def task_roles(self) -> tuple[str, ...]:
        return (self.execution_role, self.preparation_role, self.task_role)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.server_keys_secret, self.backend_store_secret)

    @property
    def task_families(self) -> tuple[str, ...]:
        return (self.unique_name, self.preparation_task)


def names_of(inputs: Inputs, account_id: str = "", region: str = "") -> Names:
    """The names of the stack that the inputs describe, of which ``mlflow_unique_name`` is enough for most. The bucket's depends on the account
    and the region.
    """
    name, engine = inputs.get("mlflow_unique_name", ""), inputs.get("mlflow_database_engine", "")
    database_logs = (*_DATABASE_LOGS.get(engine, ()), *(_AUDIT_LOGS.get(engine, ()) if inputs.get("mlflow_database_audit_log") else ()))
    authorizer, api_load_balancer = f"{name}-authorizer", f"{name}-api"
    cached_registry, cached = upstream(inputs["mlflow_service_image"]) if inputs.get("mlflow_service_image") else ("", "")
    load_balancers = [name] if inputs.get("mlflow_load_balancer_is_internal", True) else [name, api_load_balancer]
    tls_target_groups = {each: _of_target_group(f"{each}-tls") for each in (name, api_load_balancer)}
    jobs = {name: f"{name}-jobs", api_load_balancer: f"{name}-jobs-api"}
    all_jobs_target_groups = {each: [_of_target_group(group), _of_target_group(f"{group}-tls")] for each, group in jobs.items()}
    protocol = bool(inputs.get("mlflow_service_tls"))
    return Names(
        unique_name=name,
        host=_host(inputs, "mlflow_zone_name"),
        api_host=_host(inputs, "mlflow_api_zone_name"),
        token_host=_token_host(inputs),
        path_prefix=static_prefix(inputs),
        ports={
            "service": SERVICE_PORT,
            "loopback": LOOPBACK_PORT,
            "api_listener": _API_LISTENER_PORT,
            "database": inputs.get("mlflow_database_port") or _DATABASE_PORTS.get(engine),
        },
        load_balancer_security_group=f"{name}-load-balancer",
        service_security_group=f"{name}-service",
        database_security_group=f"{name}-database",
        vpc_link_security_group=f"{name}-vpc-link",
        api_load_balancer_security_group=f"{name}-load-balancer-api",
        bucket=f"{name}-{account_id}-{region}",
        database_log_groups={log: log_group_name(name, log) for log in database_logs},
        all_database_log_groups={log: log_group_name(name, log) for logs in (*_DATABASE_LOGS.values(), *_AUDIT_LOGS.values()) for log in logs},
        load_balancers=load_balancers,
        target_groups=[tls_target_groups[each] for each in load_balancers] if inputs.get("mlflow_service_tls") else load_balancers,
        tls_target_groups=tls_target_groups,
        jobs_target_groups=[all_jobs_target_groups[each][protocol] for each in load_balancers],
        all_jobs_target_groups=all_jobs_target_groups,
        api_load_balancer=api_load_balancer,
        jobs_service=f"{name}-jobs",
        preparation_task=f"{name}-prepare-database",
        import_task=f"{name}-import-database",
        mirror_repository=f"{name}/mlflow",
        mirror_task=f"{name}-mirror-image",
        mirror_role=f"{name}-ecs-mirror",
        mirror_tag=_mirror_tag(*(inputs.get(f"mlflow_service_{part}", "") for part in ("image", "image_tag", "cpu_architecture"))),
        cached_repository=f"{name}/{cached}" if cached else "",
        cached_registry=cached_registry,
        scalable_target=resource_id(name, name),
        cpu_policy=f"{name}-cpu",
        scheduled_action_prefix=f"{name}-",
        execution_role=f"{name}-ecs-execution",
        preparation_role=f"{name}-ecs-prepare-execution",
        task_role=f"{name}-ecs-task",
        monitoring_role=f"{name}-rds-monitoring",
        backend_store_secret=f"{name}-backend-store-uri",
        server_keys_secret=f"{name}-server-keys",
        identity_key_secret=f"{name}-identity-key",
        service_log_group=f"/ecs/{name}",
        audit_query=f"{name}/audit",
        authorizer=authorizer,
        lambda_authorizer=f"{name}-lambda",
        jwt_authorizer=f"{name}-jwt",
        authorizer_log_group=f"/aws/lambda/{authorizer}",
        # CloudWatch Logs allows log delivery to all groups of this prefix by one pattern; other names fill a policy of the account, of 5,120
        # characters, that AWS never takes one out of.
        access_log_group=f"/aws/vendedlogs/apigateway/{name}",
        previous_access_log_group=f"/aws/apigateway/{name}",
        alarm_prefix=f"{name}/",
        deployment_alarms=[f"{name}/{alarm}" for alarm in DEPLOYMENT],
        alarm_topic=f"{name}-alarms",
        database_events=f"{name}-database",
        deployments_rule=f"{name}-deployments",
        stopped_tasks_rule=f"{name}-stopped-tasks",
        refused_filter=f"{name}/refused",
        dashboard=f"{name}-{region}",
        account_dashboard=f"{name}-{region}-account",
        access_logs_bucket=f"{name}-logs-{account_id}-{region}",
        flow_logs_role=f"{name}-flow-logs",
        flow_log_group=f"/aws/vpc-flow-logs/{name}",
        database_password_secret=f"{name}-database-password",
        api_credentials_secret=f"{name}-api-credentials",
        cognito_domain=f"{name}-{account_id}",
    )


def _host(inputs: Inputs, zone: str) -> str:
    record = inputs.get("mlflow_record_name")
    return host_name(record, inputs[zone]) if record and inputs.get(zone) else ""


def _token_host(inputs: Inputs) -> str:
    record = inputs.get("mlflow_load_balancer_token_record_name") if inputs.get("mlflow_load_balancer_token_access") else None
    return host_name(record, inputs["mlflow_api_zone_name"]) if record and inputs.get("mlflow_api_zone_name") else ""


def _of_target_group(name: str) -> str:
    return name if len(name) <= LOAD_BALANCER_NAME else ""


def _mirror_tag(image: str, tag: str, architecture: str) -> str:
    """
    >>> _mirror_tag("ghcr.io/mlflow/mlflow", "v3.18.0-full", "X86_64") == _mirror_tag("ghcr.io/mlflow/mlflow", "v3.18.0-full", "ARM64")
    False
    """
    known = hashlib.sha256(f"{image}:{tag} {architecture}".encode()).hexdigest()[:12]
    return f"{tag.partition('@')[0]}-{known}" if tag else ""


def host_name(record: str, zone: str) -> str:
    """
    >>> host_name("mlflow", "ml.example.com.")
    'mlflow.ml.example.com'
    """
    return f"{record}.{zone.rstrip('.')}"


def lease_path(name: str) -> str:
    """Below this path of SSM the leases of the stack ``name`` have parameters."""
    return f"/mlplatform/mlflow_aws/{name}/lease"


def owner(name: str) -> dict[str, str]:
    """The owner tags of everything in the stack ``name``, as the role ``mlflow`` gives them."""
    return dict(zip(OWNER_TAGS, ("mlplatform.mlflow_aws", name), strict=True))
