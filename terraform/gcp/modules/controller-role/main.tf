# The rights of Signpost's controller, as manifests/gcp has them, for the way in which it gets its credentials.

locals {
  manifests       = "${path.module}/../../../../manifests/gcp"
  network_project = coalesce(var.network_project_id, var.project_id)
  has_own         = var.credentials == "workload-identity"

  # A role in the project of the network, and one in that of the nodes.
  projects = { network = local.network_project, nodes = var.project_id }
  roles    = { for name in keys(local.projects) : name => yamldecode(file("${local.manifests}/role-${name}.yaml")) }

  accounts = local.has_own ? { controller = google_service_account.controller[0].email } : var.service_accounts
  members = { for pair in setproduct(keys(local.projects), local.has_own ? ["controller"] : keys(var.service_accounts)) :
    "${pair[0]} ${pair[1]}" => { role = pair[0], account = pair[1] }
  }

  service_account = "system:serviceaccount:signpost-system:signpost-controller"
  audience        = one(google_iam_workload_identity_pool_provider.cluster[*].name)
}

# Its id is kept for 37 days after it was deleted; the provider then takes the role back and gives it these permissions.
resource "google_project_iam_custom_role" "controller" {
  for_each = local.roles

  project     = local.projects[each.key]
  role_id     = "${replace(var.cluster_name, "-", "_")}_signpost_${each.key}"
  title       = "${each.value.title}, ${var.cluster_name}"
  description = each.value.description
  stage       = each.value.stage
  permissions = each.value.includedPermissions
}

resource "google_project_iam_member" "controller" {
  for_each = local.members

  project = local.projects[each.value.role]
  role    = google_project_iam_custom_role.controller[each.value.role].name
  member  = "serviceAccount:${local.accounts[each.value.account]}"
}

# By workload identity the controller shows a token of its Kubernetes service account, and is one of Google's for it.
resource "google_service_account" "controller" {
  count = local.has_own ? 1 : 0

  account_id   = "${var.cluster_name}-signpost"
  display_name = "${var.cluster_name}, Signpost's controller"
  project      = var.project_id
}

resource "google_iam_workload_identity_pool" "cluster" {
  count = local.has_own ? 1 : 0

  workload_identity_pool_id = "${var.cluster_name}-cluster"
  display_name              = var.cluster_name
  project                   = var.project_id
}

resource "google_iam_workload_identity_pool_provider" "cluster" {
  count = local.has_own ? 1 : 0

  workload_identity_pool_id          = google_iam_workload_identity_pool.cluster[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "kubernetes"
  project                            = var.project_id
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.sub == '${local.service_account}'"

  oidc {
    issuer_uri = var.oidc.issuer_uri
    jwks_json  = var.oidc.jwks_json
  }
}

resource "google_service_account_iam_member" "controller" {
  count = local.has_own ? 1 : 0

  service_account_id = google_service_account.controller[0].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.cluster[0].name}/subject/${local.service_account}"
}
