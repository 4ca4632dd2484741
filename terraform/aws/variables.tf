variable "cluster_name" {
  description = "Name of the cluster, as in the tag `kubernetes.io/cluster/NAME` of its route tables, instances and network interfaces. 1 to 40 letters, digits and hyphens."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][-a-zA-Z0-9]{0,39}$", var.cluster_name))
    error_message = "cluster_name must be 1 to 40 letters, digits and hyphens, not beginning with a hyphen: names of roles and groups are made of it. Choose a shorter or plainer name."
  }
}

variable "zones" {
  description = "Availability zones, such as `[\"eu-central-1a\"]`. Each gets a subnet for nodes; the control plane is in the first. At most 6."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name 1 to 6 different availability zones: remove what is named twice."
  }
}

variable "vpc_id" {
  description = "An existing VPC, which then needs an internet gateway and `subnet_cidrs`. Default: a VPC is made."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0. Leave it out for a new VPC."
  }
}

variable "vpc_cidr" {
  description = "IPv4 range of the VPC that is made, /16 to /20."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "vpc_cidr must be an IPv4 range with a prefix length of 16 to 20, such as 10.0.0.0/16."
  }
}

variable "subnet_cidrs" {
  description = "IPv4 ranges of the nodes' subnets, one for each of `zones`. Default: the first sixteenths of `vpc_cidr`."
  type        = list(string)
  default     = null

  validation {
    condition     = var.subnet_cidrs == null || (length(coalesce(var.subnet_cidrs, [])) == length(var.zones) && alltrue([for cidr in coalesce(var.subnet_cidrs, []) : can(cidrhost(cidr, 0))]))
    error_message = "subnet_cidrs must have one range for each of zones, such as [\"10.0.0.0/20\"]."
  }

  validation {
    condition     = var.vpc_id == null || var.subnet_cidrs != null
    error_message = "subnet_cidrs is needed with vpc_id: name free ranges of that VPC, one for each of zones."
  }
}

variable "nat_subnet_cidrs" {
  description = "IPv4 ranges of the NAT gateways' subnets, one for each of `zones`, /28 or larger. Default: the last 256ths of `vpc_cidr`. Not used without NAT gateways."
  type        = list(string)
  default     = null

  validation {
    condition     = var.nat_subnet_cidrs == null || (length(coalesce(var.nat_subnet_cidrs, [])) == length(var.zones) && alltrue([for cidr in coalesce(var.nat_subnet_cidrs, []) : can(cidrhost(cidr, 0))]))
    error_message = "nat_subnet_cidrs must have one range for each of zones, such as [\"10.0.255.0/24\"]."
  }

  validation {
    condition     = var.vpc_id == null || var.nat_gateways == "none" || var.nat_subnet_cidrs != null
    error_message = "nat_subnet_cidrs is needed with vpc_id and nat_gateways: name free ranges of that VPC, or set nat_gateways to none."
  }
}

variable "subnet_ipv6_indexes" {
  description = "Which /64 of the VPC's IPv6 range each node subnet gets, one number for each of `zones`. Default: 0, 1, and so on. For an existing VPC where those are taken."
  type        = list(number)
  default     = null

  validation {
    condition     = var.subnet_ipv6_indexes == null || (length(coalesce(var.subnet_ipv6_indexes, [])) == length(var.zones) && alltrue([for index in coalesce(var.subnet_ipv6_indexes, []) : index >= 0 && index <= 255 && floor(index) == index]))
    error_message = "subnet_ipv6_indexes must have one whole number from 0 to 255 for each of zones."
  }
}

variable "nat_gateways" {
  description = "`none`: nodes have public addresses. `one`: nodes are private, and all zones use one gateway. `per-zone`: a gateway in each zone, which needs `route_tables = \"per-zone\"`."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "one", "per-zone"], var.nat_gateways)
    error_message = "nat_gateways must be none, one or per-zone."
  }

  validation {
    condition     = var.nat_gateways != "per-zone" || var.route_tables == "per-zone"
    error_message = "nat_gateways = per-zone needs a route table in each zone: set route_tables to per-zone, or nat_gateways to one."
  }
}

variable "route_tables" {
  description = "`shared`: the nodes' subnets of all zones have one route table. `per-zone`: each has its own. Signpost programs all of them."
  type        = string
  default     = "shared"

  validation {
    condition     = contains(["shared", "per-zone"], var.route_tables)
    error_message = "route_tables must be shared or per-zone."
  }
}

variable "route_quota" {
  description = "Routes that a route table may hold of each family: the account's quota \"Routes per route table\" (L-93826ACB), 500 by default, at most 1000."
  type        = number
  default     = 500

  validation {
    condition     = var.route_quota >= 1 && var.route_quota <= 1000
    error_message = "route_quota must be from 1 to 1000: look up the quota L-93826ACB of the account in this region."
  }
}

variable "pod_cidr" {
  description = "IPv4 range that pods get their addresses from, outside the VPC's ranges and `service_cidr`."
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

variable "enable_ipv6" {
  description = "Whether VPC, subnets, pods and Services have IPv6 beside IPv4. An existing VPC needs an IPv6 range for it."
  type        = bool
  default     = false
}

variable "pod_ipv6_cidr" {
  description = "IPv6 range that pods get their addresses from, /44 to /64; each node gets a /64. Not used without `enable_ipv6`."
  type        = string
  default     = "fd00:10:244::/48"

  validation {
    condition     = strcontains(var.pod_ipv6_cidr, ":") && try(cidrsubnet(var.pod_ipv6_cidr, 0, 0) == var.pod_ipv6_cidr, false) && try(tonumber(split("/", var.pod_ipv6_cidr)[1]) >= 44 && tonumber(split("/", var.pod_ipv6_cidr)[1]) <= 64, false)
    error_message = "pod_ipv6_cidr must be an IPv6 range of /44 to /64 without host bits, in its shortest form, such as fd00:10:244::/48."
  }
}

variable "service_ipv6_cidr" {
  description = "IPv6 range of Services, /108 to /120. Not used without `enable_ipv6`."
  type        = string
  default     = "fd00:10:96::/112"

  validation {
    condition     = strcontains(var.service_ipv6_cidr, ":") && try(cidrsubnet(var.service_ipv6_cidr, 0, 0) == var.service_ipv6_cidr, false) && try(tonumber(split("/", var.service_ipv6_cidr)[1]) >= 108 && tonumber(split("/", var.service_ipv6_cidr)[1]) <= 120, false)
    error_message = "service_ipv6_cidr must be an IPv6 range of /108 to /120 without host bits, in its shortest form, such as fd00:10:96::/112."
  }
}

variable "workers" {
  description = "The group of workers. Without `desired` its size is left to others, such as the cluster autoscaler, between `min` and `max`."
  type = object({
    min           = optional(number, 1)
    max           = optional(number, 3)
    desired       = optional(number)
    instance_type = optional(string, "t3.medium")
    volume_size   = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.workers.min >= 0 && var.workers.min <= var.workers.max && (var.workers.desired == null || try(var.workers.desired >= var.workers.min && var.workers.desired <= var.workers.max, false))
    error_message = "workers.min must be at most workers.max, and workers.desired between them: set workers.max higher, or leave workers.desired out."
  }
}

variable "control_plane" {
  description = "The one instance of the control plane; volume_size in GiB."
  type = object({
    instance_type = optional(string, "t3.medium")
    volume_size   = optional(number, 30)
  })
  default = {}
}

variable "ami_id" {
  description = "Image of all instances: Debian 12 or what behaves like it. Default: Debian's newest for amd64, as it is when an instance is made."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "ami_id must be the id of an image of this region, such as ami-0123456789abcdef0. Leave it out for Debian's newest."
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
  description = "IPv4 ranges outside the VPC from which the API server (6443) and SSH (22) may be reached. Only without NAT gateways are there public addresses."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr))])
    error_message = "admin_cidrs must be IPv4 ranges, such as 203.0.113.7/32."
  }
}

variable "key_name" {
  description = "Key pair of EC2 for SSH. Default: none."
  type        = string
  default     = null
}

variable "controller_oidc_provider_arn" {
  description = "For IRSA: the IAM OIDC provider that trusts this cluster's service accounts. The controller's rights then go to a role of its own. Default: to the instances' roles."
  type        = string
  default     = null

  validation {
    condition     = var.controller_oidc_provider_arn == null || can(regex("^arn:[^:]+:iam::[0-9]+:oidc-provider/.+$", var.controller_oidc_provider_arn))
    error_message = "controller_oidc_provider_arn must be the ARN of an IAM OIDC provider, such as arn:aws:iam::123456789012:oidc-provider/oidc.example.com. Leave it out to use the instances' roles."
  }
}

variable "tags" {
  description = "Tags of everything that is made, beside those that the cluster needs."
  type        = map(string)
  default     = {}
}
