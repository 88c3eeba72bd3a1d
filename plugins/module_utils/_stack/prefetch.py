# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: reads all resources of a stack at the same time, where its modules would read one after the other.

A prefetch decides nothing. What AWS answers is recorded for the modules, see ``ResponseRecorder``; what is left out, they ask themselves.
"""

from __future__ import annotations

import contextlib
from functools import partial

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import run_concurrently
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.resource import Resource
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.api import Api
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.apigatewayv2.domain_name import DomainName
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.rds.cluster import Cluster
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._stack.resources import Layer, Resources

WITH_CHILDREN = (Api, Cluster, DomainName)
"""Those whose children take calls of their own, beside ``describe()`` and ``prefetch_reads()``."""


def prefetch(resources: Resources) -> list[Resource]:
    """Read all resources of a stack, and return them. What AWS does not answer, or answers in an unexpected way, is left to the modules, which
    say what is wrong: a prefetch never ends a run.
    """
    return [resource for layer in run_concurrently(*(partial(_prefetch_layer, layer) for layer in resources.layers())) for resource in layer]


def known(layer: Layer) -> list[Resource]:
    """The resources of a layer, as far as the inputs for them are there."""
    resources: list[Resource] = []
    with contextlib.suppress(Exception):
        for resource in layer():
            resources.append(resource)  # those before an error are kept
    return resources


def _prefetch_layer(layer: Layer) -> list[Resource]:
    resources = known(layer)
    run_concurrently(*(partial(_prefetch, resource) for resource in resources))
    return resources


def _prefetch(resource: Resource) -> None:
    with contextlib.suppress(Exception):
        resource.read()
        if isinstance(resource, WITH_CHILDREN):
            resource.state = resource.current_state()
            if resource.state is not None:
                run_concurrently(*(child.prefetch for child in resource.children()))
