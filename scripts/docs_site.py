# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the docs site in .cache/docs/html: the README, the guides, and a page for each module and role. Any warning is an error."""

from __future__ import annotations

import shutil
import subprocess
import sys

from run_tests import CACHE, COLLECTION, copy_of_the_tree, environment

DESTINATION = CACHE / "docs" / "html"


def main() -> int:
    tree = copy_of_the_tree("docs")
    shutil.rmtree(DESTINATION, ignore_errors=True)  # with pages that are no longer there
    contents = (tree / "docs" / "docsite" / "contents.md").read_text(encoding="utf-8")
    (tree / "index.md").write_text(f"{(tree / 'README.md').read_text(encoding='utf-8')}\n{contents}", encoding="utf-8")
    (tree / "collection").mkdir(mode=0o755)  # antsibull-docs writes into no folder that others may write to
    env = environment(ANSIBLE_COLLECTIONS_PATH=str(tree.parents[2]), ANSIBLE_COLLECTIONS_SCAN_SYS_PATH="false")
    pages = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", "collection", COLLECTION]
    site = ["sphinx-build", "-W", "--keep-going", "-q", "-E", "-c", "docs/docsite", "-d", str(CACHE / "docs" / "doctrees"), ".", str(DESTINATION)]
    for command in (pages, site):
        if subprocess.run(command, cwd=tree, env=env, check=False).returncode:
            return 1
    print(f"The docs site begins at {DESTINATION / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
