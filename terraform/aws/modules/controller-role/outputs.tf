output "policy_arn" {
  description = "The policy."
  value       = aws_iam_policy.controller.arn
}

output "policy_json" {
  description = "What the policy says: a document of `manifests/aws` with its placeholder replaced."
  value       = local.policy
}

output "role_arn" {
  description = "The controller's own role with `irsa` and `pod-identity`, else null."
  value       = one(values(aws_iam_role.controller)[*].arn)
}
