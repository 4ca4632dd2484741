"""google-api-python-client, which builds every request out of the discovery document.

Beside each assertion stands the document that it is from.
"""

import json
import unittest
import uuid

import googleapiclient.discovery
import googleapiclient.http
from google.auth.credentials import AnonymousCredentials
from googleapiclient.errors import HttpError

from discovery import FOLDER
from emulator import PROJECT, REGION, URL, ZONE, control, fault, settings

GATEWAY = f"projects/{PROJECT}/global/gateways/default-internet-gateway"


def build(url=URL, credentials=None):
    document = json.loads((FOLDER / "compute.v1.json").read_text())
    document["rootUrl"] = document["baseUrl"] = f"{url}/"
    document["baseUrl"] = f"{url}/compute/v1/"
    document.pop("mtlsRootUrl", None)
    return googleapiclient.discovery.build_from_document(
        document, credentials=credentials or AnonymousCredentials())


COMPUTE = build()


def finish(operation):
    """Waits for an operation of any scope."""
    kind = "zone" if "zone" in operation else "region" if "region" in operation else "global"
    where = {kind: operation[kind].rsplit("/", 1)[1]} if kind != "global" else {}
    waiting = getattr(COMPUTE, f"{kind}Operations")()
    while operation["status"] != "DONE":
        operation = waiting.wait(
            project=PROJECT, operation=operation["name"], **where).execute(num_retries=0)
    return operation


def refused(request):
    """Status and reason of a refusal."""
    try:
        request.execute(num_retries=0)
    except HttpError as error:
        (detail,) = json.loads(error.content)["error"]["errors"]
        return error.resp.status, detail["reason"]
    raise AssertionError(f"{request.uri} was not refused")


class Scene(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        def made(request):
            done = finish(request.execute())
            assert "error" not in done, done
            return done["targetLink"]

        cls.network = made(COMPUTE.networks().insert(
            project=PROJECT, body={"name": "net", "autoCreateSubnetworks": False}))
        cls.subnetwork = made(COMPUTE.subnetworks().insert(
            project=PROJECT, region=REGION, body={
                "name": "sub", "network": cls.network, "ipCidrRange": "10.0.0.0/24",
                "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.64.0.0/16"}]}))
        cls.node = made(COMPUTE.instances().insert(
            project=PROJECT, zone=ZONE, body=cls.instance("node")))

    @classmethod
    def instance(cls, name, **more):
        return {
            "name": name,
            "machineType": f"zones/{ZONE}/machineTypes/e2-medium",
            "disks": [{"boot": True, "initializeParams": {"sourceImage": "x"}}],
            "networkInterfaces": [{"subnetwork": cls.subnetwork}],
            **more,
        }

    def route(self, name, destination, **hop):
        body = {"name": name, "network": self.network, "destRange": destination,
                "priority": 1000, **(hop or {"nextHopInstance": self.node})}
        return COMPUTE.routes().insert(project=PROJECT, body=body)

    def names(self, **parameters):
        """All names of routes that a filter leaves, over all pages."""
        routes = COMPUTE.routes()
        request, names = routes.list(project=PROJECT, **parameters), []
        while request is not None:
            page = request.execute()
            names += [route["name"] for route in page.get("items", [])]
            request = routes.list_next(request, page)
        return [name for name in names if not name.startswith("default-route-")]


class Routes(Scene):
    def tearDown(self):
        settings(operations=[0, 0], shortPages=False, wait=120)
        for name in self.names():
            finish(COMPUTE.routes().delete(project=PROJECT, route=name).execute())

    def test_a_route_is_made_and_read(self):
        operation = finish(self.route("r", "10.1.0.0/24").execute())
        # Operation: "This value ranges from 0 to 100", "insert, update, or delete".
        self.assertEqual((operation["progress"], operation["operationType"]), (100, "insert"))
        route = COMPUTE.routes().get(project=PROJECT, route="r").execute()
        # Route.kind: "Always compute#routes", which the service itself writes compute#route.
        self.assertEqual(route["kind"], "compute#route")
        self.assertEqual(route["nextHopInstance"], self.node)
        self.assertEqual(route["id"], operation["targetId"])
        # Route.warnings: "If potential misconfigurations are detected": the node does not forward.
        self.assertEqual([w["code"] for w in route["warnings"]], ["NEXT_HOP_CANNOT_IP_FORWARD"])

    def test_only_the_name_is_unique(self):
        # VPC documentation, "Applicability and order": routes of one destination and priority share.
        finish(self.route("one", "10.1.0.0/24").execute())
        finish(self.route("two", "10.1.0.0/24").execute())
        self.assertEqual(self.names(), ["one", "two"])
        # API requests and responses: 409 alreadyExists.
        self.assertEqual(refused(self.route("one", "10.2.0.0/24")), (409, "alreadyExists"))

    def test_what_cannot_be_is_refused(self):
        # Route.priority: "from 0 to 65535, inclusive".
        wrong = self.route("p", "10.1.0.0/24", nextHopInstance=self.node, priority=65536)
        self.assertEqual(refused(wrong), (400, "invalid"))
        # Route.name: a match of the regular expression.
        self.assertEqual(refused(self.route("Upper", "10.1.0.0/24")), (400, "invalid"))
        # VPC documentation, static routes: not inside a subnet's primary or secondary range.
        self.assertEqual(refused(self.route("a", "10.0.0.0/25")), (400, "invalid"))
        self.assertEqual(refused(self.route("b", "10.64.3.0/24")), (400, "invalid"))
        missing = COMPUTE.routes().delete(project=PROJECT, route="missing")
        self.assertEqual(refused(missing), (404, "notFound"))

    def test_wait_returns_when_it_likes(self):
        # globalOperations.wait: "might return before the default deadline is reached".
        settings(operations=[2, 2], wait=0)
        operation = self.route("slow", "10.1.0.0/24").execute()
        again = COMPUTE.globalOperations().wait(
            project=PROJECT, operation=operation["name"]).execute()
        self.assertNotEqual(again["status"], "DONE")
        self.assertEqual(self.names(), [])
        settings(wait=120, speed=100)
        self.assertEqual(finish(again)["status"], "DONE")
        settings(speed=1)
        got = COMPUTE.globalOperations().get(project=PROJECT, operation=operation["name"]).execute()
        self.assertEqual(got["status"], "DONE")

    def test_an_operation_can_fail(self):
        # Operation.error: "If errors are generated during processing of the operation".
        fault({"operation_fails": {"code": "QUOTA_EXCEEDED"}}, "routes.insert")
        done = finish(self.route("r", "10.1.0.0/24").execute())
        self.assertEqual(done["error"]["errors"][0]["code"], "QUOTA_EXCEEDED")
        self.assertEqual(done["httpErrorStatusCode"], 403)
        self.assertEqual(self.names(), [])

    def test_a_request_id_makes_one_request_of_two(self):
        # requestId: "the server can check if original operation with the same request ID was received".
        number = str(uuid.uuid4())
        body = {"name": "r", "network": self.network, "destRange": "10.1.0.0/24",
                "priority": 1000, "nextHopGateway": GATEWAY}
        insert = COMPUTE.routes().insert(project=PROJECT, body=body, requestId=number)
        one, two = insert.execute(), insert.execute()
        self.assertEqual(one["name"], two["name"])
        self.assertEqual(finish(one)["clientOperationId"], number)
        # "must be a valid UUID with the exception that zero UUID is not supported".
        for wrong in ("x", "00000000-0000-0000-0000-000000000000"):
            request = COMPUTE.routes().insert(project=PROJECT, body=body, requestId=wrong)
            self.assertEqual(refused(request), (400, "invalid"))

    def test_filters_speak_two_languages(self):
        finish(self.route("a-1", "10.1.0.0/24", nextHopGateway=GATEWAY, description="x").execute())
        finish(self.route("a-2", "10.2.0.0/24", nextHopGateway=GATEWAY).execute())
        finish(self.route("b-1", "10.3.0.0/24", nextHopGateway=GATEWAY, description="x").execute())
        # filter: "The literal value is interpreted as a regular expression", "must match the entire field".
        for expression, names in [
            ("name eq a-.*", ["a-1", "a-2"]),
            ("name eq a", []),
            ("name ne a-.*", ["b-1"]),
            (f"(name eq a-.*) (network eq {self.network}) (description eq x)", ["a-1"]),
            # "The operator must be either =, !=, >, <, <=, >= or :".
            (f'network="{self.network}" AND description = x', ["a-1", "b-1"]),
            ("(name != a-1) (priority >= 1000)", ["a-2", "b-1"]),
            ("(name = a-1) OR (name = b-1)", ["a-1", "b-1"]),
        ]:
            self.assertEqual(self.names(filter=expression), names, expression)
        # "These two types of filter expressions cannot be mixed in one request."
        mixed = COMPUTE.routes().list(project=PROJECT, filter="(name eq a) (description = x)")
        self.assertEqual(refused(mixed), (400, "invalid"))

    def test_pages_have_everything_once(self):
        for number in range(1, 6):
            finish(self.route(f"r-{number}", f"10.{number}.0.0/24").execute())
        wanted = [f"r-{number}" for number in range(1, 6)]
        # maxResults: "If the number of available results is larger than maxResults".
        self.assertEqual(self.names(maxResults=2, filter="name eq r-.*"), wanted)
        settings(shortPages=True)
        self.assertEqual(self.names(maxResults=4, filter="name eq r-.*"), wanted)
        # orderBy: "only sorting by name or creationTimestamp desc is supported".
        wrong = COMPUTE.routes().list(project=PROJECT, orderBy="priority")
        self.assertEqual(refused(wrong), (400, "invalid"))
        newest = COMPUTE.globalOperations().list(
            project=PROJECT, orderBy="creationTimestamp desc", maxResults=1)
        settings(shortPages=False)
        (operation,) = newest.execute()["items"]
        self.assertTrue(operation["targetLink"].endswith("/r-5"))
        wrong = COMPUTE.routes().list(project=PROJECT, pageToken="nonsense")
        self.assertEqual(refused(wrong), (400, "invalid"))

    def test_fields_leave_what_they_name(self):
        # API requests and responses, "Partial responses".
        finish(self.route("r", "10.1.0.0/24").execute())
        answer = COMPUTE.routes().list(
            project=PROJECT, filter="name = r", fields="items(name,destRange)").execute()
        self.assertEqual(answer, {"items": [{"name": "r", "destRange": "10.1.0.0/24"}]})

    def test_several_calls_go_in_one_batch(self):
        # Batching requests: each part is answered by one whose Content-ID refers to it.
        for name in ("one", "two"):
            finish(self.route(name, "10.1.0.0/24").execute())
        answers = {}
        batch = COMPUTE.new_batch_http_request(
            callback=lambda number, answer, error: answers.update({number: answer or error}))
        for name in ("one", "missing", "two"):
            request = COMPUTE.routes().delete(project=PROJECT, route=name)
            batch.add(request, request_id=name)
        batch.execute()
        self.assertEqual(answers["one"]["operationType"], "delete")
        self.assertEqual(answers["missing"].resp.status, 404)
        finish(answers["two"])
        self.assertEqual(self.names(), [])


class Others(Scene):
    @classmethod
    def setUpClass(cls):
        # Another network: names are taken.
        settings(operations=[0, 0])
        cls.network = f"{URL}/compute/v1/projects/{PROJECT}/global/networks/net"
        cls.subnetwork = (
            f"{URL}/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks/sub")

    def test_an_instance_is_updated_as_a_whole(self):
        instances = COMPUTE.instances()
        where = {"project": PROJECT, "zone": ZONE}
        finish(instances.insert(body=self.instance("updated", hostname="h.example.org"), **where).execute())
        body = instances.get(instance="updated", **where).execute()
        self.assertFalse(body["canIpForward"])
        body["canIpForward"] = True
        update = {**where, "instance": "updated", "body": body}
        # mostDisruptiveAllowedAction: "returns an error if the instance properties require a more
        # disruptive action"; canIpForward needs REFRESH (updating instance properties).
        refusal = refused(instances.update(mostDisruptiveAllowedAction="NO_EFFECT", **update))
        self.assertEqual(refusal, (400, "invalid"))
        done = finish(instances.update(mostDisruptiveAllowedAction="REFRESH", **update).execute())
        self.assertEqual(done["operationType"], "update")
        after = instances.get(instance="updated", **where).execute()
        self.assertTrue(after["canIpForward"])
        self.assertEqual(after["hostname"], "h.example.org")
        # Instance.fingerprint: "changes after every request to modify or update the instance".
        self.assertNotEqual(after["fingerprint"], body["fingerprint"])
        refusal = refused(instances.update(mostDisruptiveAllowedAction="REFRESH", **update))
        self.assertEqual(refusal, (412, "conditionNotMet"))
        finish(instances.delete(instance="updated", **where).execute())

    def test_an_instance_lives(self):
        instances = COMPUTE.instances()
        where = {"project": PROJECT, "zone": ZONE}
        finish(instances.insert(body=self.instance("living"), **where).execute())
        one = {**where, "instance": "living"}
        # Instance.status and "Instance life cycle".
        self.assertEqual(instances.get(**one).execute()["status"], "RUNNING")
        finish(instances.stop(**one).execute())
        self.assertEqual(instances.get(**one).execute()["status"], "TERMINATED")
        finish(instances.start(**one).execute())
        self.assertEqual(instances.get(**one).execute()["status"], "RUNNING")
        listed = instances.list(filter="name = living", **where).execute()
        self.assertEqual([one["name"] for one in listed["items"]], ["living"])
        everywhere = instances.aggregatedList(
            project=PROJECT, filter='name eq "living"', includeAllScopes=True).execute()
        self.assertEqual(everywhere["items"][f"zones/{ZONE}"]["instances"][0]["name"], "living")
        # aggregatedList: scopes without results have the warning NO_RESULTS_ON_PAGE.
        self.assertEqual(
            everywhere["items"]["zones/us-east1-b"]["warning"]["code"], "NO_RESULTS_ON_PAGE")
        finish(instances.delete(**one).execute())
        self.assertEqual(refused(instances.get(**one)), (404, "notFound"))

    def test_everything_can_be_read_and_ended(self):
        project = COMPUTE.projects().get(project=PROJECT).execute()
        self.assertIn("ROUTES", [quota["metric"] for quota in project["quotas"]])
        COMPUTE.projects().getXpnHost(project=PROJECT).execute()
        zone = COMPUTE.zones().get(project=PROJECT, zone=ZONE).execute()
        self.assertTrue(zone["region"].endswith(f"/regions/{REGION}"))
        COMPUTE.zones().list(project=PROJECT).execute()
        COMPUTE.regions().get(project=PROJECT, region=REGION).execute()
        COMPUTE.regions().list(project=PROJECT, filter="name = europe-west3").execute()

        networks, subnetworks = COMPUTE.networks(), COMPUTE.subnetworks()
        finish(networks.insert(
            project=PROJECT, body={"name": "auto", "autoCreateSubnetworks": True}).execute())
        auto = networks.get(project=PROJECT, network="auto").execute()
        # VPC networks: one subnet in each region, in auto mode.
        regions = COMPUTE.regions().list(project=PROJECT).execute()["items"]
        self.assertEqual(len(auto["subnetworks"]), len(regions))
        networks.list(project=PROJECT).execute()
        subnetworks.list(project=PROJECT, region=REGION).execute()
        subnetworks.aggregatedList(project=PROJECT).execute()
        where = {"project": PROJECT, "region": REGION}
        finish(networks.insert(project=PROJECT, body={
            "name": "dual", "autoCreateSubnetworks": False, "enableUlaInternalIpv6": True}).execute())
        finish(subnetworks.insert(**where, body={
            "name": "dual", "network": "global/networks/dual", "ipCidrRange": "10.0.0.0/24",
            "stackType": "IPV4_IPV6", "ipv6AccessType": "INTERNAL"}).execute())
        dual = subnetworks.get(subnetwork="dual", **where).execute()
        # Network.enableUlaInternalIpv6: "assign a /48 from google defined ULA prefix fd20::/20".
        self.assertRegex(dual["internalIpv6Prefix"], "^fd20:.*/64$")
        for name in ("auto", "dual"):
            if name == "dual":
                finish(subnetworks.delete(subnetwork=name, **where).execute())
            finish(networks.delete(project=PROJECT, network=name).execute())

        lists = [
            (COMPUTE.globalOperations(), {}),
            (COMPUTE.regionOperations(), {"region": REGION}),
            (COMPUTE.zoneOperations(), {"zone": ZONE}),
        ]
        for operations, scope in lists:
            page = operations.list(project=PROJECT, filter="status = DONE", **scope).execute()
            one = {"project": PROJECT, "operation": page["items"][0]["name"], **scope}
            operations.get(**one).execute()
            operations.wait(**one).execute()
            operations.delete(**one).execute()
            self.assertEqual(refused(operations.get(**one)), (404, "notFound"))
        COMPUTE.globalOperations().aggregatedList(project=PROJECT).execute()

    def test_a_caller_needs_permissions(self):
        # routes.list, "IAM Permissions": compute.routes.list.
        class Token(AnonymousCredentials):
            def before_request(self, request, method, url, headers):
                headers["Authorization"] = "Bearer reader"

            @property
            def valid(self):
                return True

        control("PUT", "permissions", {"reader": {PROJECT: ["compute.routes.list"]}})
        http = googleapiclient.http.build_http()
        list_routes = COMPUTE.routes().list(project=PROJECT)
        delete = COMPUTE.routes().delete(project=PROJECT, route="x")
        for request in (list_routes, delete):
            request.headers["Authorization"] = "Bearer reader"
            request.http = http
        list_routes.execute()
        self.assertEqual(refused(delete), (403, "forbidden"))


if __name__ == "__main__":
    # In the order of the alphabet, Others come before Routes, which make the network.
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(
        loader.loadTestsFromTestCase(case) for case in (Routes, Others))
    raise SystemExit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())
