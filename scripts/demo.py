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
PREREQUISITES = WORK / "prerequisites.yml"  # what bootstrap makes: the VPC, the zones, the user pool, ...
OUTPUTS = WORK / "outputs.json"

PLAYBOOKS = {
    "bootstrap": ["-e", f"@{CHOICES}", "-e", f"mlflow_bootstrap_team_file={PREREQUISITES}"],
    "site": ["-e", f"@{PREREQUISITES}", "-e", f"@{CHOICES}", "-e", f"mlflow_outputs_path={OUTPUTS}"],
    "verify": ["-e", f"@{PREREQUISITES}", "-e", f"@{CHOICES}"],
}

sys.path.insert(0, str(ROOT / "tests"))
from embedded_aws.client import EmbeddedAWS  # noqa: E402


def main() -> int:
    WORK.mkdir(parents=True, exist_ok=True)
    for left_over in (PREREQUISITES, OUTPUTS):
        left_over.unlink(missing_ok=True)
    with EmbeddedAWS() as aws:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | aws.env
        for playbook, arguments in PLAYBOOKS.items():
            command = ["ansible-playbook", f"mlplatform.mlflow_aws.{playbook}", *arguments]
            print("$", *command, flush=True)
            command[0] = str(Path(sys.executable).with_name(command[0]))
            status = subprocess.run(command, cwd=WORK, env=env, check=False).returncode
            if status:
                return status
    print(f"The outputs, from {OUTPUTS}:", json.dumps(json.loads(OUTPUTS.read_text()), indent=2), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
