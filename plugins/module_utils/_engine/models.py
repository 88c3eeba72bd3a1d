# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: reads botocore's models of AWS's services, in a third of the time. A run begins with those of twenty services."""

from __future__ import annotations

import gzip
import json
import os
import typing as t
from functools import cache

try:
    from botocore.loaders import JSONFileLoader, Loader
except ImportError:  # AnsibleAWSModule reports the missing library
    JSONFileLoader = Loader = object


class ModelFiles(JSONFileLoader):
    """botocore makes each object an OrderedDict, which takes twice as long and is in no other order."""

    def load_file(self, file_path: str) -> t.Any:
        for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
            if os.path.isfile(file_path + suffix):
                with opened(file_path + suffix, "rb") as file:
                    return json.loads(file.read().decode())
        return None


class ModelLoader(Loader):
    """botocore's loader, which looks into the hundreds of directories of all services to find out whether there is one that it is about to read."""

    def __init__(self) -> None:
        super().__init__(file_loader=ModelFiles())

    def list_available_services(self, type_name: str) -> list[str]:
        """All services that have models. One that has none of this type is found to have none when that is read, which is the same error."""
        return _directories(tuple(self.search_paths))


@cache
def _directories(paths: tuple[str, ...]) -> list[str]:
    return sorted({name for path in paths if os.path.isdir(path) for name in os.listdir(path)})
