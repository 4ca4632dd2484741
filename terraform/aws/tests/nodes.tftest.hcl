# Instances and their interfaces, who may send to them, the controller's rights, and what the outputs say.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0fedcba9876543210" }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0", ipv6_cidr_block = "2a05:d014:1:2300::/56" }
  }
  mock_resource "aws_network_interface" {
    defaults = { private_ip = "10.0.0.10" }
  }
  mock_resource "aws_eip" {
    defaults = { public_ip = "203.0.113.7" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/test" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
}

variables {
  cluster_name = "test"
  zones        = ["eu-central-1a", "eu-central-1b"]
  tags         = { team = "network" }
}

run "instances" {
  assert {
    condition     = aws_network_interface.control_plane.source_dest_check == false && aws_network_interface.control_plane.tags["kubernetes.io/cluster/test"] == "owned"
    error_message = "The control plane's interface forwards, and has the cluster's tag."
  }
  assert {
    condition     = aws_instance.control_plane.tags["kubernetes.io/cluster/test"] == "owned" && aws_instance.control_plane.tags["team"] == "network"
    error_message = "The control plane's instance has the cluster's tag and the tags given."
  }
  assert {
    condition = alltrue([for kind in ["instance", "network-interface"] : anytrue([
      for said in aws_launch_template.workers.tag_specifications : said.resource_type == kind && said.tags["kubernetes.io/cluster/test"] == "owned"
    ])])
    error_message = "Workers' instances and interfaces have the cluster's tag."
  }
  assert {
    condition = alltrue([for options in [aws_instance.control_plane.metadata_options[0], aws_launch_template.workers.metadata_options[0]] :
      options.http_tokens == "required" && options.http_put_response_hop_limit == 2
    ])
    error_message = "Metadata wants tokens, and pods may ask it."
  }
  assert {
    condition     = aws_instance.control_plane.ami == "ami-0fedcba9876543210" && aws_launch_template.workers.image_id == "ami-0fedcba9876543210"
    error_message = "The image is Debian's newest."
  }
  assert {
    condition     = length(aws_autoscaling_group.workers.vpc_zone_identifier) == length(distinct([for subnet in aws_subnet.nodes : subnet.id]))
    error_message = "Workers are in all zones."
  }
}

run "firewall" {
  variables {
    admin_cidrs = ["198.51.100.0/24"]
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes.referenced_security_group_id == aws_security_group.nodes.id && aws_vpc_security_group_ingress_rule.nodes.ip_protocol == "-1"
    error_message = "Nodes may send each other everything."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.pods.cidr_ipv4 == "10.244.0.0/16" && aws_vpc_security_group_ingress_rule.pods.ip_protocol == "-1" && length(aws_vpc_security_group_ingress_rule.pods_ipv6) == 0
    error_message = "Pods may send nodes and pods everything."
  }
  assert {
    condition     = sort([for rule in aws_vpc_security_group_ingress_rule.admin : "${rule.cidr_ipv4} ${rule.from_port}"]) == tolist(["198.51.100.0/24 22", "198.51.100.0/24 6443"])
    error_message = "Administrators reach SSH and the API server, and nothing else."
  }
}

run "rights_by_instance_profile" {
  assert {
    condition     = jsondecode(module.controller_role.policy_json) == jsondecode(replace(file("../../manifests/aws/iam-policy.json"), "CLUSTER_NAME", "test"))
    error_message = "The policy is that of the manifests."
  }
  assert {
    condition     = output.controller_role_arn == null
    error_message = "The controller has the instances' roles."
  }
}

run "rights_by_irsa" {
  variables {
    controller_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1"
  }
  assert {
    condition     = output.controller_role_arn == "arn:aws:iam::123456789012:role/test"
    error_message = "The controller has a role of its own."
  }
}

run "podnetwork" {
  assert {
    condition = yamldecode(output.podnetwork) == {
      apiVersion = "signpost.dev/v1alpha1"
      kind       = "PodNetwork"
      metadata   = { name = "default" }
      spec = {
        pools = [{ name = "main", cidr = "10.244.0.0/16", nodePrefixLength = 24 }]
        cloud = { provider = "aws", aws = { clusterName = "test", region = "eu-central-1", vpcID = "vpc-0123456789abcdef0" } }
      }
    }
    error_message = "The object names the cluster, its region, its VPC and its pool."
  }
}

run "podnetwork_of_two_families" {
  variables {
    enable_ipv6 = true
  }
  assert {
    condition     = [for pool in yamldecode(output.podnetwork).spec.pools : pool.cidr] == ["10.244.0.0/16", "fd00:10:244::/48"] && yamldecode(output.podnetwork).spec.pools[1].nodePrefixLength == 64
    error_message = "There is a pool of each family."
  }
}
