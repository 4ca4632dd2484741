"""The gcloud command builds a scene, reads it and takes it down."""

import json
import os
import subprocess
import tempfile
import unittest

from emulator import PROJECT, REGION, URL, ZONE, calls, fault


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.environment = os.environ | {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{URL}/compute/v1/",
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
            "CLOUDSDK_COMPUTE_REGION": REGION,
            "CLOUDSDK_COMPUTE_ZONE": ZONE,
            "CLOUDSDK_CONFIG": self.folder.name,
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_CORE_PROJECT": PROJECT,
        }

    def run_gcloud(self, *arguments):
        return subprocess.run(
            ["gcloud", "compute", *arguments, "--format=json"],
            env=self.environment, capture_output=True, text=True)

    def gcloud(self, *arguments):
        done = self.run_gcloud(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_a_cluster(self):
        gcloud = self.gcloud
        gcloud("networks", "create", "net", "--subnet-mode=custom")
        gcloud("networks", "subnets", "create", "sub", "--network=net", "--range=10.0.0.0/24",
               "--secondary-range=pods=10.64.0.0/16")
        (node,) = gcloud("instances", "create", "node", "--subnet=sub", "--can-ip-forward",
                         "--no-address", "--machine-type=e2-medium")
        self.assertEqual(node["status"], "RUNNING")
        (route,) = gcloud("routes", "create", "r-one", "--network=net",
                          "--destination-range=10.1.0.0/24", "--next-hop-instance=node")
        self.assertEqual(route["nextHopInstance"], node["selfLink"])
        (route,) = gcloud("routes", "create", "r-two", "--network=net",
                          "--destination-range=10.1.0.0/24", "--next-hop-address=10.0.0.2")
        self.assertEqual(route["nextHopIp"], node["networkInterfaces"][0]["networkIP"])
        refused = self.run_gcloud("routes", "create", "r-one", "--network=net",
                                  "--destination-range=10.2.0.0/24", "--next-hop-instance=node")
        self.assertIn("already exists", refused.stderr)

        # Such a filter goes to the service, as a regular expression.
        listed = gcloud("routes", "list", "--filter=name~^r-")
        self.assertEqual([route["name"] for route in listed], ["r-one", "r-two"])
        self.assertEqual(calls("routes.list")[-1]["parameters"]["filter"], 'name eq ".*(^r-).*"')
        listed = gcloud("routes", "list", "--filter=network:net")
        self.assertIn("10.64.0.0/16", [route["destRange"] for route in listed])
        self.assertEqual([one["name"] for one in gcloud("instances", "list")], ["node"])

        # Several deletions are one batch.
        gcloud("routes", "delete", "r-one", "r-two")
        fault({"operation_fails": {"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"}}, "instances.delete")
        self.assertNotEqual(self.run_gcloud("instances", "delete", "node").returncode, 0)
        gcloud("instances", "delete", "node")
        gcloud("networks", "subnets", "delete", "sub")
        gcloud("networks", "delete", "net")


if __name__ == "__main__":
    unittest.main(verbosity=2)
