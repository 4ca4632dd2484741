variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  default     = "signpost-small"
}

variable "workers" {
  description = "Least and greatest number of workers."
  type        = object({ min = optional(number, 2), max = optional(number, 4) })
  default     = {}
}

variable "ami_id" {
  description = "Image of all instances. Default: Debian's newest."
  type        = string
  default     = null
}

variable "admin_cidrs" {
  description = "Ranges from which you reach the control plane, such as `[\"203.0.113.7/32\"]`."
  type        = list(string)
  default     = []
}

variable "key_name" {
  description = "Key pair of EC2 for SSH."
  type        = string
  default     = null
}
