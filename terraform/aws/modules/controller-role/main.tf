# The rights of Signpost's controller, as manifests/aws has them, for the way in which it gets its credentials.

locals {
  manifests = "${path.module}/../../../../manifests/aws"
  policy = (var.vpc_id == null
    ? replace(file("${local.manifests}/iam-policy.json"), "CLUSTER_NAME", var.cluster_name)
    : replace(file("${local.manifests}/iam-policy-vpc.json"), "VPC_ID", coalesce(var.vpc_id, "none"))
  )

  service_account = "system:serviceaccount:signpost-system:signpost-controller"
  issuer          = var.oidc_provider_arn == null ? "" : regex("oidc-provider/(.+)$", var.oidc_provider_arn)[0]

  trust = {
    irsa = {
      Effect    = "Allow"
      Action    = ["sts:AssumeRoleWithWebIdentity"]
      Principal = { Federated = var.oidc_provider_arn }
      Condition = { StringEquals = {
        "${local.issuer}:sub" = local.service_account
        "${local.issuer}:aud" = "sts.amazonaws.com"
      } }
    }
    pod-identity = {
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
    }
  }
  own_roles = var.credentials == "instance-profile" ? [] : [var.credentials]
}

resource "aws_iam_policy" "controller" {
  name        = "${var.cluster_name}-signpost-controller"
  description = "What Signpost's controller may do"
  policy      = local.policy
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "instances" {
  for_each = var.credentials == "instance-profile" ? var.instance_roles : {}

  role       = each.value
  policy_arn = aws_iam_policy.controller.arn
}

resource "aws_iam_role" "controller" {
  for_each = toset(local.own_roles)

  name               = "${var.cluster_name}-signpost-controller"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [local.trust[each.key]] })
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "controller" {
  for_each = aws_iam_role.controller

  role       = each.value.name
  policy_arn = aws_iam_policy.controller.arn
}

resource "aws_eks_pod_identity_association" "controller" {
  count = var.credentials == "pod-identity" ? 1 : 0

  cluster_name    = var.eks_cluster_name
  namespace       = "signpost-system"
  service_account = "signpost-controller"
  role_arn        = aws_iam_role.controller["pod-identity"].arn
  tags            = var.tags
}
