# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in the worker."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils import _in_worker


class ActionModule(_in_worker.ActionModule):
    pass
