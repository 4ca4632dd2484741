# Roles of the instances, and the controller's rights.


locals {
  node_roles = ["control-plane", "workers"]
}

resource "aws_iam_role" "nodes" {
  for_each = toset(local.node_roles)

  name = "${var.cluster_name}-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
  tags = local.tags
}

resource "aws_iam_instance_profile" "nodes" {
  for_each = toset(local.node_roles)

  name = "${var.cluster_name}-${each.key}"
  role = aws_iam_role.nodes[each.key].name
  tags = local.tags
}

# The control plane writes how to join, workers read it.
resource "aws_iam_role_policy" "join" {
  for_each = { control-plane = "ssm:PutParameter", workers = "ssm:GetParameter" }

  name = "join"
  role = aws_iam_role.nodes[each.key].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = each.value, Resource = aws_ssm_parameter.join.arn }]
  })
}

# What the node controller of AWS's cloud-controller-manager asks. It runs on the control plane; for its load balancers
# it needs more.
resource "aws_iam_role_policy" "cloud_controller_manager" {
  name = "cloud-controller-manager"
  role = aws_iam_role.nodes["control-plane"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["ec2:DescribeInstances", "ec2:DescribeRegions", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTopology"]
      Resource = "*"
    }]
  })
}

# Signpost's controller runs on any node, so both roles have its rights, unless it has a role of its own.
module "controller_role" {
  source = "./modules/controller-role"

  cluster_name      = var.cluster_name
  credentials       = var.controller_oidc_provider_arn == null ? "instance-profile" : "irsa"
  instance_roles    = { for name in local.node_roles : name => aws_iam_role.nodes[name].name }
  oidc_provider_arn = var.controller_oidc_provider_arn
  tags              = local.tags
}

# How a worker joins: the control plane writes a token and its authority's hash here, twice a day. Terraform holds the
# place, and never reads the value.
resource "aws_ssm_parameter" "join" {
  #checkov:skip=CKV_AWS_337:a key of the customer's costs money each month, and a token lives for a day
  name             = "/kubernetes/${var.cluster_name}/join"
  description      = "How workers of ${var.cluster_name} join it"
  type             = "SecureString"
  value_wo         = "pending"
  value_wo_version = 1
  tags             = local.tags

  depends_on = [terraform_data.requirements]
}
