variable "cluster_name" {
  description = "Name of the cluster, with which the names of roles and accounts begin. 1 to 20 lower-case letters, digits and hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name must be 1 to 20 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen. Choose a shorter or plainer name."
  }
}

variable "project_id" {
  description = "Project that has the nodes' instances."
  type        = string
}

variable "network_project_id" {
  description = "Project that has the network: the host project of a Shared VPC. Default: that of the nodes."
  type        = string
  default     = null
}

variable "credentials" {
  description = "How the controller gets its rights: `instances` or `workload-identity`."
  type        = string

  validation {
    condition     = contains(["instances", "workload-identity"], var.credentials)
    error_message = "credentials must be instances or workload-identity."
  }
}

variable "service_accounts" {
  description = "With `instances`: emails of the instances' service accounts, under any keys, that get the roles."
  type        = map(string)
  default     = {}

  validation {
    condition     = var.credentials != "instances" || length(var.service_accounts) > 0
    error_message = "service_accounts is needed with credentials = instances: name the service accounts of the nodes' instances."
  }
}

variable "oidc" {
  description = "With `workload-identity`: the issuer of the cluster's service account tokens, and its keys where Google cannot fetch them from there (`kubectl get --raw /openid/v1/jwks`)."
  type        = object({ issuer_uri = string, jwks_json = optional(string) })
  default     = null

  validation {
    condition     = var.credentials != "workload-identity" || can(regex("^https://", var.oidc.issuer_uri))
    error_message = "oidc is needed with credentials = workload-identity, such as { issuer_uri = \"https://kubernetes.default.svc.cluster.local\", jwks_json = file(\"jwks.json\") }."
  }

  validation {
    condition     = try(var.oidc.jwks_json, null) == null || can(jsondecode(var.oidc.jwks_json).keys[0].kty)
    error_message = "oidc.jwks_json must be a set of keys as `kubectl get --raw /openid/v1/jwks` prints it."
  }
}
