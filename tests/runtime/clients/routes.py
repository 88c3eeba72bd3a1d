# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print every route of the MLflow that runs this, with those of its auth app: a method and a path on each line, /api for /ajax-api too."""

import os
import re
from pathlib import Path

Path("users.ini").write_text("[mlflow]\ndefault_permission = EDIT\ndatabase_uri = sqlite:///users.db\n", encoding="utf-8")
os.environ |= {
    "MLFLOW_AUTH_CONFIG_PATH": "users.ini",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "x",
    "_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED": "true",
    "_MLFLOW_SGI_NAME": "uvicorn",
}

from mlflow.server import app as flask_app  # noqa: E402
from mlflow.server import auth  # noqa: E402
from starlette.routing import Route  # noqa: E402

app = auth.create_app()


def routes(of: object) -> set[tuple[str, str]]:
    """Of an app and of the routers in it, which later versions of FastAPI keep as they are."""
    found: set[tuple[str, str]] = set()
    for route in of.routes:
        if isinstance(route, Route):
            found |= {(method, route.path) for method in route.methods}
        elif hasattr(route, "original_router"):
            found |= {(method, f"{route.include_context.prefix}{path}") for method, path in routes(route.original_router)}
    return found


found = routes(app) | {(method, rule.rule) for rule in flask_app.url_map.iter_rules() for method in rule.methods}
for method, path in sorted({(method, re.sub("^/ajax-api/", "/api/", path).rstrip("/") or "/") for method, path in found}):
    print(method, path)
