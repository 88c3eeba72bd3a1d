# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of AWS's services are those that botocore reads itself."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.client import OPTIONAL, SERVICES
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.models import ModelLoader

TYPES = ("service-2", "paginators-1", "endpoint-rule-set-1")


@pytest.mark.parametrize("service", [*SERVICES, *OPTIONAL, "ssm"])
def test_a_model_is_what_botocore_reads(service: str) -> None:
    """In the same order."""
    ours, theirs = ModelLoader(), Loader()
    for kind in TYPES:
        assert json.dumps(ours.load_service_model(service, kind)) == json.dumps(theirs.load_service_model(service, kind))


@pytest.mark.parametrize(("service", "kind"), [("no-such-service", "service-2"), ("sts", "waiters-2"), ("sts", "no-such-type")])
def test_what_is_not_there_is_the_error_that_clients_expect(service: str, kind: str) -> None:
    for loader in (ModelLoader(), Loader()):
        with pytest.raises(DataNotFoundError):
            loader.load_service_model(service, kind)
