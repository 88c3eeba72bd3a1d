# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE: programs that containers run without their images having them. Pure."""

from __future__ import annotations

import base64
import bz2
import json
import typing as t

LOADER = """\
import base64, bz2, json, os, sys, tempfile
directory = tempfile.mkdtemp()
for name, text in json.loads(bz2.decompress(base64.b64decode({files!r}))).items():
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text)
os.execv(sys.executable, [sys.executable, os.path.join(directory, {main!r}), *sys.argv[1:]])
"""


def python_command(files: t.Mapping[str, str], main: str) -> list[str]:
    """A Python program of several files, by their names, as the command of a container. Arguments of the program follow it.

    The command writes the files into a temporary directory that only its user can read, and becomes Python with one of them. So an image runs a program
    that is not in it, as long as it has Python and somewhere to write to. The files are compressed, because the containers of a task definition have
    64 KiB together. The same files always give the same command.

    >>> python_command({"main.py": "print(1)"}, main="main.py")[:2]
    ['python', '-c']
    """
    # bzip2, because what it gives depends on the text alone; what zlib and xz give, also on their version.
    packed = base64.b64encode(bz2.compress(json.dumps(files, sort_keys=True).encode("ascii"))).decode("ascii")
    return ["python", "-c", LOADER.format(files=packed, main=str(main))]
