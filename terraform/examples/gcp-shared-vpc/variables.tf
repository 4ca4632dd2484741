variable "project_id" {
  description = "Project of Google Cloud, with the APIs that the README names."
  type        = string
}

variable "host_project_id" {
  description = "Host project of the Shared VPC."
  type        = string
}

variable "network" {
  description = "Name of the host project's network."
  type        = string
}

variable "subnetwork" {
  description = "Name of the subnet for nodes, in `region`, which is shared with the project."
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
  default     = "signpost-shared"
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

variable "jwks_json" {
  description = "Keys of the cluster's tokens, as `kubectl get --raw /openid/v1/jwks` prints them. Without them, as for the first apply, the controller has no rights yet."
  type        = string
  default     = null
}
