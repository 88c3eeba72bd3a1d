# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mlplatform.mlflow_aws.plugins.module_utils._services.application_autoscaling import reachable_bounds

NIGHT, MORNING = (0, 0), (2, 4)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], {(2, 4)}),
        ([MORNING], {(2, 4)}),
        ([NIGHT, MORNING], {(2, 4), (0, 0)}),
        ([NIGHT, (3, 6)], {(2, 4), (0, 0), (3, 6)}),
        ([(0, None)], {(2, 4), (0, 4)}),
        ([(0, None), (None, 8)], {(2, 4), (0, 4), (2, 8), (0, 8)}),
        ([(0, None), (2, None)], {(2, 4), (0, 4)}),
    ],
)
def test_bounds_that_schedules_lead_to(actions, expected):
    assert reachable_bounds((2, 4), actions) == expected
