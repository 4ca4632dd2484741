variable "cluster_name" {
  description = "Name of the cluster, as in the tag `kubernetes.io/cluster/NAME`. 1 to 40 letters, digits and hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][-a-zA-Z0-9]{0,39}$", var.cluster_name))
    error_message = "cluster_name must be 1 to 40 letters, digits and hyphens, not beginning with a hyphen. Choose a shorter or plainer name."
  }
}

variable "credentials" {
  description = "How the controller gets its rights: `instance-profile`, `irsa` or `pod-identity` (of EKS)."
  type        = string

  validation {
    condition     = contains(["instance-profile", "irsa", "pod-identity"], var.credentials)
    error_message = "credentials must be instance-profile, irsa or pod-identity."
  }
}

variable "instance_roles" {
  description = "With `instance-profile`: names of the instances' roles, under any keys, that get the policy."
  type        = map(string)
  default     = {}

  validation {
    condition     = var.credentials != "instance-profile" || length(var.instance_roles) > 0
    error_message = "instance_roles is needed with credentials = instance-profile: name the roles of the nodes' instances."
  }
}

variable "oidc_provider_arn" {
  description = "With `irsa`: the IAM OIDC provider that trusts the cluster's service accounts."
  type        = string
  default     = null

  validation {
    condition     = var.credentials != "irsa" || can(regex("^arn:[^:]+:iam::[0-9]+:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn is needed with credentials = irsa, such as arn:aws:iam::123456789012:oidc-provider/oidc.example.com."
  }
}

variable "eks_cluster_name" {
  description = "With `pod-identity`: the EKS cluster whose service account gets the role."
  type        = string
  default     = null

  validation {
    condition     = var.credentials != "pod-identity" || var.eks_cluster_name != null
    error_message = "eks_cluster_name is needed with credentials = pod-identity: name the EKS cluster."
  }
}

variable "vpc_id" {
  description = "Bound the rights by this VPC instead of by tags, for nodes whose network interfaces nobody tags, such as those of managed node groups."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0. Leave it out to go by tags."
  }
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
