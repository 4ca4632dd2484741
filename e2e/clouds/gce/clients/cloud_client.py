"""google-cloud-compute, Google's own client, on networks, instances and routes.

It reads answers strictly into messages of its own. Beside each assertion stands the document.
"""

import unittest

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1 as compute

from emulator import PROJECT, REGION, URL, ZONE, calls, fault, settings


def client(kind):
    """A client whose transport speaks plain HTTP."""
    transport = kind.get_transport_class("rest")(
        host=URL.removeprefix("http://"), url_scheme="http", credentials=AnonymousCredentials())
    return kind(transport=transport)


ROUTES = client(compute.RoutesClient)
NETWORKS = client(compute.NetworksClient)
SUBNETWORKS = client(compute.SubnetworksClient)
INSTANCES = client(compute.InstancesClient)
OPERATIONS = client(compute.GlobalOperationsClient)
OF_REGION = client(compute.RegionOperationsClient)
OF_ZONE = client(compute.ZoneOperationsClient)


def finish(operation, waiting=OPERATIONS, **where):
    """Waits for an operation; `result()` of the client would ask the real endpoint."""
    status = operation.status
    while status != compute.Operation.Status.DONE:
        operation = waiting.wait(project=PROJECT, operation=operation.name, retry=None, **where)
        status = operation.status
    return operation


class Cloud(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        network = compute.Network(name="cloud", auto_create_subnetworks=False)
        finish(NETWORKS.insert_unary(project=PROJECT, network_resource=network))
        cls.network = NETWORKS.get(project=PROJECT, network="cloud").self_link
        subnetwork = compute.Subnetwork(name="cloud", network=cls.network, ip_cidr_range="10.0.0.0/24")
        finish(SUBNETWORKS.insert_unary(
            project=PROJECT, region=REGION, subnetwork_resource=subnetwork), OF_REGION, region=REGION)
        cls.node = cls.instance("node")

    @classmethod
    def instance(cls, name):
        interface = compute.NetworkInterface(
            subnetwork=f"projects/{PROJECT}/regions/{REGION}/subnetworks/cloud")
        finish(INSTANCES.insert_unary(project=PROJECT, zone=ZONE, instance_resource=compute.Instance(
            name=name, machine_type=f"zones/{ZONE}/machineTypes/e2-medium", can_ip_forward=True,
            network_interfaces=[interface])), OF_ZONE, zone=ZONE)
        return INSTANCES.get(project=PROJECT, zone=ZONE, instance=name)

    def insert(self, name, **more):
        route = compute.Route(name=name, network=self.network, priority=1000, **{
            "dest_range": "10.1.0.0/24", "next_hop_instance": self.node.self_link, **more})
        return ROUTES.insert_unary(project=PROJECT, route_resource=route, retry=None)

    def tearDown(self):
        for route in ROUTES.list(project=PROJECT):
            if not route.name.startswith("default-route-"):
                finish(ROUTES.delete_unary(project=PROJECT, route=route.name))

    def test_a_route_is_made_read_and_ended(self):
        finish(self.insert("cloud-r"))
        route = ROUTES.get(project=PROJECT, route="cloud-r")
        self.assertEqual(route.dest_range, "10.1.0.0/24")
        self.assertEqual(route.next_hop_instance, self.node.self_link)
        self.assertEqual(list(route.warnings), [])
        finish(ROUTES.delete_unary(project=PROJECT, route="cloud-r"))
        # API requests and responses: 404 notFound.
        with self.assertRaises(exceptions.NotFound):
            ROUTES.get(project=PROJECT, route="cloud-r")

    def test_warnings_say_that_a_route_leads_nowhere(self):
        # Route.warnings: NEXT_HOP_INSTANCE_NOT_FOUND, "an instance that does not exist".
        other = self.instance("cloud-other")
        finish(self.insert("cloud-r", next_hop_instance=other.self_link))
        finish(INSTANCES.delete_unary(project=PROJECT, zone=ZONE, instance=other.name), OF_ZONE, zone=ZONE)
        (warning,) = ROUTES.get(project=PROJECT, route="cloud-r").warnings
        self.assertEqual(warning.code, "NEXT_HOP_INSTANCE_NOT_FOUND")

    def test_an_address_can_be_the_next_hop(self):
        # Route.warnings: NEXT_HOP_ADDRESS_NOT_ASSIGNED, "not assigned to an instance on the network".
        address = self.node.network_interfaces[0].network_i_p
        finish(self.insert("cloud-a", next_hop_instance=None, next_hop_ip=address))
        self.assertEqual(list(ROUTES.get(project=PROJECT, route="cloud-a").warnings), [])
        finish(self.insert("cloud-b", next_hop_instance=None, next_hop_ip="10.0.0.200"))
        (warning,) = ROUTES.get(project=PROJECT, route="cloud-b").warnings
        self.assertEqual(warning.code, "NEXT_HOP_ADDRESS_NOT_ASSIGNED")

    def test_pages_are_followed(self):
        for number in range(5):
            finish(self.insert(f"cloud-{number}", dest_range=f"10.{number + 1}.0.0/24"))
        listing = compute.ListRoutesRequest(
            project=PROJECT, max_results=2, filter="name eq cloud-.*")
        names = [route.name for route in ROUTES.list(request=listing)]
        self.assertEqual(names, [f"cloud-{number}" for number in range(5)])

    def test_refusals_are_understood(self):
        finish(self.insert("cloud-r"))
        # API requests and responses: 409 alreadyExists.
        with self.assertRaises(exceptions.Conflict) as refused:
            self.insert("cloud-r")
        self.assertEqual(refused.exception.errors[0]["reason"], "alreadyExists")
        fault("throttle", "routes.insert")
        # Rate quotas: 403 rateLimitExceeded.
        with self.assertRaises(exceptions.Forbidden) as refused:
            self.insert("cloud-x")
        self.assertEqual(refused.exception.errors[0]["reason"], "rateLimitExceeded")
        settings(errorInfo=True)
        with self.assertRaises(exceptions.Conflict) as refused:
            self.insert("cloud-r")
        settings(errorInfo=False)
        self.assertEqual(refused.exception.reason, "RESOURCE_ALREADY_EXISTS")

    def test_an_operation_can_fail(self):
        # Operation.error.
        fault({"operation_fails": {"code": "RESOURCE_NOT_READY"}}, "routes.insert")
        operation = finish(self.insert("cloud-r"))
        self.assertEqual(operation.error.errors[0].code, "RESOURCE_NOT_READY")
        self.assertEqual(operation.http_error_status_code, 400)

    def test_forwarding_is_switched_on_in_a_whole_instance(self):
        # instances.update; Instance.canIpForward.
        node = self.instance("cloud-whole")
        node.can_ip_forward = False
        finish(INSTANCES.update_unary(request=compute.UpdateInstanceRequest(
            project=PROJECT, zone=ZONE, instance=node.name, instance_resource=node,
            most_disruptive_allowed_action="REFRESH")), OF_ZONE, zone=ZONE)
        after = INSTANCES.get(project=PROJECT, zone=ZONE, instance=node.name)
        self.assertFalse(after.can_ip_forward)
        self.assertEqual(calls("instances.update")[-1]["parameters"]["mostDisruptiveAllowedAction"], "REFRESH")
        everywhere = dict(INSTANCES.aggregated_list(project=PROJECT))
        self.assertIn("cloud-whole", [one.name for one in everywhere[f"zones/{ZONE}"].instances])
        finish(INSTANCES.delete_unary(project=PROJECT, zone=ZONE, instance=node.name), OF_ZONE, zone=ZONE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
