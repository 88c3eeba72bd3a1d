# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: on the embedded AWS, from an empty account to a verified stack, by the commands that a team uses.

Exit status 0 only if every playbook ended with 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "demo"
CHOICES = ROOT / "examples" / "team-x.yml"  # what the team decides
PREREQUISITES = "prerequisites.yml"  # what bootstrap makes: the VPC, the zones, the user pool, ...
OUTPUTS = "outputs.json"

sys.path.insert(0, str(ROOT / "tests"))
from embedded_aws.client import EmbeddedAWS  # noqa: E402


def run(aws: EmbeddedAWS, work: Path, playbook: str, *arguments: str, **environment: str) -> None:
    """Run a playbook in ``work``, as a team does, or exit with its status."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | aws.env | environment
    command = ["ansible-playbook", f"mlplatform.mlflow_aws.{playbook}", *arguments]
    print("$", *command, flush=True)
    command[0] = str(Path(sys.executable).with_name(command[0]))
    if status := subprocess.run(command, cwd=work, env=env, check=False).returncode:
        sys.exit(status)


def deploy(aws: EmbeddedAWS, work: Path, *choices: str) -> None:
    """Make the prerequisites and the stack of CHOICES, and verify it. ``choices`` are further arguments of each playbook."""
    team = ["-e", f"@{CHOICES}", *choices]
    run(aws, work, "bootstrap", *team, "-e", f"mlflow_bootstrap_team_file={work / PREREQUISITES}")
    run(aws, work, "site", "-e", f"@{work / PREREQUISITES}", *team, "-e", f"mlflow_outputs_path={work / OUTPUTS}")
    run(aws, work, "verify", "-e", f"@{work / PREREQUISITES}", *team)


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    for left_over in (PREREQUISITES, OUTPUTS):
        (WORK / left_over).unlink(missing_ok=True)
    with EmbeddedAWS() as aws:
        deploy(aws, WORK)
    print(f"The outputs, from {WORK / OUTPUTS}:", json.dumps(json.loads((WORK / OUTPUTS).read_text()), indent=2), sep="\n")


if __name__ == "__main__":
    main()
