# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that finds the database asleep: it knows nothing of that, and MLflow's client has its default settings."""

import sys

import mlflow

mlflow.set_experiment(sys.argv[1])
with mlflow.start_run(run_name="early") as run:
    mlflow.log_metric("loss", 0.5)
assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.5}
(only,) = mlflow.MlflowClient().search_runs([run.info.experiment_id])
assert only.info.run_id == run.info.run_id
