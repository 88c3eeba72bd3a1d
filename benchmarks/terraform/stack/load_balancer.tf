# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

resource "aws_lb" "mlflow" {
  name               = var.unique_name
  load_balancer_type = "application"
  internal           = true
  security_groups    = [aws_security_group.lb.id]
  subnets            = var.load_balancer_subnet_ids
  tags               = var.tags
}

resource "aws_lb_target_group" "mlflow" {
  name        = var.unique_name
  port        = local.port
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id
  tags        = var.tags

  health_check {
    path     = "/health"
    protocol = "HTTP"
    matcher  = "200-202"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.mlflow.arn
  port              = 80
  protocol          = "HTTP"
  tags              = var.tags

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.mlflow.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-2016-08"
  tags              = var.tags

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "http" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 1
  tags         = var.tags

  action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }

  condition {
    host_header {
      values = [local.people]
    }
  }
}

resource "aws_lb_listener_rule" "https" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1
  tags         = var.tags

  action {
    type = "authenticate-cognito"
    authenticate_cognito {
      user_pool_arn       = var.aws_cognito_user_pool_arn
      user_pool_client_id = var.aws_cognito_user_pool_client_id
      user_pool_domain    = var.aws_cognito_user_pool_domain
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.mlflow.arn
  }

  condition {
    host_header {
      values = [local.people]
    }
  }
}

resource "aws_lb_listener_rule" "api" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 2
  tags         = var.tags

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.mlflow.arn
  }

  condition {
    host_header {
      values = [local.programs]
    }
  }
}

resource "aws_route53_record" "record" {
  zone_id = var.zone_id
  name    = local.people
  type    = "A"

  alias {
    name                   = aws_lb.mlflow.dns_name
    zone_id                = aws_lb.mlflow.zone_id
    evaluate_target_health = true
  }
}
