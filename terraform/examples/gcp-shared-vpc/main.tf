# A service project's cluster in the network of a Shared VPC: routes and firewall rules in the host project, nodes here. The
# controller has a service account of its own, by workload identity.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0, < 9.0"
    }
  }
}

provider "google" {
  project = var.project_id
}

module "cluster" {
  source = "../../gcp"

  cluster_name    = var.cluster_name
  project_id      = var.project_id
  host_project_id = var.host_project_id
  network         = var.network
  subnetwork      = var.subnetwork
  zones           = [for letter in ["a", "b"] : "${var.region}-${letter}"]
  workers         = var.workers
  ssh_keys        = var.ssh_keys

  controller_oidc = {
    issuer_uri = "https://kubernetes.default.svc.cluster.local"
    jwks_json  = var.jwks_json
  }
}
