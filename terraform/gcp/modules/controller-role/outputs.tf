output "role_ids" {
  description = "The roles, by `network` and `nodes`."
  value       = { for name, role in google_project_iam_custom_role.controller : name => role.name }
}

output "service_account" {
  description = "The controller's own service account with `workload-identity`, else null."
  value       = one(google_service_account.controller[*].email)
}

output "audience" {
  description = "With `workload-identity`, the audience of the projected token that the controller shows, else null."
  value       = local.audience == null ? null : "https://iam.googleapis.com/${local.audience}"
}

output "credentials" {
  description = "With `workload-identity`, the file for `GOOGLE_APPLICATION_CREDENTIALS`, which holds no secret, else null."
  value = local.audience == null ? null : jsonencode({
    type                              = "external_account"
    audience                          = "//iam.googleapis.com/${local.audience}"
    subject_token_type                = "urn:ietf:params:oauth:token-type:jwt"
    token_url                         = "https://sts.googleapis.com/v1/token"
    service_account_impersonation_url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${google_service_account.controller[0].email}:generateAccessToken"
    credential_source                 = { file = "/var/run/secrets/signpost.dev/google/token" }
  })
}
