# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

resource "aws_security_group" "lb" {
  name        = "${var.unique_name}-lb"
  description = "Load balancer of ${var.unique_name}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group_rule" "lb_ingress_http" {
  description       = "Clients, to be redirected"
  type              = "ingress"
  security_group_id = aws_security_group.lb.id
  protocol          = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_blocks       = var.load_balancer_ingress_cidr_blocks
}

resource "aws_security_group_rule" "lb_ingress_https" {
  description       = "Clients"
  type              = "ingress"
  security_group_id = aws_security_group.lb.id
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = var.load_balancer_ingress_cidr_blocks
}

resource "aws_security_group_rule" "lb_egress" {
  description              = "MLflow servers"
  type                     = "egress"
  security_group_id        = aws_security_group.lb.id
  protocol                 = "tcp"
  from_port                = local.port
  to_port                  = local.port
  source_security_group_id = aws_security_group.ecs_service.id
}

resource "aws_security_group_rule" "lb_egress_idp" {
  description       = "Identity provider"
  type              = "egress"
  security_group_id = aws_security_group.lb.id
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_security_group" "ecs_service" {
  name        = "${var.unique_name}-ecs-service"
  description = "MLflow servers of ${var.unique_name}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  ingress {
    description     = "Load balancer"
    protocol        = "tcp"
    from_port       = local.port
    to_port         = local.port
    security_groups = [aws_security_group.lb.id]
  }

  egress {
    description = "AWS, the image, the database"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "rds" {
  name        = "${var.unique_name}-rds"
  description = "Database of ${var.unique_name}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  ingress {
    description     = "MLflow servers"
    protocol        = "tcp"
    from_port       = 3306
    to_port         = 3306
    security_groups = [aws_security_group.ecs_service.id]
  }
}
