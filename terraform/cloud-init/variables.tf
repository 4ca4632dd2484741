variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "versions" {
  description = "Versions of Kubernetes and containerd, three numbers each."
  type        = object({ kubernetes = string, containerd = string })
}

variable "pod_cidrs" {
  description = "Ranges of pods, one for each family."
  type        = list(string)
}

variable "service_cidrs" {
  description = "Ranges of Services, one for each family."
  type        = list(string)
}

variable "endpoint" {
  description = "Address of the API server, as nodes reach it."
  type        = string
}

variable "cert_sans" {
  description = "Further addresses and names by which the API server is reached."
  type        = list(string)
  default     = []
}

variable "packages" {
  description = "Packages of Debian that `cloud` needs."
  type        = list(string)
  default     = []
}

variable "cloud" {
  description = "Shell functions: `provider_id` prints the instance's providerID, `write_join` keeps its argument where `read_join` prints it."
  type        = string
}
