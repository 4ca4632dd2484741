# Three zones, each with its own route table and NAT gateway, private nodes, IPv4 and IPv6.

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
  zones        = [for letter in ["a", "b", "c"] : "${var.region}${letter}"]
  route_tables = "per-zone"
  nat_gateways = "per-zone"
  enable_ipv6  = true
  workers      = var.workers
  ami_id       = var.ami_id
  key_name     = var.key_name
}
