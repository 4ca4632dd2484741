"""The gcloud command builds a scene, reads it and takes it down."""

import concurrent.futures
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

    def together(self, *commands):
        """Runs commands that do not depend on each other, each of which takes a second to start."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(lambda command: self.run_gcloud(*command.split()), commands))

    def test_a_cluster(self):
        gcloud = self.gcloud
        gcloud("networks", "create", "net", "--subnet-mode=custom")
        gcloud("networks", "subnets", "create", "sub", "--network=net", "--range=10.0.0.0/24",
               "--secondary-range=pods=10.64.0.0/16")
        (node,) = gcloud("instances", "create", "node", "--subnet=sub", "--can-ip-forward",
                         "--no-address", "--machine-type=e2-medium")
        self.assertEqual(node["status"], "RUNNING")
        create = "routes create {} --network=net --destination-range=10.1.0.0/24 {}"
        made = self.together(
            create.format("r-one", "--next-hop-instance=node"),
            create.format("r-two", "--next-hop-address=10.0.0.2"))
        one, two = (json.loads(done.stdout)[0] for done in made)
        self.assertEqual(one["nextHopInstance"], node["selfLink"])
        self.assertEqual(two["nextHopIp"], node["networkInterfaces"][0]["networkIP"])

        refused, by_name, by_network, instances = self.together(
            create.format("r-one", "--next-hop-instance=node"),
            "routes list --filter=name~^r-",
            "routes list --filter=network:net",
            "instances list")
        self.assertIn("already exists", refused.stderr)
        self.assertEqual([of["name"] for of in json.loads(by_name.stdout)], ["r-one", "r-two"])
        # Such a filter goes to the service, as a regular expression.
        filters = [call["parameters"].get("filter") for call in calls("routes.list")]
        self.assertIn('name eq ".*(^r-).*"', filters)
        listed = [of["destRange"] for of in json.loads(by_network.stdout)]
        self.assertIn("10.64.0.0/16", listed)
        self.assertEqual([of["name"] for of in json.loads(instances.stdout)], ["node"])

        # Several deletions are one batch.
        fault({"operation_fails": {"code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"}}, "instances.delete")
        deleted, failed = self.together("routes delete r-one r-two", "instances delete node")
        self.assertEqual(deleted.returncode, 0, deleted.stderr)
        self.assertNotEqual(failed.returncode, 0)
        gcloud("instances", "delete", "node")
        gcloud("networks", "subnets", "delete", "sub")
        gcloud("networks", "delete", "net")


if __name__ == "__main__":
    unittest.main(verbosity=2)
