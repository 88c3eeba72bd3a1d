# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import Stack, prerequisites

ONLY_NEWER = {f"elbv2 ModifyRule {member}: unknown to the oldest" for member in ("Transforms", "ResetTransforms")}
"""What a boto3 that does not know it is never asked to send: it does not show that a rule has transforms."""


@pytest.fixture(autouse=True)
def valid_calls(aws_server: EmbeddedAWS) -> Iterator[None]:
    """Each call is one that both the newest botocore and the oldest that the collection promises to run with can make."""
    yield
    assert set(aws_server.objections()) - ONLY_NEWER == set()


@pytest.fixture
def stack(aws: EmbeddedAWS, tmp_path: Path) -> Stack:
    """A team with its prerequisites and nothing deployed."""
    return Stack(aws, tmp_path, prerequisites(aws))


@pytest.fixture(scope="module")
def team(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """As C(stack), for all tests of a module, which run in one process (--dist loadfile) and build on one another."""
    aws_server.reset()
    return Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))
