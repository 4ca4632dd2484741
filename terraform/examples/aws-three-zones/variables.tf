variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  default     = "signpost-zones"
}

variable "workers" {
  description = "Least and greatest number of workers."
  type        = object({ min = optional(number, 3), max = optional(number, 12) })
  default     = {}
}

variable "ami_id" {
  description = "Image of all instances. Default: Debian's newest."
  type        = string
  default     = null
}

variable "key_name" {
  description = "Key pair of EC2 for SSH."
  type        = string
  default     = null
}
