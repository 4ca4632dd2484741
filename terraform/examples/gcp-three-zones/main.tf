# Three zones of a region, nodes without external addresses, Cloud NAT.

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

  cluster_name       = var.cluster_name
  project_id         = var.project_id
  zones              = [for letter in ["a", "b", "c"] : "${var.region}-${letter}"]
  external_addresses = false
  workers            = var.workers
  admin_cidrs        = ["35.235.240.0/20"]
  ssh_keys           = var.ssh_keys
}
