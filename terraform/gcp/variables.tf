variable "cluster_name" {
  description = "Name of the cluster, with which the names of all that is made begin. 1 to 20 lower-case letters, digits and hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$", var.cluster_name))
    error_message = "cluster_name must be 1 to 20 lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen: names of service accounts, of at most 30, are made of it. Choose a shorter or plainer name."
  }
}

variable "project_id" {
  description = "Project that has the instances: with `host_project_id` a service project of a Shared VPC."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be the id of a project, not its number or its title, such as my-project-123456."
  }
}

variable "zones" {
  description = "Zones of one region, such as `[\"europe-west3-a\"]`. Workers are in all of them, the control plane is in the first."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 1 && length(distinct(var.zones)) == length(var.zones) && alltrue([for zone in var.zones : can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$", zone))])
    error_message = "zones must name different zones, at least one, such as europe-west3-a: remove what is named twice."
  }

  validation {
    condition     = length(distinct([for zone in var.zones : join("-", slice(split("-", zone), 0, length(split("-", zone)) - 1))])) == 1
    error_message = "zones must all be of one region: the nodes' subnet and the group of workers are of one. Remove those of others."
  }
}

variable "network" {
  description = "Name of an existing VPC network, which then has `subnetwork` and a way out. Default: a custom-mode network is made."
  type        = string
  default     = null

  validation {
    condition     = (var.network == null) == (var.subnetwork == null)
    error_message = "network and subnetwork go together: name both, or neither for a new network."
  }
}

variable "subnetwork" {
  description = "Name of an existing subnet of `network` in the region of `zones`, for the nodes."
  type        = string
  default     = null
}

variable "host_project_id" {
  description = "With a Shared VPC: the host project, which has `network`, the routes to pods, the firewall rules and the role for routes. `project_id` is attached to it already."
  type        = string
  default     = null

  validation {
    condition     = var.host_project_id == null || var.network != null
    error_message = "host_project_id needs network and subnetwork: name those of the host project that are shared with project_id."
  }

  validation {
    condition     = var.host_project_id == null || var.host_project_id != var.project_id
    error_message = "host_project_id must be another project than project_id: leave it out where the network is in the project of the instances."
  }
}

variable "subnet_cidr" {
  description = "IPv4 range of the nodes' subnet that is made. Not used with `subnetwork`."
  type        = string
  default     = "10.0.0.0/20"

  validation {
    condition     = can(cidrnetmask(var.subnet_cidr)) && try(cidrsubnet(var.subnet_cidr, 0, 0) == var.subnet_cidr && tonumber(split("/", var.subnet_cidr)[1]) >= 8 && tonumber(split("/", var.subnet_cidr)[1]) <= 29, false)
    error_message = "subnet_cidr must be an IPv4 range of /8 to /29 without host bits, such as 10.0.0.0/20."
  }
}

variable "external_addresses" {
  description = "Whether nodes have external addresses. Without them a network that is made gets Cloud NAT; an existing one needs a way out of its own."
  type        = bool
  default     = true
}

variable "route_quota" {
  description = "Static routes that the network may have for this cluster, of the quota `STATIC_ROUTES_PER_NETWORK` and, beside other networks, `ROUTES` of its project. Default: 200, which is assumed; each project has its own."
  type        = number
  default     = 200

  validation {
    condition     = var.route_quota >= 1 && floor(var.route_quota) == var.route_quota
    error_message = "route_quota must be a whole number from 1: look up the quota STATIC_ROUTES_PER_NETWORK of the network's project."
  }
}

variable "pod_cidr" {
  description = "IPv4 range that pods get their addresses from, outside the ranges of all subnets of the network, secondary ones too, and `service_cidr`."
  type        = string
  default     = "10.244.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.pod_cidr)) && try(cidrsubnet(var.pod_cidr, 0, 0) == var.pod_cidr, false)
    error_message = "pod_cidr must be an IPv4 range without host bits, such as 10.244.0.0/16."
  }
}

variable "node_prefix_length" {
  description = "Prefix length of the IPv4 block of `pod_cidr` that each node gets."
  type        = number
  default     = 24

  validation {
    condition     = try(var.node_prefix_length >= tonumber(split("/", var.pod_cidr)[1]) && var.node_prefix_length <= min(30, tonumber(split("/", var.pod_cidr)[1]) + 20), false)
    error_message = "node_prefix_length must be at least the prefix length of pod_cidr, at most 20 more than that, and at most 30. For 254 addresses a node set it to 24."
  }
}

variable "service_cidr" {
  description = "IPv4 range of Services."
  type        = string
  default     = "10.96.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.service_cidr)) && try(cidrsubnet(var.service_cidr, 0, 0) == var.service_cidr, false)
    error_message = "service_cidr must be an IPv4 range without host bits, such as 10.96.0.0/16."
  }
}

variable "workers" {
  description = "The group of workers. `desired = null` leaves its size to others, such as the cluster autoscaler, which begin at none; `max` is the most that it will ever have; disk_size in GB."
  type = object({
    desired      = optional(number, 1)
    max          = optional(number, 3)
    machine_type = optional(string, "e2-medium")
    disk_size    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.workers.max >= 0 && try(coalesce(var.workers.desired, 0) >= 0 && coalesce(var.workers.desired, 0) <= var.workers.max, false)
    error_message = "workers.desired must be from 0 to workers.max: set workers.max higher, or workers.desired to null."
  }
}

variable "control_plane" {
  description = "The one instance of the control plane; disk_size in GB."
  type = object({
    machine_type = optional(string, "e2-medium")
    disk_size    = optional(number, 30)
  })
  default = {}
}

variable "image" {
  description = "Image of all instances, or its family, which then means the newest when an instance is made: Ubuntu, or what behaves like it and has cloud-init, which Google's Debian has not."
  type        = string
  default     = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"

  validation {
    condition     = can(regex("^projects/[^/]+/global/images/(family/)?[-a-z0-9]+$", var.image))
    error_message = "image must be projects/PROJECT/global/images/NAME or projects/PROJECT/global/images/family/NAME."
  }
}

variable "versions" {
  description = "What is installed on new instances. A running cluster is upgraded by `kubeadm upgrade`: a change here reaches new workers only."
  type = object({
    kubernetes = optional(string, "1.36.3")
    containerd = optional(string, "2.2.9")
  })
  default = {}

  validation {
    condition     = alltrue([for version in values(var.versions) : can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", version))])
    error_message = "versions must have three numbers each and no v before them, such as kubernetes = \"1.36.3\"."
  }
}

variable "admin_cidrs" {
  description = "IPv4 ranges outside the cluster from which the API server (6443) and SSH (22) may be reached; `35.235.240.0/20` is Google's Identity-Aware Proxy, for nodes without external addresses."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr))])
    error_message = "admin_cidrs must be IPv4 ranges, such as 203.0.113.7/32."
  }
}

variable "ssh_keys" {
  description = "Public keys for SSH by user, such as `{ admin = \"ssh-ed25519 AAAA…\" }`. The project's own keys are not let in."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for user, key in var.ssh_keys : can(regex("^[a-z_][-a-z0-9_]*$", user)) && can(regex("^(ssh|ecdsa|sk)-[^\n]+$", key))])
    error_message = "ssh_keys must have a public key of one line for each user, such as { admin = \"ssh-ed25519 AAAA…\" }."
  }
}

variable "controller_oidc" {
  description = "For workload identity: the issuer of the cluster's service account tokens and its keys (`kubectl get --raw /openid/v1/jwks`). The controller's rights then go to a service account of its own. Default: to those of the instances."
  type        = object({ issuer_uri = string, jwks_json = optional(string) })
  default     = null

  validation {
    condition     = var.controller_oidc == null || can(regex("^https://", var.controller_oidc.issuer_uri))
    error_message = "controller_oidc.issuer_uri must be a URL with https, such as https://kubernetes.default.svc.cluster.local. Leave controller_oidc out to use the instances' service accounts."
  }
}

variable "labels" {
  description = "Labels of the instances, the address and the secret that are made."
  type        = map(string)
  default     = {}
}
