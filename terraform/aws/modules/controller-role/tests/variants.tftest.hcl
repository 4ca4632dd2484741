# The controller's rights, for each way to get credentials.

mock_provider "aws" {
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/test" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
}

variables {
  cluster_name = "test"
}

run "instance_profile" {
  variables {
    credentials    = "instance-profile"
    instance_roles = { a = "role-a", b = "role-b" }
  }
  assert {
    condition     = sort([for attachment in aws_iam_role_policy_attachment.instances : attachment.role]) == tolist(["role-a", "role-b"]) && length(aws_iam_role.controller) == 0
    error_message = "The roles given have the policy, and no other is made."
  }
}

run "irsa" {
  variables {
    credentials       = "irsa"
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1"
  }
  assert {
    condition = jsondecode(aws_iam_role.controller["irsa"].assume_role_policy).Statement[0].Condition.StringEquals == {
      "oidc.example.com/id/1:sub" = "system:serviceaccount:signpost-system:signpost-controller"
      "oidc.example.com/id/1:aud" = "sts.amazonaws.com"
    }
    error_message = "The controller's service account alone takes the role."
  }
}

run "pod_identity" {
  variables {
    credentials      = "pod-identity"
    eks_cluster_name = "eks"
  }
  assert {
    condition     = jsondecode(aws_iam_role.controller["pod-identity"].assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com"
    error_message = "EKS gives pods the role."
  }
  assert {
    condition     = aws_eks_pod_identity_association.controller[0].namespace == "signpost-system" && aws_eks_pod_identity_association.controller[0].service_account == "signpost-controller" && aws_eks_pod_identity_association.controller[0].cluster_name == "eks"
    error_message = "The controller's service account gets it."
  }
}

run "bounded_by_the_vpc" {
  variables {
    credentials      = "pod-identity"
    eks_cluster_name = "eks"
    vpc_id           = "vpc-0123456789abcdef0"
  }
  assert {
    condition     = jsondecode(output.policy_json) == jsondecode(replace(file("../../../../manifests/aws/iam-policy-vpc.json"), "VPC_ID", "vpc-0123456789abcdef0"))
    error_message = "The policy is that of the manifests, for the VPC."
  }
}

run "irsa_without_provider" {
  command = plan
  variables {
    credentials = "irsa"
  }
  expect_failures = [var.oidc_provider_arn]
}

run "no_roles" {
  command = plan
  variables {
    credentials = "instance-profile"
  }
  expect_failures = [var.instance_roles]
}

run "no_cluster" {
  command = plan
  variables {
    credentials = "pod-identity"
  }
  expect_failures = [var.eks_cluster_name]
}

run "no_such_variant" {
  command = plan
  variables {
    credentials = "keys"
  }
  expect_failures = [var.credentials]
}
