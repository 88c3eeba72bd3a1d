# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: whether a deployed stack works, layer by layer."""

from __future__ import annotations

import os
import typing as t
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import Aws, MAX_IN_FLIGHT
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.tags import owned_by_another, tag_dict
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.database import PREPARED_TAG, SCHEMA_TAG, UPGRADING, VERSION_TAG
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.names import names_of, owner
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.probe import Outcome, authorization, opener, probe, signature, unreachable

ELSEWHERE: Outcome = ("skipped", "the host name does not lead to this stack yet")


def judge(good: bool, detail: str) -> Outcome:
    return ("ok" if good else "failed"), detail


class Health:
    def __init__(self, aws: Aws, params: dict[str, t.Any]) -> None:
        self.aws, self.name, self.params = aws, params["name"], params
        self.names = names_of({"mlflow_unique_name": self.name})
        self.opener = opener(params["addresses"])

    def database(self) -> Outcome:
        cluster = self.aws.client("rds").describe_db_clusters(DBClusterIdentifier=self.name)["DBClusters"][0]
        members = cluster["DBClusterMembers"]
        writer = any(m["IsClusterWriter"] for m in members)
        return judge(cluster["Status"] == "available" and writer, f"{cluster['Status']}, {len(members)} instance(s)")

    def schema(self) -> Outcome:
        """What the secret with the database's URI remembers."""
        secret = self.aws.client("secretsmanager").describe_secret(SecretId=self.names.backend_store_secret)
        tags = tag_dict(secret.get("Tags", []))
        of = f"{tags.get(SCHEMA_TAG, 'not recorded')}, for MLflow {tags.get(VERSION_TAG, 'not recorded')}"
        prepared = tags.get(PREPARED_TAG) not in (None, UPGRADING)
        return judge(prepared, of if prepared else f"not prepared (it was {of})")

    def load_balancer(self, name: str) -> Outcome:
        balancer = self.aws.client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"][0]
        return judge(balancer["State"]["Code"] == "active", balancer["State"]["Code"])

    def targets(self, service: str, name: str) -> Outcome:
        elb = self.aws.client("elbv2")
        group = elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
        states = [t["TargetHealth"]["State"] for t in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]]
        wanted = self._service(service)["desiredCount"]
        healthy = states.count("healthy")
        return judge(healthy >= wanted, f"{healthy} healthy of {wanted} wanted" + (f" ({', '.join(states)})" if states else ""))

    def service(self, name: str) -> Outcome:
        service = self._service(name)
        running, wanted, rollout = service["runningCount"], service["desiredCount"], service["deployments"][0].get("rolloutState")
        good = service["status"] == "ACTIVE" and running == wanted and rollout in (None, "COMPLETED")
        return judge(good, f"{running} of {wanted} tasks running, deployment {rollout}")

    def _service(self, name: str) -> dict[str, t.Any]:
        describe = self.aws.client("ecs").describe_services
        services = self.aws.once(("service", name), lambda: describe(cluster=self.name, services=[name])["services"])
        return services[0]

    def api(self) -> Outcome:
        apis = self._own("get_apis")
        return judge(len(apis) == 1, ", ".join(api["ApiId"] for api in apis) or "not found")

    def vpc_link(self) -> Outcome:
        statuses = [link["VpcLinkStatus"] for link in self._own("get_vpc_links")]
        # A link without traffic for 60 days is inactive until there is some. One may be about to take the place of another.
        usable = [status for status in statuses if status in ("AVAILABLE", "INACTIVE")]
        there = usable or [status for status in statuses if status != "DELETING"]
        return judge(bool(usable), there[0] if there else "not found")

    def _own(self, operation: str) -> list[dict[str, t.Any]]:
        """What API Gateway lists of the stack. Names are not unique there: others may have given theirs the same."""
        named = [each for each in self.aws.pages("apigatewayv2", operation, "Items") if each["Name"] == self.name]
        return [each for each in named if not owned_by_another(each.get("Tags", {}), owner(self.name))]

    def domain_name(self) -> Outcome:
        domain = self.aws.client("apigatewayv2").get_domain_name(DomainName=self.params["domain_name"])
        status = domain["DomainNameConfigurations"][0]["DomainNameStatus"]
        return judge(status == "AVAILABLE", status)

    def certificate(self, arn: str) -> Outcome:
        certificate = self.aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        until = certificate.get("NotAfter")
        return judge(certificate["Status"] == "ISSUED", certificate["Status"] + (f", valid until {until:%Y-%m-%d}" if until else ""))

    def url(self, url: str) -> Outcome:
        try:
            with self.opener.open(url, timeout=5) as answer:
                return "ok", f"HTTP {answer.status}"
        except urllib.error.HTTPError as error:
            return judge(error.code < 500, f"HTTP {error.code}")
        except OSError as error:
            return unreachable(error)


def checks(aws: Aws, params: dict[str, t.Any]) -> list[dict[str, str]]:
    """All checks, made at the same time, in a fixed order."""
    health = Health(aws, params)
    balancers = params["load_balancers"] or [params["name"]]

    def of_each(what: str, names: list[str], check: t.Callable[[str], Outcome]) -> t.Iterator[tuple[str, t.Callable[[], Outcome]]]:
        """The check of each; the first needs no name."""
        for name in names:
            yield what if name == names[0] else f"{what} {name}", partial(check, name)

    named: list[tuple[str, t.Callable[[], Outcome]]] = [
        ("database", health.database),
        ("schema of the database", health.schema),
        *of_each("load balancer", balancers, health.load_balancer),
        ("service", partial(health.service, params["name"])),
        *of_each("targets", params["target_groups"] or balancers, partial(health.targets, params["name"])),
        *((f"service {name}", partial(health.service, name)) for name in (params["jobs_service"],) if name),
        *((f"targets {group}", partial(health.targets, params["jobs_service"], group)) for group in params["jobs_target_groups"]),
        ("API", health.api),
        ("VPC link", health.vpc_link),
        ("API domain name", health.domain_name if params["host_names"] else lambda: ELSEWHERE),
    ]
    named += [(f"certificate {arn}", partial(health.certificate, arn)) for arn in params["certificate_arns"]]
    named += [(url, partial(health.url, url)) for url in params["urls"]]

    def attempt(check: t.Callable[[], Outcome]) -> Outcome:
        try:
            return check()
        except (ClientError, BotoCoreError) as error:
            return "failed", explain(error)
        except LookupError:
            return "failed", "not found"

    signing = signature(os.environ, aws.region)
    header, way = ("", opener(params["addresses"], signing)) if signing else (authorization(os.environ), health.opener)
    with ThreadPoolExecutor(MAX_IN_FLIGHT) as pool:
        uri = params["api_uri"] or f"https://{params['domain_name']}"
        program = pool.submit(probe, uri, header, way) if params["host_names"] else None
        outcomes = list(pool.map(lambda item: attempt(item[1]), named))
    done = [(name, outcome) for (name, _check), outcome in zip(named, outcomes, strict=True)]
    done += program.result() if program else [("API: address", ELSEWHERE)]
    return [{"name": name, "status": status, "detail": detail} for name, (status, detail) in done]
