output "user_data" {
  description = "Cloud-init for `control-plane` and `workers`."
  value       = local.user_data
}
