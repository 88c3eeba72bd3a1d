# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the database of another MLflow into the stack's, upgraded. It runs in the one-off task that the playbook import starts.

The image is MLflow's own. The source is only read. The copy is made in a database of its own beside the stack's: first the schema that the source
has, in the stack's engine and in utf8mb4, then row after row, table by table. It is compared with the source, upgraded by MLflow, and only then
takes the place of the stack's database, which is kept under another name. A run that died is taken up by the next one.

Environment, beside that of prepare_database.py:
  IMPORT_STEP           rehearse: check both databases, copy, compare, upgrade, and drop the copy; import: put the copy in place instead
  IMPORT_SOURCE         the secret that says where the old database is
  IMPORT_SQLITE         the file of SQLite that is the old database, s3://bucket/key. Without both, the stack's own database is copied
  IMPORT_ARTIFACT_ROOT  the address below which the server finds artifacts by itself; empty: addresses stay as they are
  IMPORT_LEAVE_OUT      tables that are not MLflow's and may stay behind, with commas

Exit status:
  0  done
  1  failed; the source and the stack's database are as they were
  4  refused, and nothing was changed

The last line of the output is a JSON object with what was found and done, and the ``reason`` of a refusal.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

import prepare_database as prepare
import sqlalchemy as sa
from addresses import Unreadable, source_uri
from copy_database import SUFFIX, Copy, connect, copy_rows, drop, exists, finish, put_in_place, read_marks
from mlflow.store.db import utils as mlflow_db
from old_database import check_source, old_database, refuse
from prepare_database import Refused, say


def check_target(app: sa.URL) -> None:
    """Raise ``Refused`` where the stack's database has been used: what is in it would be put aside."""
    engine = connect(app)
    found = prepare.tables(engine)
    with engine.connect() as connection:
        for table, allowed in (("experiments", 1), ("runs", 0), ("registered_models", 0), ("trace_info", 0)):
            count = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one() if table in found else 0
            if count > allowed:
                what = {"registered_models": "models", "trace_info": "traces"}.get(table, table)
                raise refuse(f"the stack's database has {count} {what} already: import into a new stack")


def run(step: str, app: sa.URL, master: sa.Connection) -> dict[str, t.Any]:
    there = exists(master, app.database)  # or a run died when the copy was about to get its name
    source = old_database(app)
    if there and read_marks(connect(app)).get("source") == source.name:
        say("this database is the copy already")
        if app.get_backend_name() == "mysql":
            finish(master, app)
        return {"revision": mlflow_db._get_schema_version(connect(app)), "done": True}
    found = check_source(source, app.get_backend_name())
    if there and not source.is_own:
        check_target(app)
    copy = Copy(master, app, f"{app.database}{'_rehearsal' if step == 'rehearse' else SUFFIX}", source)
    found["seconds"] = copy_rows(copy)
    if step == "rehearse":
        drop(master, copy.url.database)
    elif source.state_now() != copy.marks["compared"]:
        raise RuntimeError("the old database was written to: stop what writes, and try again")
    else:
        source.connection.close()  # which has a lock on the stack's own database, if that is copied
        found["kept"] = put_in_place(copy, app)
    return found


def masked(error: object) -> str:
    """The error's text without any password."""
    text = prepare.masked(error)
    secret = os.environ.get("IMPORT_SOURCE", "")
    if secret:
        try:
            url = sa.make_url(source_uri(secret))
            for each in (secret, url.render_as_string(hide_password=False), url.password):
                text = text.replace(str(each), "***") if each else text
        except (Unreadable, sa.exc.ArgumentError):
            text = text.replace(secret, "***")
    return text


def main() -> int:
    step = os.environ["IMPORT_STEP"]
    try:
        app = prepare.target()
        with prepare.connect_as_master(app, float(os.environ.get("DATABASE_WAIT_SECONDS", "300"))) as master, prepare.exclusive(master):
            answer = run(step, app, master)
    except Refused as refused:
        say(f"refused: {masked(refused)}")
        say(json.dumps({"revision": refused.revision, "reason": masked(refused)}))
        return refused.status
    except Exception as error:
        say(f"failed: {type(error).__name__}: {masked(getattr(error, 'orig', None) or error)}")
        return 1
    say(json.dumps(answer | {"step": step, "reason": ""}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
