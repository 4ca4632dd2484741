"""moto (5.2.2), mended where it does other than EC2 and Terraform notices."""

from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.subnets import Subnet
from moto.server import ThreadedMotoServer

create = LaunchTemplateBackend.create_launch_template
filter_value = Subnet.get_filter_value
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


Instance.terminate = terminate_and_let_go
LaunchTemplateBackend.create_launch_template = create_launch_template
Subnet.get_filter_value = get_filter_value
Subnet.ipv6_cidr_block_association_set = property(ipv6_associations)

__all__ = ["ThreadedMotoServer"]
