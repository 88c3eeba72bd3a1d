# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

data "aws_secretsmanager_secret" "db_password" {
  arn = var.database_password_secret_arn
}

data "aws_secretsmanager_secret_version" "db_password" {
  secret_id = data.aws_secretsmanager_secret.db_password.id
}

resource "aws_db_subnet_group" "rds" {
  name       = "${var.unique_name}-rds"
  subnet_ids = var.database_subnet_ids
  tags       = var.tags
}

# The original is Aurora Serverless v1 with MySQL 5.7 (engine_mode "serverless"), which AWS no longer creates. This is
# Serverless v2, still as one resource: the instance that it needs to serve anybody is not among the original's 40.
resource "aws_rds_cluster" "backend_store" {
  cluster_identifier        = "${var.unique_name}-rds"
  engine                    = "aurora-mysql"
  engine_mode               = "provisioned"
  engine_version            = "8.0.mysql_aurora.3.10.3"
  availability_zones        = slice(data.aws_availability_zones.available.names, 0, 3)
  database_name             = "mlflow"
  master_username           = "ecs_task"
  master_password           = data.aws_secretsmanager_secret_version.db_password.secret_string
  backup_retention_period   = 14
  db_subnet_group_name      = aws_db_subnet_group.rds.name
  vpc_security_group_ids    = [aws_security_group.rds.id]
  storage_encrypted         = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.unique_name}-final"
  tags                      = var.tags

  serverlessv2_scaling_configuration {
    min_capacity             = 0
    max_capacity             = 1
    seconds_until_auto_pause = 300
  }
}
