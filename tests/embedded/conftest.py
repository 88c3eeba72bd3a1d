# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from embedded.helpers import Balancer, Network
from embedded_aws.client import EmbeddedAWS


@pytest.fixture
def network(aws: EmbeddedAWS) -> Network:
    return Network(aws)


@pytest.fixture
def balancer(aws: EmbeddedAWS, network: Network) -> Balancer:
    return Balancer(aws, network)
