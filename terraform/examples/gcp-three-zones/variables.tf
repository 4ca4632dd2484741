variable "project_id" {
  description = "Project of Google Cloud, with the APIs that the README names."
  type        = string
}

variable "region" {
  description = "Region of Google Cloud."
  type        = string
  default     = "europe-west3"
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  default     = "signpost-zones"
}

variable "workers" {
  description = "Number of workers, and the most that there will ever be."
  type        = object({ desired = optional(number, 3), max = optional(number, 12) })
  default     = {}
}

variable "ssh_keys" {
  description = "Public keys for SSH by user, such as `{ admin = \"ssh-ed25519 AAAA…\" }`."
  type        = map(string)
  default     = {}
}
