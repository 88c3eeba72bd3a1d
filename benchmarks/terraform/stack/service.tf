# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  assume_by = {
    for service in ["ecs-tasks", "lambda"] : service => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = service == "lambda" ? ["lambda.amazonaws.com", "apigateway.amazonaws.com"] : ["${service}.amazonaws.com"] }
      }]
    })
  }
}

resource "aws_iam_role" "ecs_task" {
  name               = "${var.unique_name}-ecs-task"
  assume_role_policy = local.assume_by["ecs-tasks"]
  tags               = var.tags
}

resource "aws_iam_role" "ecs_execution" {
  name               = "${var.unique_name}-ecs-execution"
  assume_role_policy = local.assume_by["ecs-tasks"]
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "ecs_execution" {
  role       = aws_iam_role.ecs_execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "db_secrets" {
  name = "${var.unique_name}-read-db-secrets"
  role = aws_iam_role.ecs_execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [var.database_password_secret_arn]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.key_arn]
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "mlflow" {
  name              = "/ecs/${var.unique_name}"
  retention_in_days = 90
  tags              = var.tags
}

resource "aws_ecs_cluster" "mlflow" {
  name = var.unique_name
  tags = var.tags
}

resource "aws_ecs_task_definition" "mlflow" {
  family                   = var.unique_name
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  cpu                      = 2048
  memory                   = 4096
  task_role_arn            = aws_iam_role.ecs_task.arn
  execution_role_arn       = aws_iam_role.ecs_execution.arn
  tags                     = var.tags

  container_definitions = jsonencode([{
    name       = "mlflow"
    image      = "ghcr.io/mlflow/mlflow:v3.18.0-full"
    essential  = true
    entryPoint = ["sh", "-c"]
    command = [join(" ", [
      "mlflow server --host=0.0.0.0 --port=${local.port}",
      "--default-artifact-root=s3://${aws_s3_bucket.default.id}/",
      "--backend-store-uri=mysql+pymysql://${aws_rds_cluster.backend_store.master_username}:$DB_PASSWORD@${aws_rds_cluster.backend_store.endpoint}:${aws_rds_cluster.backend_store.port}/${aws_rds_cluster.backend_store.database_name}",
    ])]
    portMappings = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    secrets      = [{ name = "DB_PASSWORD", valueFrom = var.database_password_secret_arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.mlflow.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "mlflow"
      }
    }
  }])
}

resource "aws_ecs_service" "mlflow" {
  name             = var.unique_name
  cluster          = aws_ecs_cluster.mlflow.id
  task_definition  = aws_ecs_task_definition.mlflow.arn
  desired_count    = 2
  launch_type      = "FARGATE"
  platform_version = "1.4.0"
  tags             = var.tags

  network_configuration {
    subnets          = var.service_subnet_ids
    security_groups  = [aws_security_group.ecs_service.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.mlflow.arn
    container_name   = "mlflow"
    container_port   = local.port
  }

  lifecycle {
    ignore_changes = [desired_count]
  }

  depends_on = [aws_lb_listener_rule.https]
}

resource "aws_appautoscaling_target" "mlflow" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.mlflow.name}/${aws_ecs_service.mlflow.name}"
  min_capacity       = 2
  max_capacity       = 2
}
