locals {
  pod_cidrs = var.enable_ipv6 ? [var.pod_cidr, var.pod_ipv6_cidr] : [var.pod_cidr]

  pools = concat(
    [{ name = "main", cidr = var.pod_cidr, nodePrefixLength = var.node_prefix_length }],
    var.enable_ipv6 ? [{ name = "main-v6", cidr = var.pod_ipv6_cidr, nodePrefixLength = 64 }] : [],
  )
}

output "podnetwork" {
  description = "The PodNetwork object of this cluster: `terraform output -raw podnetwork | kubectl apply -f -`."
  value = yamlencode({
    apiVersion = "signpost.dev/v1alpha1"
    kind       = "PodNetwork"
    metadata   = { name = "default" }
    spec = {
      pools = local.pools
      cloud = {
        provider = "aws"
        aws = {
          clusterName = var.cluster_name
          region      = data.aws_region.current.name
          vpcID       = local.vpc_id
        }
      }
    }
  })
}

output "vpc_id" {
  description = "The VPC, made or given."
  value       = local.vpc_id
}

output "subnet_ids" {
  description = "The nodes' subnets, by zone."
  value       = { for zone, subnet in aws_subnet.nodes : zone => subnet.id }
}

output "route_table_ids" {
  description = "The route tables that Signpost programs: one named `shared`, or one for each zone."
  value       = { for name, table in aws_route_table.nodes : name => table.id }
}

output "security_group_id" {
  description = "The security group of all nodes."
  value       = aws_security_group.nodes.id
}

output "control_plane_ip" {
  description = "Address of the control plane: public without NAT gateways, else private."
  value       = local.is_public ? aws_eip.control_plane[0].public_ip : aws_network_interface.control_plane.private_ip
}

output "control_plane_instance_id" {
  description = "The control plane's instance."
  value       = aws_instance.control_plane.id
}

output "workers_group_name" {
  description = "The workers' auto-scaling group."
  value       = aws_autoscaling_group.workers.name
}

output "controller_role_arn" {
  description = "With IRSA, the role for the annotation `eks.amazonaws.com/role-arn` of the service account `signpost-controller`; else null."
  value       = module.controller_role.role_arn
}
