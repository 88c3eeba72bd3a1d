# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Become MLflow's server with the app of identity_app.py: python start.py <arguments of mlflow server>.

MLflow finds an app by its entry point, for which it takes what is on Python's path.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

APP = "mlflow-identity"


def main(arguments: list[str]) -> None:
    home = Path(__file__).resolve().parent
    metadata = home / "mlflow_identity-1.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {APP}\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[mlflow.app]\n{APP} = identity_app:create_app\n", encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    # MLflow makes this token for its own auth app alone; its jobs have it from its environment.
    os.environ["_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.execvp("mlflow", ["mlflow", "server", "--app-name", APP, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
