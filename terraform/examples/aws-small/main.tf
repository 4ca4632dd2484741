# The smallest cluster: one zone, nodes with public addresses, one route table.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

module "cluster" {
  source = "../../aws"

  cluster_name = var.cluster_name
  zones        = ["${var.region}a"]
  workers      = var.workers
  ami_id       = var.ami_id
  admin_cidrs  = var.admin_cidrs
  key_name     = var.key_name
}
