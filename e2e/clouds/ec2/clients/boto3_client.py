"""boto3 builds a scene out of all actions, and meets what the emulator refuses."""

import unittest

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator import IMAGE, REGION, URL, calls_after, control, fault, last_call


def client(service="ec2", retries=1):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=URL,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"mode": "standard", "total_max_attempts": retries}),
    )


def tags(kind, **pairs):
    pairs = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": pairs}]


class Scene(unittest.TestCase):
    def setUp(self):
        control("PATCH", "settings", {"quotas": {"vpcs": 1000}})
        control("DELETE", "faults")
        self.ec2 = client()
        vpc = self.ec2.create_vpc(
            CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True,
            TagSpecifications=tags("vpc", Name="test"))["Vpc"]
        self.vpc = vpc["VpcId"]
        self.ipv6 = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        self.subnet = self.ec2.create_subnet(
            VpcId=self.vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="eu-central-1b",
            TagSpecifications=tags("subnet", Name="test"))["Subnet"]["SubnetId"]
        self.table = self.ec2.create_route_table(
            VpcId=self.vpc, TagSpecifications=tags("route-table", cluster="one"),
        )["RouteTable"]["RouteTableId"]

    def launch(self, count=1, **parameters):
        parameters = parameters or {"SubnetId": self.subnet}
        answer = self.ec2.run_instances(
            ImageId=IMAGE, InstanceType="t3.medium", MinCount=count, MaxCount=count, **parameters)
        return [instance["InstanceId"] for instance in answer["Instances"]]

    def routes(self):
        tables = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"]
        return [route for route in tables[0]["Routes"] if route["Origin"] == "CreateRoute"]

    def assertRefused(self, code, action, **parameters):
        with self.assertRaises(ClientError) as refused:
            action(**parameters)
        self.assertEqual(refused.exception.response["Error"]["Code"], code)


class Network(Scene):
    def test_ranges_zones_and_attributes(self):
        ec2 = self.ec2
        ec2.associate_subnet_cidr_block(
            SubnetId=self.subnet, Ipv6CidrBlock=self.ipv6.replace("/56", "/64"))
        subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"]
        self.assertEqual([one["SubnetId"] for one in subnet], [self.subnet])
        self.assertEqual(len(subnet[0]["Ipv6CidrBlockAssociationSet"]), 1)
        ec2.modify_subnet_attribute(
            SubnetId=self.subnet, AssignIpv6AddressOnCreation={"Value": True})
        more = ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock="10.5.0.0/16")
        association = more["CidrBlockAssociation"]["AssociationId"]
        vpc = ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]
        self.assertEqual(
            [one["CidrBlock"] for one in vpc["CidrBlockAssociationSet"]],
            ["10.0.0.0/16", "10.5.0.0/16"])
        ec2.disassociate_vpc_cidr_block(AssociationId=association)
        zones = ec2.describe_availability_zones(ZoneNames=["eu-central-1b"])["AvailabilityZones"]
        self.assertEqual(zones[0]["ZoneId"], "euc1-az2")
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        attribute = ec2.describe_vpc_attribute(VpcId=self.vpc, Attribute="enableDnsHostnames")
        self.assertTrue(attribute["EnableDnsHostnames"]["Value"])
        groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.assertEqual(groups["SecurityGroups"][0]["GroupName"], "default")
        group = ec2.create_security_group(
            GroupName="nodes", Description="of the test", VpcId=self.vpc)["GroupId"]
        shown = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        self.assertEqual(shown[0]["Description"], "of the test")
        ec2.delete_security_group(GroupId=group)

    def test_tables_and_their_associations(self):
        ec2 = self.ec2
        association = ec2.associate_route_table(
            RouteTableId=self.table, SubnetId=self.subnet)["AssociationId"]
        other = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        association = ec2.replace_route_table_association(
            AssociationId=association, RouteTableId=other)["NewAssociationId"]
        tables = ec2.describe_route_tables(
            Filters=[{"Name": "association.subnet-id", "Values": [self.subnet]}])["RouteTables"]
        self.assertEqual([one["RouteTableId"] for one in tables], [other])
        ec2.disassociate_route_table(AssociationId=association)
        ec2.delete_route_table(RouteTableId=other)
        self.assertRefused(
            "InvalidRouteTableID.NotFound", ec2.delete_route_table, RouteTableId=other)

    def test_gateways_and_peerings(self):
        ec2 = self.ec2
        gateway = ec2.create_internet_gateway(
            TagSpecifications=tags("internet-gateway", Name="out"))["InternetGateway"]
        gateway = gateway["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        made = ec2.create_managed_prefix_list(
            PrefixListName="offices", MaxEntries=20, AddressFamily="IPv4",
            Entries=[{"Cidr": "192.0.2.0/24"}])["PrefixList"]
        route = {"RouteTableId": self.table, "DestinationPrefixListId": made["PrefixListId"]}
        ec2.create_route(GatewayId=gateway, **route)
        shown = ec2.describe_managed_prefix_lists(
            PrefixListIds=[made["PrefixListId"]])["PrefixLists"]
        self.assertEqual([it["MaxEntries"] for it in shown], [20])
        routes = ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"][0]["Routes"]
        lists = [it for it in routes if "DestinationPrefixListId" in it]
        self.assertEqual([it["GatewayId"] for it in lists], [gateway])
        ec2.delete_route(**route)
        shown = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
        self.assertEqual(shown[0]["Attachments"][0]["VpcId"], self.vpc)
        other = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
        peering = ec2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=other)
        peering = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        shown = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
        self.assertEqual(shown["VpcPeeringConnections"][0]["Status"]["Code"], "active")
        ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock="172.16.0.0/16",
            VpcPeeringConnectionId=peering)
        self.assertEqual([route["State"] for route in self.routes()], ["active", "active"])
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)
        self.assertEqual([route["State"] for route in self.routes()], ["blackhole", "blackhole"])
        ec2.delete_vpc(VpcId=other)

    def test_tags(self):
        ec2 = self.ec2
        ec2.create_tags(Resources=[self.table], Tags=[{"Key": "a", "Value": "1"}])
        ec2.delete_tags(Resources=[self.table], Tags=[{"Key": "cluster"}])
        shown = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [self.table]}])
        self.assertEqual([(tag["Key"], tag["Value"]) for tag in shown["Tags"]], [("a", "1")])

    def test_pages(self):
        for _ in range(7):
            self.ec2.create_route_table(VpcId=self.vpc)
        before = last_call()
        pages = self.ec2.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "vpc-id", "Values": [self.vpc]}], PaginationConfig={"PageSize": 5})
        tables = [table["RouteTableId"] for page in pages for table in page["RouteTables"]]
        self.assertEqual((len(tables), len(set(tables))), (9, 9))
        self.assertEqual(len(calls_after(before, "DescribeRouteTables")), 2)


class Machines(Scene):
    def test_two_interfaces(self):
        ec2 = self.ec2
        nic = ec2.create_network_interface(
            SubnetId=self.subnet, Description="second", PrivateIpAddress="10.0.1.99",
            TagSpecifications=tags("network-interface", Name="second"))["NetworkInterface"]
        nic = nic["NetworkInterfaceId"]
        (instance,) = self.launch(NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": self.subnet, "DeleteOnTermination": True},
            {"DeviceIndex": 1, "NetworkInterfaceId": nic},
        ])
        shown = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        interfaces = shown["NetworkInterfaces"]
        self.assertEqual([one["Attachment"]["DeviceIndex"] for one in interfaces], [0, 1])
        primary = interfaces[0]["NetworkInterfaceId"]
        self.assertRefused(
            "InvalidInstanceID", ec2.create_route, RouteTableId=self.table,
            DestinationCidrBlock="10.1.0.0/24", InstanceId=instance)
        ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock="10.1.0.0/24",
            NetworkInterfaceId=primary)
        self.assertRefused(
            "InvalidInstanceID", ec2.modify_instance_attribute, InstanceId=instance,
            SourceDestCheck={"Value": False})
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=primary, SourceDestCheck={"Value": False})
        check = ec2.describe_network_interface_attribute(
            NetworkInterfaceId=primary, Attribute="sourceDestCheck")
        self.assertFalse(check["SourceDestCheck"]["Value"])
        ec2.detach_network_interface(AttachmentId=interfaces[1]["Attachment"]["AttachmentId"])
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[nic])["NetworkInterfaces"]
        self.assertEqual((shown[0]["Status"], shown[0]["TagSet"][0]["Value"]), ("available", "second"))
        attached = ec2.attach_network_interface(
            NetworkInterfaceId=nic, InstanceId=instance, DeviceIndex=1)
        ec2.detach_network_interface(AttachmentId=attached["AttachmentId"])
        ec2.delete_network_interface(NetworkInterfaceId=nic)

    def test_addresses(self):
        ec2 = self.ec2
        ec2.associate_subnet_cidr_block(
            SubnetId=self.subnet, Ipv6CidrBlock=self.ipv6.replace("/56", "/64"))
        address = self.ipv6.replace("::/56", "::7")
        (instance,) = self.launch(NetworkInterfaces=[{
            "DeviceIndex": 0, "SubnetId": self.subnet, "PrivateIpAddress": "10.0.1.50",
            "Ipv6Addresses": [{"Ipv6Address": address}]}])
        shown = ec2.describe_instances(
            Filters=[{"Name": "private-ip-address", "Values": ["10.0.1.50"]},
                     {"Name": "vpc-id", "Values": [self.vpc]}])
        nic = shown["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]
        self.assertEqual([one["Ipv6Address"] for one in nic["Ipv6Addresses"]], [address])
        nic = nic["NetworkInterfaceId"]
        ec2.assign_private_ip_addresses(NetworkInterfaceId=nic, SecondaryPrivateIpAddressCount=1)
        ec2.assign_ipv6_addresses(NetworkInterfaceId=nic, Ipv6AddressCount=1)
        shown = ec2.describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])
        shown = shown["NetworkInterfaces"][0]
        self.assertEqual(
            (len(shown["PrivateIpAddresses"]), len(shown["Ipv6Addresses"])), (2, 2))

    def test_lives(self):
        ec2 = self.ec2
        instances = self.launch(2)
        ec2.get_waiter("instance_running").wait(InstanceIds=instances)
        ec2.modify_instance_attribute(InstanceId=instances[0], SourceDestCheck={"Value": False})
        check = ec2.describe_instance_attribute(
            InstanceId=instances[0], Attribute="sourceDestCheck")
        self.assertFalse(check["SourceDestCheck"]["Value"])
        for number, instance in enumerate(instances):
            ec2.create_route(
                RouteTableId=self.table, DestinationCidrBlock=f"10.1.{number}.0/24",
                InstanceId=instance)
        ec2.stop_instances(InstanceIds=instances[:1])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=instances[:1])
        ec2.terminate_instances(InstanceIds=instances[1:])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=instances[1:])
        self.assertEqual([route["State"] for route in self.routes()], ["blackhole", "blackhole"])
        ec2.start_instances(InstanceIds=instances[:1])
        self.assertEqual([route["State"] for route in self.routes()], ["active", "blackhole"])
        self.assertNotIn("InstanceId", self.routes()[1])
        ec2.terminate_instances(InstanceIds=instances[:1])
        ec2.delete_subnet(SubnetId=self.subnet)


class Routes(Scene):
    def at(self, destination, **target):
        key = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        return {"RouteTableId": self.table, key: destination, **target}

    def test_strictness(self):
        ec2 = self.ec2
        one, two = self.launch(2)
        for destination in ("10.1.2.3/24", "fd00:1::/64"):
            ec2.create_route(**self.at(destination, InstanceId=one))
            for target in (one, two):
                self.assertRefused(
                    "RouteAlreadyExists", ec2.create_route,
                    **self.at(destination, InstanceId=target))
            ec2.replace_route(**self.at(destination, InstanceId=two))
        self.assertEqual(
            [(route.get("DestinationCidrBlock"), route["InstanceId"]) for route in self.routes()],
            [("10.1.2.0/24", two), (None, two)])
        ec2.delete_route(**self.at("10.1.2.0/24"))
        self.assertRefused("InvalidRoute.NotFound", ec2.delete_route, **self.at("10.1.2.0/24"))
        self.assertRefused(
            "InvalidParameterValue", ec2.replace_route, **self.at("10.9.0.0/24", InstanceId=one))
        self.assertRefused(
            "InvalidParameterValue", ec2.describe_route_tables,
            Filters=[{"Name": "no-such-filter", "Values": ["x"]}])

    def test_quota(self):
        (one,) = self.launch()
        control("PATCH", "settings", {"quotas": {"routesPerTable": 2}})
        try:
            quota = client("service-quotas").get_service_quota(
                ServiceCode="vpc", QuotaCode="L-93826ACB")["Quota"]
            self.assertEqual(quota["Value"], 2.0)
            for number in range(2):
                self.ec2.create_route(**self.at(f"10.1.{number}.0/24", InstanceId=one))
                self.ec2.create_route(**self.at(f"fd00:{number}::/64", InstanceId=one))
            self.assertRefused(
                "RouteLimitExceeded", self.ec2.create_route,
                **self.at("10.1.2.0/24", InstanceId=one))
        finally:
            control("PATCH", "settings", {"quotas": {"routesPerTable": 500}})

    def test_a_client_that_retries_gets_over_faults(self):
        (one,) = self.launch()
        patient = client(retries=3)
        for number, kind in enumerate(["throttle", "error500", "reset_before", "lost_after_commit"]):
            before = last_call()
            fault(kind, "CreateRoute")
            route = self.at(f"10.1.{number}.0/24", InstanceId=one)
            if kind == "lost_after_commit":
                # It was made, so the second attempt is refused.
                self.assertRefused("RouteAlreadyExists", patient.create_route, **route)
            else:
                patient.create_route(**route)
            calls = calls_after(before, "CreateRoute")
            self.assertEqual([call["fault"] for call in calls], [kind, None])
            # Attempts of one operation, as the client itself says.
            self.assertEqual(len({call["invocation"] for call in calls}), 1)
        self.assertEqual(len(self.routes()), 4)
        fault("unauthorized", "CreateRoute")
        self.assertRefused(
            "UnauthorizedOperation", patient.create_route, **self.at("10.2.0.0/24", InstanceId=one))
        fault("expired", "CreateRoute")
        self.assertRefused(
            "RequestExpired", patient.create_route, **self.at("10.2.0.0/24", InstanceId=one))


class Incumbent(Scene):
    """What the generic route controller of the AWS cloud provider sends, as it was seen on the wire."""

    def test_its_calls(self):
        ec2 = self.ec2
        instances = self.launch(3)
        ec2.create_tags(
            Resources=[self.table], Tags=[{"Key": "kubernetes.io/cluster/one", "Value": "owned"}])
        ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock="10.1.0.0/24", InstanceId=instances[0])
        # All tables of the region at once; it picks by tag and reads the instance of each route.
        tables = [
            table for table in ec2.describe_route_tables()["RouteTables"]
            if table["RouteTableId"] == self.table]
        self.assertIn("kubernetes.io/cluster/one", [tag["Key"] for tag in tables[0]["Tags"]])
        owners = [route.get("InstanceId") for route in tables[0]["Routes"]]
        self.assertEqual([owner for owner in owners if owner], instances[:1])
        # As many as a hundred names, some of them twice.
        ids = (instances * 34)[:100]
        shown = ec2.describe_instances(InstanceIds=ids)
        found = [one["InstanceId"] for group in shown["Reservations"] for one in group["Instances"]]
        self.assertEqual(sorted(found), sorted(instances))
        ec2.modify_instance_attribute(InstanceId=instances[1], SourceDestCheck={"Value": False})
        ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock="10.1.1.0/24", InstanceId=instances[1])
        ec2.delete_route(RouteTableId=self.table, DestinationCidrBlock="10.1.0.0/24")
        self.assertEqual([route["InstanceId"] for route in self.routes()], [instances[1]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
