# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import Stack, prerequisites

ONLY_NEWER = {
    f"elbv2 {call}: unknown to the oldest"
    for call in ("ModifyRule Transforms", "ModifyRule ResetTransforms", "CreateRule Actions[].JwtValidationConfig", "ModifyRule Actions[].JwtValidationConfig")
} | {"cloudwatch PutDashboard Tags: unknown to the oldest"}
"""What a boto3 that does not know it is never asked to send: it does not show that a rule has transforms, preflight refuses token access with it, and
dashboards get their tags in a call of their own.
"""

LONGEST = (
    *("bootstrap", "changes", "identity_modes", "jobs", "variants", "upgrade", "monitoring", "restore", "deaths", "mirror", "dns", "trouble", "import"),
    *("in_worker", "many", "identity", "deploy", "plan", "bad_inputs", "tls", "permissions", "prefetch", "role", "kills", "two_at_once", "refusals"),
)
"""Their files come first, by length, or one of them would run alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).with_name(f"test_{name}.py"): n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(autouse=True)
def valid_calls(aws_server: EmbeddedAWS) -> Iterator[None]:
    """Each call is one that both the newest botocore and the oldest that the collection promises to run with can make."""
    yield
    assert_valid_calls(aws_server)


def assert_valid_calls(aws: EmbeddedAWS) -> None:
    assert set(aws.objections()) - ONLY_NEWER == set()


@pytest.fixture
def stack(aws: EmbeddedAWS, tmp_path: Path) -> Stack:
    """A team with its prerequisites and nothing deployed."""
    return Stack(aws, tmp_path, prerequisites(aws))


@pytest.fixture(scope="module")
def team(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """As ``stack``, for all tests of a module, which run in one process (--dist loadfile) and build on one another."""
    aws_server.reset()
    return Stack(aws_server, tmp_path_factory.mktemp("team"), prerequisites(aws_server))


@pytest.fixture(scope="session")
def deployed_once(aws_server: EmbeddedAWS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that was deployed with the defaults, for ``copied``. Nobody runs anything on it."""
    with aws_server.copy() as aws:
        aws.reset()
        stack = Stack(aws, tmp_path_factory.mktemp("deployed"), prerequisites(aws))
        stack.apply()
        yield stack


def copied(stack: Stack, aws: EmbeddedAWS, folder: Path) -> Stack:
    """The stack in a copy of its account, with what its runs have written."""
    shutil.copytree(stack.folder, folder, dirs_exist_ok=True)
    return Stack(aws, folder, stack.inputs)


@pytest.fixture
def deployed_stack(deployed_once: Stack, tmp_path: Path) -> Iterator[Stack]:
    """As ``stack``, after its first deployment."""
    with deployed_once.aws.copy() as aws:
        yield copied(deployed_once, aws, tmp_path)
        assert_valid_calls(aws)


@pytest.fixture(scope="module")
def deployed_team(deployed_once: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As ``team``, after its first deployment."""
    with deployed_once.aws.copy() as aws:
        yield copied(deployed_once, aws, tmp_path_factory.mktemp("team"))
        assert_valid_calls(aws)
