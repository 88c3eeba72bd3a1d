# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built tarball does what the checkout does. The step `package` installs it and says where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_aws.client import EmbeddedAWS
from support.stack import Stack, prerequisites


@pytest.mark.package
def test_the_installed_collection_deploys_and_removes_a_stack(aws: EmbeddedAWS, tmp_path: Path) -> None:
    listing = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection", "list", "mlplatform.mlflow_aws"]
    found = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert os.environ["ANSIBLE_COLLECTIONS_PATH"] in found
    stack = Stack(aws, tmp_path, prerequisites(aws))
    assert stack.run("plan").mutating == []
    stack.apply()
    assert stack.run("site").changed == 0
    assert stack.run("verify").status == 0
    stack.destroy()
    assert stack.destroy().changed == 0
