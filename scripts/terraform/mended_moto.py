"""moto (5.2.2), mended where it does other than EC2 and Terraform notices."""

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.subnets import Subnet
from moto.server import ThreadedMotoServer

create = LaunchTemplateBackend.create_launch_template
filter_value = Subnet.get_filter_value
fill = FakeAutoScalingGroup.replace_autoscaling_group_instances
make_interface = NetworkInterface.__init__
terminate = Instance.terminate


def create_launch_template(self, name, description, data, tags):
    """A template's own tags are among what it says of instances, where EC2 does not show them."""
    said = data.get("TagSpecifications", [])
    data["TagSpecifications"] = [of for of in said if of["ResourceType"] != "launch-template"]
    return create(self, name, description, data, tags)


def get_filter_value(self, name, method=None):
    """A subnet is not found by its association with a range of IPv6."""
    if name == "ipv6-cidr-block-association.association-id":
        return list(self.ipv6_cidr_block_associations)
    return filter_value(self, name, method)


def ipv6_associations(self):
    """The state of such an association is a structure in another."""
    return [
        of | {"ipv6CidrBlockState": {"state": of["ipv6CidrBlockState"]["State"]}}
        for of in self.ipv6_cidr_block_associations.values()
        if of["ipv6CidrBlockState"]["State"] == "associated"
    ]


def terminate_and_let_go(self, *arguments, **named):
    """What an interface that outlives its instance was attached to stays in its description."""
    state = terminate(self, *arguments, **named)
    interfaces = dict(self.nics)
    for interface in interfaces.values():
        if not interface.delete_on_termination:
            self.detach_eni(interface)
    # It describes what is terminated, too, by its interfaces.
    self.nics = interfaces
    return state


def fill_by_template(self, *arguments):
    """What a template says of an instance's profile, and of its interfaces' tags, is lost in a group."""
    known = len(self.instance_states)
    fill(self, *arguments)
    if not self.ec2_launch_template:
        return
    ec2 = self.autoscaling_backend.ec2_backend
    said = self.ec2_launch_template.latest_version().data
    tags = {
        tag["Key"]: tag["Value"]
        for of in said.get("TagSpecifications", []) if of["ResourceType"] == "network-interface" for tag in of["Tags"]
    }
    profile = said.get("IamInstanceProfile")
    for state in self.instance_states[known:]:
        if profile:
            ec2.associate_iam_instance_profile(
                state.instance.id, iam_instance_profile_name=profile.get("Name"), iam_instance_profile_arn=profile.get("Arn")
            )
        ec2.create_tags([interface.id for interface in state.instance.nics.values()], tags)


def make_interface_as_subnet_says(self, backend, subnet, *arguments, **named):
    """A subnet that gives its interfaces IPv6 addresses does not."""
    of = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    asked = named.get("ipv6_addresses") or named.get("ipv6_address_count")
    if of.ipv6_cidr_block_associations and str(of.assign_ipv6_address_on_creation).lower() == "true" and not asked:
        named["ipv6_address_count"] = 1
    make_interface(self, backend, subnet, *arguments, **named)


def description(self):
    """What a rule for another group is called is kept with that group, and not shown."""
    return self.ip_range.get("Description") or self.source_group.get("Description")


SecurityGroupRule.description = property(description)
FakeAutoScalingGroup.replace_autoscaling_group_instances = fill_by_template
NetworkInterface.__init__ = make_interface_as_subnet_says
Instance.terminate = terminate_and_let_go
LaunchTemplateBackend.create_launch_template = create_launch_template
Subnet.get_filter_value = get_filter_value
Subnet.ipv6_cidr_block_association_set = property(ipv6_associations)

__all__ = ["ThreadedMotoServer"]
