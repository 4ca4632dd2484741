output "podnetwork" {
  description = "The PodNetwork object of this cluster."
  value       = module.cluster.podnetwork
}

output "control_plane_ip" {
  description = "Address of the control plane."
  value       = module.cluster.control_plane_ip
}

output "controller_credentials" {
  description = "The file for `GOOGLE_APPLICATION_CREDENTIALS` of the controller, which holds no secret."
  value       = module.cluster.controller_credentials
}

output "controller_audience" {
  description = "The audience of the controller's projected token."
  value       = module.cluster.controller_audience
}
