# The smallest cluster: one zone, nodes with external addresses.

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

  cluster_name = var.cluster_name
  project_id   = var.project_id
  zones        = ["${var.region}-a"]
  workers      = var.workers
  admin_cidrs  = var.admin_cidrs
  ssh_keys     = var.ssh_keys
}
