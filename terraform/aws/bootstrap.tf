# What runs on the machines: cloud-init makes nodes of them with kubeadm.

data "aws_region" "current" {}

module "cloud_init" {
  source = "../cloud-init"

  cluster_name  = var.cluster_name
  versions      = var.versions
  pod_cidrs     = local.pod_cidrs
  service_cidrs = var.enable_ipv6 ? [var.service_cidr, var.service_ipv6_cidr] : [var.service_cidr]
  endpoint      = aws_network_interface.control_plane.private_ip
  cert_sans     = local.is_public ? [aws_eip.control_plane[0].public_ip] : []
  packages      = ["awscli"]
  cloud = templatefile("${path.module}/../cloud-init/aws.sh.tftpl", {
    region    = data.aws_region.current.name
    parameter = aws_ssm_parameter.join.name
  })
}
