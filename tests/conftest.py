# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS

OLDEST = Path(__file__).parents[1] / ".cache" / "oldest-boto3"
"""Where scripts/oldest_boto3 puts the oldest boto3 that the collection promises to run with."""


@pytest.fixture(scope="session")
def aws_server() -> Iterator[EmbeddedAWS]:
    """The embedded AWS of this test session."""
    known = ["--oldest-botocore", str(OLDEST / "botocore")] if OLDEST.is_dir() else []
    with EmbeddedAWS(*known) as server:
        yield server


@pytest.fixture
def aws(aws_server: EmbeddedAWS) -> EmbeddedAWS:
    """The embedded AWS with an empty account."""
    aws_server.reset()
    return aws_server
