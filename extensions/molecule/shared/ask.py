# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks AWS what no *_info module asks: prints the answer to one call as JSON.

usage: ask.py SERVICE OPERATION [PARAMETERS, as JSON]
"""

from __future__ import annotations

import json
import sys

import boto3

service, operation, *parameters = sys.argv[1:]
answer = getattr(boto3.client(service), operation)(**json.loads(parameters[0] if parameters else "{}"))
print(json.dumps(answer, default=str))
