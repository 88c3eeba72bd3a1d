# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded by every Python that has this folder in PYTHONPATH: host names of the stack lead to a port of this machine.

C(NAMES) is a list of C(name:port=port here), separated by commas. It takes the place of DNS and nothing else.
"""

import os
import socket

_here = dict(pair.split("=") for pair in os.environ.get("NAMES", "").split(",") if pair)
_getaddrinfo = socket.getaddrinfo


def _lookup(host, port, *args, **kwargs):
    if here := _here.get(f"{host}:{port}"):
        host, port = "127.0.0.1", int(here)
    return _getaddrinfo(host, port, *args, **kwargs)


socket.getaddrinfo = _lookup
