# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The peer of `make bench`: stacks with the 40 resources of the Terraform module that this collection follows.
# Credentials, region and endpoint come from the environment, as the collection takes them (AWS_ENDPOINT_URL).

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

# What is skipped asks for things that an embedded AWS does not have, or that cost the peer time only.
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  max_retries                 = 2
}

variable "stacks" {
  description = "The inputs of each stack, by its unique name."
  type = map(object({
    vpc_id                            = string
    load_balancer_subnet_ids          = list(string)
    load_balancer_ingress_cidr_blocks = list(string)
    service_subnet_ids                = list(string)
    database_subnet_ids               = list(string)
    database_password_secret_arn      = string
    key_arn                           = string
    record_name                       = string
    zone_id                           = string
    zone_name                         = string
    certificate_arn                   = string
    api_zone_id                       = string
    api_zone_name                     = string
    api_cert_arn                      = string
    aws_cognito_user_pool_arn         = string
    aws_cognito_user_pool_client_id   = string
    aws_cognito_user_pool_domain      = string
    tags                              = map(string)
  }))
}

variable "authorizer_package" {
  description = "The zip file with the code of the authorizer function."
  type        = string
}

module "mlflow" {
  for_each = var.stacks
  source   = "./stack"

  unique_name                       = each.key
  authorizer_package                = var.authorizer_package
  vpc_id                            = each.value.vpc_id
  load_balancer_subnet_ids          = each.value.load_balancer_subnet_ids
  load_balancer_ingress_cidr_blocks = each.value.load_balancer_ingress_cidr_blocks
  service_subnet_ids                = each.value.service_subnet_ids
  database_subnet_ids               = each.value.database_subnet_ids
  database_password_secret_arn      = each.value.database_password_secret_arn
  key_arn                           = each.value.key_arn
  record_name                       = each.value.record_name
  zone_id                           = each.value.zone_id
  zone_name                         = each.value.zone_name
  certificate_arn                   = each.value.certificate_arn
  api_zone_id                       = each.value.api_zone_id
  api_zone_name                     = each.value.api_zone_name
  api_cert_arn                      = each.value.api_cert_arn
  aws_cognito_user_pool_arn         = each.value.aws_cognito_user_pool_arn
  aws_cognito_user_pool_client_id   = each.value.aws_cognito_user_pool_client_id
  aws_cognito_user_pool_domain      = each.value.aws_cognito_user_pool_domain
  tags                              = each.value.tags
}

output "tracking_uris" {
  value = { for name, stack in module.mlflow : name => stack.tracking_uri }
}
