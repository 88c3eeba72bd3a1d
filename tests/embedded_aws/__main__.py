# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the embedded AWS: ``python tests/embedded_aws --port 0 --ready-file PATH``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if not __package__:
    # Started by path: import from the folder that holds the package, not from inside it,
    # where modules such as logs.py would shadow others of the same name.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from embedded_aws import gaps, server  # noqa: E402


def creation_seconds(text: str) -> dict[str, float]:
    """Parse ``rds=40,elb=25,vpclink=30``; raises ValueError, which argparse reports."""
    return {kind: float(seconds) for kind, seconds in (pair.split("=", 1) for pair in text.split(",") if pair)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="embedded_aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--ready-file", type=Path, help="JSON file with endpoint and pid, written once it answers")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every API call")
    parser.add_argument(
        "--creation-seconds",
        type=creation_seconds,
        default={},
        metavar="rds=40,elb=25,vpclink=30",
        help="how long slow resources take to become available (default: no time)",
    )
    parser.add_argument("--oldest-botocore", type=Path, help="folder of the oldest botocore that callers may have, to hold calls against its models")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when the starting process ends")
    parser.add_argument("--list-gaps", action="store_true", help="print what moto lacks and is closed here, and exit")
    arguments = parser.parse_args()
    if arguments.list_gaps:
        print(gaps.as_markdown())
        return
    server.serve(
        port=arguments.port,
        ready_file=arguments.ready_file,
        latency_ms=arguments.latency_ms,
        creation_seconds=arguments.creation_seconds,
        exit_with_parent=arguments.exit_with_parent,
        oldest_botocore=arguments.oldest_botocore,
    )


if __name__ == "__main__":
    main()
