# The control plane, and the group of workers. All of them forward: a managed group would revert what its template does not
# say, so can_ip_forward stands here and is not switched on later.

locals {
  user_data = module.cloud_init.user_data
  metadata = merge(
    { block-project-ssh-keys = "true" },
    length(var.ssh_keys) == 0 ? {} : { ssh-keys = join("\n", [for user, key in var.ssh_keys : "${user}:${key}"]) },
  )
}

resource "google_compute_address" "internal" {
  name         = "${var.cluster_name}-control-plane"
  project      = var.project_id
  region       = local.region
  address_type = "INTERNAL"
  subnetwork   = local.subnetwork.self_link
  labels       = var.labels

  depends_on = [terraform_data.requirements]
}

resource "google_compute_address" "external" {
  count = var.external_addresses ? 1 : 0

  name    = "${var.cluster_name}-control-plane-external"
  project = var.project_id
  region  = local.region
  labels  = var.labels

  depends_on = [terraform_data.requirements]
}

resource "google_compute_instance" "control_plane" {
  #checkov:skip=CKV_GCP_32:merged in from the metadata above
  #checkov:skip=CKV_GCP_36:nodes forward pods' packets
  #checkov:skip=CKV_GCP_40:external_addresses says whether there are any
  #checkov:skip=CKV_GCP_38:Google encrypts each disk, and a key of the customer's would stand in the state
  name                      = "${var.cluster_name}-control-plane"
  project                   = var.project_id
  zone                      = var.zones[0]
  machine_type              = var.control_plane.machine_type
  can_ip_forward            = true
  allow_stopping_for_update = true
  tags                      = [local.node_tag]
  labels                    = var.labels
  metadata                  = merge(local.metadata, { user-data = local.user_data["control-plane"] })

  boot_disk {
    initialize_params {
      image = var.image
      size  = var.control_plane.disk_size
      type  = "pd-balanced"
    }
  }

  network_interface {
    subnetwork = local.subnetwork.self_link
    network_ip = google_compute_address.internal.address

    dynamic "access_config" {
      for_each = google_compute_address.external[*].address

      content {
        nat_ip = access_config.value
      }
    }
  }

  service_account {
    email  = google_service_account.nodes["control-plane"].email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  lifecycle {
    # etcd is on this machine: a newer image or another version must not end it. `kubeadm upgrade` does that work.
    ignore_changes = [boot_disk[0].initialize_params[0].image, metadata["user-data"]]
  }

  # It needs a way out as soon as it starts.
  depends_on = [google_compute_router_nat.this, google_secret_manager_secret_iam_member.join]
}

resource "google_compute_instance_template" "workers" {
  #checkov:skip=CKV_GCP_32:merged in from the metadata above
  #checkov:skip=CKV_GCP_36:nodes forward pods' packets
  #checkov:skip=CKV_GCP_40:external_addresses says whether there are any
  name_prefix    = "${var.cluster_name}-workers-"
  project        = var.project_id
  machine_type   = var.workers.machine_type
  can_ip_forward = true
  tags           = [local.node_tag]
  labels         = var.labels
  metadata       = merge(local.metadata, { user-data = local.user_data["workers"] })

  disk {
    boot         = true
    auto_delete  = true
    source_image = var.image
    disk_size_gb = var.workers.disk_size
    disk_type    = "pd-balanced"
  }

  network_interface {
    subnetwork = local.subnetwork.self_link

    dynamic "access_config" {
      for_each = var.external_addresses ? [1] : []

      content {}
    }
  }

  service_account {
    email  = google_service_account.nodes["workers"].email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # A group never lacks a template while another takes its place.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "workers" {
  name                      = "${var.cluster_name}-workers"
  project                   = var.project_id
  region                    = local.region
  base_instance_name        = "${var.cluster_name}-worker"
  target_size               = var.workers.desired
  distribution_policy_zones = var.zones

  version {
    instance_template = google_compute_instance_template.workers.self_link
  }

  # A new template reaches new instances only, and no instance is moved to another zone: who replaces workers drains them.
  update_policy {
    type                         = "OPPORTUNISTIC"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = local.surge
    max_unavailable_fixed        = 0
  }

  depends_on = [google_compute_router_nat.this, google_secret_manager_secret_iam_member.join, google_compute_subnetwork_iam_member.instances]
}
