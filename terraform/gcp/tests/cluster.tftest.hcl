# Network, instances, who may send to them, the controller's rights, and what the outputs say.

mock_provider "google" {
  mock_data "google_compute_network" {
    defaults = {
      name                   = "given"
      self_link              = "https://www.googleapis.com/compute/v1/projects/my-host-project/global/networks/given"
      subnetworks_self_links = []
    }
  }
  mock_data "google_compute_subnetwork" {
    defaults = {
      network       = "https://www.googleapis.com/compute/v1/projects/my-host-project/global/networks/given"
      self_link     = "https://www.googleapis.com/compute/v1/projects/my-host-project/regions/europe-west3/subnetworks/given"
      ip_cidr_range = "10.20.0.0/20"
    }
  }
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_compute_network" {
    defaults = { self_link = "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/test" }
  }
  mock_resource "google_compute_subnetwork" {
    defaults = { self_link = "https://www.googleapis.com/compute/v1/projects/my-project/regions/europe-west3/subnetworks/test-nodes" }
  }
  mock_resource "google_compute_address" {
    defaults = { address = "10.0.0.10" }
  }
  mock_resource "google_service_account" {
    defaults = { email = "test-nodes@my-project.iam.gserviceaccount.com", name = "projects/my-project/serviceAccounts/test-nodes@my-project.iam.gserviceaccount.com" }
  }
  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/test-cluster" }
  }
  mock_resource "google_iam_workload_identity_pool_provider" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/test-cluster/providers/kubernetes" }
  }
}

variables {
  cluster_name = "test"
  project_id   = "my-project"
  zones        = ["europe-west3-a", "europe-west3-b"]
}

run "network" {
  assert {
    condition     = google_compute_network.this[0].auto_create_subnetworks == false && google_compute_network.this[0].delete_default_routes_on_create == false
    error_message = "The network is of custom mode and keeps its way out."
  }
  assert {
    condition     = google_compute_subnetwork.nodes[0].region == "europe-west3" && google_compute_subnetwork.nodes[0].ip_cidr_range == "10.0.0.0/20" && google_compute_subnetwork.nodes[0].private_ip_google_access
    error_message = "The nodes' subnet is in the region of the zones."
  }
  assert {
    condition     = length(google_compute_router.nat) == 0 && length(google_compute_address.external) == 1
    error_message = "Nodes have external addresses, and no Cloud NAT is made."
  }
}

run "private" {
  variables {
    external_addresses = false
  }
  assert {
    condition     = google_compute_router_nat.this[0].router == google_compute_router.nat[0].name && [for of in google_compute_router_nat.this[0].subnetwork : of.name] == [google_compute_subnetwork.nodes[0].self_link]
    error_message = "The nodes' subnet goes out through Cloud NAT."
  }
  assert {
    condition     = length(google_compute_instance.control_plane.network_interface[0].access_config) == 0 && length(google_compute_instance_template.workers.network_interface[0].access_config) == 0
    error_message = "No instance has an external address."
  }
  assert {
    condition     = output.control_plane_ip == google_compute_address.internal.address
    error_message = "The control plane is reached by its internal address."
  }
}

run "instances" {
  variables {
    ssh_keys = { admin = "ssh-ed25519 AAAA admin" }
    labels   = { team = "network" }
  }
  assert {
    condition     = google_compute_instance.control_plane.can_ip_forward && google_compute_instance_template.workers.can_ip_forward
    error_message = "All instances forward."
  }
  assert {
    condition = alltrue([for of in [google_compute_instance.control_plane, google_compute_instance_template.workers] :
      contains(of.tags, "test-nodes") && of.labels["team"] == "network" && of.metadata["block-project-ssh-keys"] == "true" && of.metadata["ssh-keys"] == "admin:ssh-ed25519 AAAA admin" && of.shielded_instance_config[0].enable_secure_boot
    ])
    error_message = "All instances have the tag, the labels and the keys given, and are shielded."
  }
  assert {
    condition     = google_compute_instance.control_plane.zone == "europe-west3-a" && google_compute_region_instance_group_manager.workers.distribution_policy_zones == toset(var.zones)
    error_message = "The control plane is in the first zone, workers are in all."
  }
  assert {
    condition     = google_compute_region_instance_group_manager.workers.update_policy[0].type == "OPPORTUNISTIC" && google_compute_region_instance_group_manager.workers.update_policy[0].max_surge_fixed == 2
    error_message = "No worker is replaced by itself, and by others with one more in each zone."
  }
  assert {
    condition     = google_compute_region_instance_group_manager.workers.target_size == 1
    error_message = "There is one worker."
  }
}

run "size_of_others" {
  command = plan
  variables {
    workers = { desired = null }
  }
}

run "firewall" {
  variables {
    admin_cidrs = ["198.51.100.0/24"]
  }
  assert {
    condition     = google_compute_firewall.nodes.source_tags == toset(["test-nodes"]) && google_compute_firewall.nodes.source_ranges == toset(["10.244.0.0/16"]) && google_compute_firewall.nodes.target_tags == toset(["test-nodes"]) && [for rule in google_compute_firewall.nodes.allow : rule.protocol] == ["all"]
    error_message = "Nodes and pods may send nodes and pods everything."
  }
  assert {
    condition     = google_compute_firewall.admin[0].source_ranges == toset(["198.51.100.0/24"]) && [for rule in google_compute_firewall.admin[0].allow : rule.ports] == [tolist(["22", "6443"])]
    error_message = "Administrators reach SSH and the API server, and nothing else."
  }
}

run "join" {
  assert {
    condition     = google_secret_manager_secret_iam_member.join["workers"].role == "roles/secretmanager.secretAccessor" && google_secret_manager_secret_iam_member.join["control-plane"].role == "roles/secretmanager.secretVersionManager"
    error_message = "Workers read how to join, the control plane writes it."
  }
}

run "rights_by_the_instances" {
  assert {
    condition     = output.controller_credentials == null && output.controller_audience == null
    error_message = "The controller has the instances' service accounts."
  }
}

run "rights_by_workload_identity" {
  variables {
    controller_oidc = { issuer_uri = "https://kubernetes.default.svc.cluster.local" }
  }
  assert {
    condition     = output.controller_audience == "https://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/test-cluster/providers/kubernetes"
    error_message = "The controller's token is for the pool of the cluster."
  }
}

run "shared_vpc" {
  variables {
    network         = "given"
    subnetwork      = "given"
    host_project_id = "my-host-project"
    admin_cidrs     = ["198.51.100.0/24"]
  }
  assert {
    condition     = length(google_compute_network.this) == 0 && length(google_compute_subnetwork.nodes) == 0
    error_message = "No network is made."
  }
  assert {
    condition     = google_compute_firewall.nodes.project == "my-host-project" && google_compute_firewall.admin[0].project == "my-host-project" && google_compute_instance.control_plane.project == "my-project"
    error_message = "Firewall rules are the host project's, instances the service project's."
  }
  assert {
    condition     = google_compute_subnetwork_iam_member.instances[0].project == "my-host-project" && google_compute_subnetwork_iam_member.instances[0].member == "serviceAccount:123456789012@cloudservices.gserviceaccount.com"
    error_message = "The group's instances may be made in the host project's subnet."
  }
  assert {
    condition     = yamldecode(output.podnetwork).spec.cloud.gcp == { clusterName = "test", project = "my-host-project", network = "given" }
    error_message = "Routes are the host project's."
  }
}

run "given_network_without_external_addresses" {
  variables {
    network            = "given"
    subnetwork         = "given"
    external_addresses = false
  }
  assert {
    condition     = length(google_compute_router.nat) == 0
    error_message = "The way out of a given network is its own."
  }
}

run "podnetwork" {
  assert {
    condition = yamldecode(output.podnetwork) == {
      apiVersion = "signpost.dev/v1alpha1"
      kind       = "PodNetwork"
      metadata   = { name = "default" }
      spec = {
        pools = [{ name = "main", cidr = "10.244.0.0/16", nodePrefixLength = 24 }]
        cloud = { provider = "gcp", gcp = { clusterName = "test", project = "my-project", network = "test" } }
      }
    }
    error_message = "The object names the cluster, its project, its network and its pool."
  }
}
