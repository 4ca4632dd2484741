output "podnetwork" {
  description = "The PodNetwork object of this cluster."
  value       = module.cluster.podnetwork
}

output "control_plane_ip" {
  description = "Address of the control plane."
  value       = module.cluster.control_plane_ip
}
