# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: all checks of preflight that ask AWS, made at the same time."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import BotoCoreError, ClientError, explain
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.inputs.types import Problem
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.prefetch import prefetch
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.account import Account
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.base import Check, Problems
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.buckets import Buckets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.database import Database
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.host_names import HostNames
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.identity import Identity
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.imports import Imports
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.jobs import Jobs
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.keys import Keys
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.monitoring import Monitoring
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.network import Network
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.ownership import Ownership
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.prerequisites import Prerequisites
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.quotas import Quotas
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.restores import Restores
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.roles import Roles
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.secrets import Secrets
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.service import Service
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.sign_in import SignIn
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.preflight.vpc_endpoints import VpcEndpoints
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.resources import Deployment
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.restore import requested


class Preflight(Account, Restores):
    """All that preflight asks AWS, by subject."""

    SUBJECTS = (Network, VpcEndpoints, HostNames, Secrets, Keys, SignIn, Identity, Jobs, Database, Buckets, Service, Roles, Monitoring)
    """In the order in which their problems are told."""

    def checks(self) -> list[Check]:
        return [row for subject in self.SUBJECTS for row in subject(self.aws, self.inputs).checks()]


def problems_with_aws(preflight: Preflight, scope: str) -> list[Problem]:
    """All that AWS says is wrong with the inputs, in the order of the checks. A call that AWS refuses is a problem too."""
    wrong_region = list(preflight.regions()) if scope != "bootstrap" else []
    wrong = {problem.variable for problem in wrong_region}
    preflight = Preflight(preflight.aws, {name: value for name, value in preflight.inputs.items() if name not in wrong})
    checks = Prerequisites(preflight.aws, preflight.inputs).checks() if scope == "bootstrap" else preflight.checks()
    if scope == "import":
        checks += Imports(preflight.aws, preflight.inputs).checks()
    if scope in ("site", "import"):
        checks.append((preflight.database, (), ("mlflow_unique_name",)))
        checks += Quotas(preflight.aws, preflight.inputs).checks()

    def attempt(check: t.Callable[..., Problems], arguments: tuple[t.Any, ...], needs: tuple[str, ...]) -> list[Problem]:
        try:
            return list(check(*arguments))
        except (ClientError, BotoCoreError) as error:
            if getattr(error, "operation_name", "") == "AssumeRole":  # that of all calls was checked before
                return [preflight.problem("mlflow_dns_assume_role_arn", explain(error))]
            return [Problem(needs[0], None, f"it cannot be checked: {explain(error)}")]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            odd = f"{type(error).__name__} {error if isinstance(error, LookupError) else ''}".strip()  # other texts may hold a value
            return [Problem(needs[0], None, f"it cannot be checked, since AWS answered in a way that nobody expects ({odd}): please report this")]

    possible = [row for row in checks if all(preflight.inputs.get(n) not in (None, "", []) for n in row[2])]
    answers = run_concurrently(*(partial(attempt, *row) for row in possible))
    told = [problem for problems in answers for problem in problems]
    return wrong_region + [problem for place, problem in enumerate(told) if problem not in told[:place]]


def problems_with(preflight: Preflight, scope: str, *, prefetching: bool) -> list[Problem]:
    """What is wrong: first with the way to AWS, then, if that is right, with what AWS has."""
    problems = list(preflight.region()) or list(preflight.role()) or list(preflight.account())
    if problems or scope not in ("site", "restore", "import", "bootstrap"):
        return problems
    if scope == "bootstrap":
        preflight.supported_region()
        return problems_with_aws(preflight, scope)
    problems, taken = run_concurrently(partial(problems_with_aws, preflight, scope), partial(of_others, preflight, prefetching=prefetching))
    return problems + taken


def of_others(preflight: Preflight, *, prefetching: bool) -> list[Problem]:
    """What has a name of the stack's and is somebody else's; and, where ``prefetching``, read all that the modules to come will read.

    Nothing is prefetched where the database is not there, and the other parts are about to be created.
    """
    inputs = preflight.inputs
    if not inputs.get("mlflow_unique_name"):
        return []

    def jobs() -> bool:
        return Jobs(preflight.aws, inputs).decision().service

    try:
        cluster = preflight.cluster(inputs["mlflow_unique_name"])
    except (ClientError, BotoCoreError):
        return []  # which a check tells
    if prefetching and (cluster or preflight.aws.check_mode):
        deployment = Deployment(preflight.aws, inputs, jobs=jobs)
        return Ownership(deployment, cluster, prefetch(deployment)).problems()
    if cluster and preflight.of_this_stack(cluster):
        return []
    return Ownership(Deployment(preflight.aws, inputs, jobs=jobs, whole=False), cluster).problems()


def operation_facts(preflight: Preflight, scope: str) -> tuple[dict[str, t.Any], list[Problem]]:
    """What a backup or a restore has to know, and what is in its way."""
    if not preflight.inputs.get("mlflow_unique_name"):
        return {}, []
    if scope == "restore" and len(requested(preflight.inputs)) == 1:
        restore, problems = preflight.restore()
        return {"restore": restore._asdict()}, problems
    if scope == "backup":
        problems = list(preflight.backup_source())
        return {} if problems else {"mlflow": preflight.deployed()._asdict()}, problems
    return {}, []
