# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

variable "unique_name" { type = string }
variable "authorizer_package" { type = string }
variable "vpc_id" { type = string }
variable "load_balancer_subnet_ids" { type = list(string) }
variable "load_balancer_ingress_cidr_blocks" { type = list(string) }
variable "service_subnet_ids" { type = list(string) }
variable "database_subnet_ids" { type = list(string) }
variable "database_password_secret_arn" { type = string }
variable "key_arn" { type = string }
variable "record_name" { type = string }
variable "zone_id" { type = string }
variable "zone_name" { type = string }
variable "certificate_arn" { type = string }
variable "api_zone_id" { type = string }
variable "api_zone_name" { type = string }
variable "api_cert_arn" { type = string }
variable "aws_cognito_user_pool_arn" { type = string }
variable "aws_cognito_user_pool_client_id" { type = string }
variable "aws_cognito_user_pool_domain" { type = string }
variable "tags" { type = map(string) }

data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  people   = "${var.record_name}.${var.zone_name}"
  programs = "${var.record_name}.${var.api_zone_name}"
  port     = 5000
}

output "tracking_uri" {
  value = "https://${aws_route53_record.record.name}"
}
