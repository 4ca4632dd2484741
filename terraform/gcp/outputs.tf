output "podnetwork" {
  description = "The PodNetwork object of this cluster: `terraform output -raw podnetwork | kubectl apply -f -`."
  value = yamlencode({
    apiVersion = "signpost.dev/v1alpha1"
    kind       = "PodNetwork"
    metadata   = { name = "default" }
    spec = {
      pools = [{ name = "main", cidr = var.pod_cidr, nodePrefixLength = var.node_prefix_length }]
      cloud = {
        provider = "gcp"
        gcp = {
          clusterName = var.cluster_name
          project     = local.network_project
          network     = local.network.name
        }
      }
    }
  })
}

output "network" {
  description = "Link of the VPC network, made or given."
  value       = local.network.self_link
}

output "subnetwork" {
  description = "Link of the nodes' subnet, made or given."
  value       = local.subnetwork.self_link
}

output "node_tag" {
  description = "Network tag of the nodes, for firewall rules."
  value       = local.node_tag
}

output "control_plane_ip" {
  description = "Address of the control plane: external, or internal without external addresses."
  value       = var.external_addresses ? google_compute_address.external[0].address : google_compute_address.internal.address
}

output "control_plane_instance" {
  description = "Link of the control plane's instance."
  value       = google_compute_instance.control_plane.self_link
}

output "workers_group" {
  description = "Name of the workers' managed instance group, in the region of `zones`."
  value       = google_compute_region_instance_group_manager.workers.name
}

output "node_service_accounts" {
  description = "Service accounts of the instances, by `control-plane` and `workers`, for further rights such as reading images."
  value       = { for name, account in google_service_account.nodes : name => account.email }
}

output "controller_credentials" {
  description = "With workload identity, the file for `GOOGLE_APPLICATION_CREDENTIALS` of the controller, which holds no secret; else null."
  value       = module.controller_role.credentials
}

output "controller_audience" {
  description = "With workload identity, the audience of the controller's projected token; else null."
  value       = module.controller_role.audience
}
