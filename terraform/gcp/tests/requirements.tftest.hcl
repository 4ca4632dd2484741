# Inputs that cannot work are refused, by the name of the input.

mock_provider "google" {
  mock_data "google_compute_network" {
    defaults = {
      name                   = "given"
      self_link              = "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/given"
      subnetworks_self_links = ["https://www.googleapis.com/compute/v1/projects/my-project/regions/europe-west3/subnetworks/given"]
    }
  }
  mock_data "google_compute_subnetwork" {
    defaults = {
      network            = "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/given"
      ip_cidr_range      = "10.20.0.0/20"
      secondary_ip_range = [{ range_name = "a", ip_cidr_range = "10.30.0.0/16" }]
    }
  }
}

variables {
  cluster_name = "test"
  project_id   = "my-project"
  zones        = ["europe-west3-a", "europe-west3-b"]
}

run "as_many_nodes_as_routes" {
  command = plan
  variables {
    route_quota = 200
    workers     = { max = 196 } # the control plane, two while instances are replaced, and the default route
  }
}

run "more_nodes_than_routes" {
  command = plan
  variables {
    workers = { max = 197 }
  }
  expect_failures = [terraform_data.requirements]
}

run "quota_raised" {
  command = plan
  variables {
    route_quota = 400
    workers     = { max = 197 }
  }
}

run "as_many_nodes_as_blocks" {
  command = plan
  variables {
    pod_cidr = "10.244.0.0/21"
    workers  = { max = 5 }
  }
}

run "more_nodes_than_blocks" {
  command = plan
  variables {
    pod_cidr = "10.244.0.0/21"
    workers  = { max = 6 }
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_inside_the_subnet" {
  command = plan
  variables {
    pod_cidr           = "10.0.8.0/21"
    node_prefix_length = 26
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_around_the_subnet" {
  command = plan
  variables {
    pod_cidr     = "10.0.0.0/8"
    service_cidr = "172.20.0.0/16"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_beside_the_subnet" {
  command = plan
  variables {
    pod_cidr = "10.1.0.0/16"
  }
}

run "pods_in_a_given_subnet" {
  command = plan
  variables {
    network    = "given"
    subnetwork = "given"
    pod_cidr   = "10.20.0.0/16"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_in_a_secondary_range" {
  command = plan
  variables {
    network    = "given"
    subnetwork = "given"
    pod_cidr   = "10.30.128.0/17"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_beside_given_subnets" {
  command = plan
  variables {
    network    = "given"
    subnetwork = "given"
  }
}

run "services_inside_the_subnet" {
  command = plan
  variables {
    service_cidr = "10.0.0.0/24"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_around_services" {
  command = plan
  variables {
    service_cidr = "10.244.255.0/24"
  }
  expect_failures = [terraform_data.requirements]
}

run "subnet_of_another_network" {
  command = plan
  variables {
    network    = "given"
    subnetwork = "other"
  }
  override_data {
    target = data.google_compute_subnetwork.existing[0]
    values = {
      network       = "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/other"
      ip_cidr_range = "10.40.0.0/24"
    }
  }
  expect_failures = [terraform_data.requirements]
}

run "network_without_subnet" {
  command = plan
  variables {
    network = "given"
  }
  expect_failures = [var.network]
}

run "subnet_without_network" {
  command = plan
  variables {
    subnetwork = "given"
  }
  expect_failures = [var.network]
}

run "host_without_network" {
  command = plan
  variables {
    host_project_id = "my-host-project"
  }
  expect_failures = [var.host_project_id]
}

run "host_of_itself" {
  command = plan
  variables {
    network         = "given"
    subnetwork      = "given"
    host_project_id = "my-project"
  }
  expect_failures = [var.host_project_id]
}

run "zone_twice" {
  command = plan
  variables {
    zones = ["europe-west3-a", "europe-west3-a"]
  }
  expect_failures = [var.zones]
}

run "zones_of_two_regions" {
  command = plan
  variables {
    zones = ["europe-west3-a", "europe-west4-a"]
  }
  expect_failures = [var.zones]
}

run "region_for_a_zone" {
  command = plan
  variables {
    zones = ["europe-west3"]
  }
  expect_failures = [var.zones]
}

run "number_of_a_project" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "long_name" {
  command = plan
  variables {
    cluster_name = "more-than-twenty-chars"
  }
  expect_failures = [var.cluster_name]
}

run "host_bits" {
  command = plan
  variables {
    pod_cidr = "10.244.1.0/16"
  }
  expect_failures = [var.pod_cidr]
}

run "subnet_host_bits" {
  command = plan
  variables {
    subnet_cidr = "10.0.0.1/20"
  }
  expect_failures = [var.subnet_cidr]
}

run "blocks_too_small" {
  command = plan
  variables {
    node_prefix_length = 31
  }
  expect_failures = [var.node_prefix_length]
}

run "more_desired_than_max" {
  command = plan
  variables {
    workers = { max = 3, desired = 4 }
  }
  expect_failures = [var.workers]
}

run "version_with_v" {
  command = plan
  variables {
    versions = { kubernetes = "v1.36.3" }
  }
  expect_failures = [var.versions]
}

run "image_without_project" {
  command = plan
  variables {
    image = "ubuntu-2404-lts-amd64"
  }
  expect_failures = [var.image]
}

run "file_for_a_key" {
  command = plan
  variables {
    ssh_keys = { admin = "~/.ssh/id_ed25519.pub" }
  }
  expect_failures = [var.ssh_keys]
}

run "no_quota" {
  command = plan
  variables {
    route_quota = 0
  }
  expect_failures = [var.route_quota]
}

run "admin_without_length" {
  command = plan
  variables {
    admin_cidrs = ["203.0.113.7"]
  }
  expect_failures = [var.admin_cidrs]
}

run "issuer_without_https" {
  command = plan
  variables {
    controller_oidc = { issuer_uri = "http://oidc.example.com" }
  }
  expect_failures = [var.controller_oidc]
}
