# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team has before its first deployment: makes it in the embedded AWS and prints the inputs that name it.

usage: team.py NAME
"""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests"))
from embedded_aws.client import EmbeddedAWS  # noqa: E402
from support.stack import prerequisites  # noqa: E402

aws = EmbeddedAWS()
aws.endpoint = boto3.client("sts").meta.endpoint_url  # the one that is running
print(yaml.safe_dump(prerequisites(aws, sys.argv[1])))
