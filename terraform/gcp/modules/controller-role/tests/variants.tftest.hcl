# The controller's rights, for each way to get credentials.

mock_provider "google" {
  mock_resource "google_project_iam_custom_role" {
    defaults = { name = "projects/my-project/roles/a" }
  }
  mock_resource "google_service_account" {
    defaults = { email = "test-signpost@my-project.iam.gserviceaccount.com", name = "projects/my-project/serviceAccounts/test-signpost@my-project.iam.gserviceaccount.com" }
  }
  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/test-cluster" }
  }
  mock_resource "google_iam_workload_identity_pool_provider" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/test-cluster/providers/kubernetes" }
  }
}

variables {
  cluster_name = "test"
  project_id   = "my-project"
}

run "instances" {
  variables {
    credentials      = "instances"
    service_accounts = { a = "a@my-project.iam.gserviceaccount.com", b = "b@my-project.iam.gserviceaccount.com" }
  }
  assert {
    condition     = length(google_project_iam_member.controller) == 4 && toset([for of in google_project_iam_member.controller : of.member]) == toset(["serviceAccount:a@my-project.iam.gserviceaccount.com", "serviceAccount:b@my-project.iam.gserviceaccount.com"]) && length(google_service_account.controller) == 0
    error_message = "The service accounts given have both roles, and no other is made."
  }
  assert {
    condition = alltrue([for name in ["network", "nodes"] :
      google_project_iam_custom_role.controller[name].permissions == toset(yamldecode(file("../../../../manifests/gcp/role-${name}.yaml")).includedPermissions)
    ])
    error_message = "The roles are those of the manifests."
  }
}

run "shared_vpc" {
  variables {
    network_project_id = "my-host-project"
    credentials        = "instances"
    service_accounts   = { a = "a@my-project.iam.gserviceaccount.com" }
  }
  assert {
    condition     = google_project_iam_custom_role.controller["network"].project == "my-host-project" && google_project_iam_member.controller["network a"].project == "my-host-project"
    error_message = "Routes are written in the host project."
  }
  assert {
    condition     = google_project_iam_custom_role.controller["nodes"].project == "my-project" && google_project_iam_member.controller["nodes a"].project == "my-project"
    error_message = "Instances are read in the project of the nodes."
  }
}

run "workload_identity" {
  variables {
    credentials = "workload-identity"
    oidc        = { issuer_uri = "https://kubernetes.default.svc.cluster.local", jwks_json = "{\"keys\":[{\"kty\":\"RSA\"}]}" }
  }
  assert {
    condition     = google_service_account_iam_member.controller[0].member == "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/test-cluster/subject/system:serviceaccount:signpost-system:signpost-controller" && google_service_account_iam_member.controller[0].role == "roles/iam.workloadIdentityUser"
    error_message = "The controller's Kubernetes service account alone takes Google's."
  }
  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.cluster[0].attribute_condition, "system:serviceaccount:signpost-system:signpost-controller")
    error_message = "No other token is taken."
  }
  assert {
    condition     = toset([for of in google_project_iam_member.controller : of.member]) == toset(["serviceAccount:test-signpost@my-project.iam.gserviceaccount.com"])
    error_message = "The controller's service account has the roles."
  }
  assert {
    condition     = jsondecode(output.credentials).audience == "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/test-cluster/providers/kubernetes" && jsondecode(output.credentials).type == "external_account"
    error_message = "The credentials name the pool."
  }
}

run "no_service_accounts" {
  command = plan
  variables {
    credentials = "instances"
  }
  expect_failures = [var.service_accounts]
}

run "no_issuer" {
  command = plan
  variables {
    credentials = "workload-identity"
  }
  expect_failures = [var.oidc]
}

run "no_keys" {
  command = plan
  variables {
    credentials = "workload-identity"
    oidc        = { issuer_uri = "https://kubernetes.default.svc.cluster.local", jwks_json = "{}" }
  }
  expect_failures = [var.oidc]
}

run "no_such_variant" {
  command = plan
  variables {
    credentials = "keys"
  }
  expect_failures = [var.credentials]
}
