# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Become MLflow's server with the app of identity_app.py: python start.py <arguments of mlflow server>.

MLflow finds an app by its entry point, for which it takes what is on Python's path.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

APP = "mlflow-identity"
USERS = """\
[mlflow]
default_permission = EDIT
database_uri = {uri}
authorization_function = auth_users:authorize
"""
"""Of MLflow's auth app. What everybody may do with what another one made is EDIT, and of that each what his right lets him."""


def configure_users(file: Path) -> None:
    """Tell MLflow's auth app of its database, which is MLflow's own, in a file that only its user can read."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as config:
        config.write(USERS.format(uri=os.environ["MLFLOW_BACKEND_STORE_URI"].replace("%", "%%")))
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(file)
    os.environ["_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED"] = "true"  # there is no account with a password, the first admin's neither


def main(arguments: list[str]) -> None:
    home = Path(__file__).resolve().parent
    metadata = home / "mlflow_identity-1.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {APP}\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[mlflow.app]\n{APP} = identity_app:create_app\n", encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    # MLflow makes this token for its own auth app alone; its jobs have it from its environment.
    os.environ["_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN"] = secrets.token_hex(32)
    if json.loads(os.environ["MLFLOW_IDENTITY"])["mode"] == "mlflow":
        configure_users(home / "users.ini")
    os.execvp("mlflow", ["mlflow", "server", "--app-name", APP, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
