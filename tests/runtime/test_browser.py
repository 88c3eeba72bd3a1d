# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's browser opens the UI by the site's host name, through the load balancer."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from runtime.browser import Browser
from runtime.client import EXPERIMENT
from runtime.deployment import Deployment
from runtime.doors.proxy import Proxy

# The UI asks whether MLflow's own sign-in is on; without it there is no such path.
CURRENT_USER = "/ajax-api/2.0/mlflow/users/current"
ASSISTANT = "/ajax-api/3.0/mlflow/assistant/"
"""MLflow 3.18 imports its auth package when its assistant is first asked; of two questions at once one may find it half imported (500)."""
HARMLESS = (CURRENT_USER, "ResizeObserver loop completed with undelivered notifications", ASSISTANT)


def test_the_ui_shows_the_run_without_an_error(deployment: Deployment, proxy: Proxy, made: dict[str, t.Any], tmp_path: Path) -> None:
    ui = f"https://{deployment.people}"
    (balancer,) = proxy.doors.balancers.values()
    before = len(proxy.handled)
    with Browser(tmp_path, {deployment.people: proxy.port}) as browser:
        browser.set_cookie(deployment.people, balancer.sign_in("ada"))
        browser.open(f"{ui}/")
        browser.wait_for_text("Recent Experiments", EXPERIMENT)
        browser.open(f"{ui}/#/experiments/{made['experiment_id']}/runs")
        browser.wait_for_text(f"{EXPERIMENT}-run")
        run = f"{ui}/#/experiments/{made['experiment_id']}/runs/{made['run_id']}"
        browser.open(run)
        browser.wait_for_text(f"{EXPERIMENT}-run", "optimizer", "adam", "accuracy", "Finished")
        browser.open(f"{run}/artifacts/notes/note.txt")
        browser.wait_for_text("notes", "large.bin", "täxt")
        browser.open(f"{ui}/#/experiments/{made['experiment_id']}/traces")
        browser.wait_for_text("what is it?")
        browser.open(f"{ui}/#/models/{EXPERIMENT}")
        browser.wait_for_text("champion", "challenger")
        assert [error for error in browser.errors if not any(harmless in error for harmless in HARMLESS)] == []
    seen = [each for each in proxy.handled[before:] if each.path != CURRENT_USER]
    assert {(each.host, each.door) for each in seen} == {(deployment.people, "MLflow")}
    assert [each for each in seen if each.status >= 400 and not each.path.startswith(ASSISTANT)] == []
    assert "POST" in {each.method for each in seen}  # with an Origin, which MLflow has to allow


def test_who_has_not_signed_in_is_sent_to_the_identity_provider(deployment: Deployment, proxy: Proxy, tmp_path: Path) -> None:
    with Browser(tmp_path, {deployment.people: proxy.port}) as browser:
        with pytest.raises(AssertionError, match="ERR_NAME_NOT_RESOLVED"):  # the identity provider is elsewhere
            browser.open(f"https://{deployment.people}/")
    assert (proxy.handled[-1].status, proxy.handled[-1].door) == (302, "sign-in")
