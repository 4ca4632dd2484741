# The control plane, and the group of workers. Instances and their network interfaces carry the cluster's tag, by which
# Signpost's policy lets it switch the source/destination check off. Terraform does so where it makes the interface
# itself; a launch template has no such setting, so for workers Signpost does.

data "aws_ssm_parameter" "debian" {
  count = var.ami_id == null ? 1 : 0
  name  = "/aws/service/debian/release/12/latest/amd64"
}

locals {
  ami_id = var.ami_id != null ? var.ami_id : nonsensitive(data.aws_ssm_parameter.debian[0].value)
}

resource "aws_network_interface" "control_plane" {
  subnet_id         = aws_subnet.nodes[var.zones[0]].id
  security_groups   = [aws_security_group.nodes.id]
  source_dest_check = false
  tags              = merge(local.tags, { Name = "${var.cluster_name}-control-plane" })
}

# An interface that exists before its instance gets no public address by itself.
resource "aws_eip" "control_plane" {
  #checkov:skip=CKV2_AWS_19:it is attached to the instance's interface
  count = local.is_public ? 1 : 0

  domain = "vpc"
  tags   = merge(local.tags, { Name = "${var.cluster_name}-control-plane" })
}

resource "aws_eip_association" "control_plane" {
  count = local.is_public ? 1 : 0

  allocation_id        = aws_eip.control_plane[0].id
  network_interface_id = aws_network_interface.control_plane.id
}

resource "aws_instance" "control_plane" {
  #checkov:skip=CKV_AWS_135:all types that EC2 has had since 2017 are optimised without being asked
  #checkov:skip=CKV_AWS_126:it costs money, and Kubernetes has metrics of its own
  ami                  = local.ami_id
  instance_type        = var.control_plane.instance_type
  iam_instance_profile = aws_iam_instance_profile.nodes["control-plane"].name
  key_name             = var.key_name
  user_data_base64     = base64gzip(module.cloud_init.user_data["control-plane"])
  tags                 = merge(local.tags, { Name = "${var.cluster_name}-control-plane" })
  volume_tags          = merge(local.tags, { Name = "${var.cluster_name}-control-plane" })

  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.control_plane.id
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  root_block_device {
    encrypted   = true
    volume_size = var.control_plane.volume_size
    volume_type = "gp3"
  }

  lifecycle {
    # etcd is on this machine: a newer image or another version must not end it. `kubeadm upgrade` does that work.
    ignore_changes = [ami, user_data_base64]
  }

  # It needs a way out as soon as it starts.
  depends_on = [aws_route.internet, aws_route.nat, aws_route_table_association.nodes, aws_eip_association.control_plane, aws_iam_role_policy.join]
}

resource "aws_launch_template" "workers" {
  #checkov:skip=CKV_AWS_341:pods that ask for metadata, such as the controller, are a hop further away
  name                   = "${var.cluster_name}-workers"
  image_id               = local.ami_id
  instance_type          = var.workers.instance_type
  key_name               = var.key_name
  user_data              = base64gzip(module.cloud_init.user_data["workers"])
  update_default_version = true
  tags                   = local.tags

  iam_instance_profile {
    name = aws_iam_instance_profile.nodes["workers"].name
  }

  network_interfaces {
    device_index          = 0
    security_groups       = [aws_security_group.nodes.id]
    delete_on_termination = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted             = true
      volume_size           = var.workers.volume_size
      volume_type           = "gp3"
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "network-interface", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${var.cluster_name}-worker" })
    }
  }
}

resource "aws_autoscaling_group" "workers" {
  name                = "${var.cluster_name}-workers"
  min_size            = var.workers.min
  max_size            = var.workers.max
  desired_capacity    = var.workers.desired
  vpc_zone_identifier = [for zone in var.zones : aws_subnet.nodes[zone].id]

  launch_template {
    id      = aws_launch_template.workers.id
    version = aws_launch_template.workers.latest_version
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = "${var.cluster_name}-worker" })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  depends_on = [aws_route.internet, aws_route.nat, aws_route_table_association.nodes, aws_iam_role_policy.join]
}
