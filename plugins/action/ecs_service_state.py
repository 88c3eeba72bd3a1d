# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in the worker."""

from __future__ import annotations

from ansible_collections.mlplatform.mlflow_aws.plugins.plugin_utils._in_worker import ActionModule  # noqa: F401, pylint: disable=unused-import
