# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from runtime.databases import ENGINES
from xdist.scheduler import LoadScopeScheduling


class ByEngine(LoadScopeScheduling):
    """The tests of an engine run in one process: so its server is started once, and the engines at the same time."""

    def _split_scope(self, nodeid: str) -> str:
        return next((engine for engine in ENGINES if f"[{engine}" in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)  # without -n there are no workers to share the tests out to
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByEngine:
    return ByEngine(config, log)
