# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

resource "aws_iam_role" "lambda" {
  name               = "${var.unique_name}-authorizer"
  assume_role_policy = local.assume_by["lambda"]
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "lambda" {
  role       = aws_iam_role.lambda.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "mlflow" {
  function_name    = "${var.unique_name}-authorizer"
  filename         = var.authorizer_package
  source_code_hash = filebase64sha256(var.authorizer_package)
  handler          = "authorizer.handler"
  runtime          = "python3.13"
  role             = aws_iam_role.lambda.arn
  tags             = var.tags
}

resource "aws_apigatewayv2_api" "mlflow" {
  name                         = var.unique_name
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = true
  tags                         = var.tags
}

resource "aws_apigatewayv2_authorizer" "lambda" {
  api_id                            = aws_apigatewayv2_api.mlflow.id
  name                              = var.unique_name
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = aws_lambda_function.mlflow.invoke_arn
  authorizer_credentials_arn        = aws_iam_role.lambda.arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  identity_sources                  = ["$request.header.Authorization"]
}

resource "aws_apigatewayv2_vpc_link" "mlflow" {
  name               = var.unique_name
  security_group_ids = [aws_security_group.lb.id]
  subnet_ids         = var.service_subnet_ids
  tags               = var.tags
}

resource "aws_apigatewayv2_integration" "mlflow" {
  api_id             = aws_apigatewayv2_api.mlflow.id
  integration_type   = "HTTP_PROXY"
  integration_method = "ANY"
  integration_uri    = aws_lb_listener.https.arn
  connection_type    = "VPC_LINK"
  connection_id      = aws_apigatewayv2_vpc_link.mlflow.id

  tls_config {
    server_name_to_verify = local.programs
  }
}

resource "aws_apigatewayv2_route" "default" {
  api_id             = aws_apigatewayv2_api.mlflow.id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.mlflow.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.lambda.id
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.mlflow.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags
}

resource "aws_apigatewayv2_domain_name" "mlflow" {
  domain_name = local.programs
  tags        = var.tags

  domain_name_configuration {
    certificate_arn = var.api_cert_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "mlflow" {
  api_id      = aws_apigatewayv2_api.mlflow.id
  domain_name = aws_apigatewayv2_domain_name.mlflow.id
  stage       = aws_apigatewayv2_stage.default.id
}

resource "aws_route53_record" "api" {
  zone_id = var.api_zone_id
  name    = local.programs
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.mlflow.domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.mlflow.domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = true
  }
}
