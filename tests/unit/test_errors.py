# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What errors of botocore say."""

from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._engine.errors import error_code
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "DescribeSubnets"), "Throttling"),
        (ReadTimeoutError(endpoint_url="https://x"), ""),
        (ConnectTimeoutError(endpoint_url="https://x"), ""),
        (EndpointConnectionError(endpoint_url="https://x"), ""),
        (ValueError(), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value or "none",
)
def test_the_code_of_an_error(error: Exception, code: str) -> None:
    assert error_code(error) == code
