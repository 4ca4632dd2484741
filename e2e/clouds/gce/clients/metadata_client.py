"""google-auth on an instance: project and token come from the metadata server.

What it asks for is described in "Predefined metadata keys" and "View and query VM metadata".
"""

import os
import unittest

import google.auth
import google.auth.transport.requests
from google.auth.compute_engine import _metadata
from google.cloud import compute_v1 as compute

from emulator import PROJECT, URL, calls, control


class Metadata(unittest.TestCase):
    def test_an_instance_acts_as_its_service_account(self):
        credentials, project = google.auth.default(
            scopes=["https://www.googleapis.com/auth/cloud-platform"])
        self.assertEqual(project, PROJECT)
        request = google.auth.transport.requests.Request()
        credentials.refresh(request)
        email = f"signpost@{PROJECT}.iam.gserviceaccount.com"
        self.assertEqual(credentials.service_account_email, email)
        self.assertEqual(credentials.universe_domain, "googleapis.com")

        # Permissions of the account are those of its tokens.
        control("PUT", "permissions", {email: {PROJECT: []}})
        kind = compute.RoutesClient
        transport = kind.get_transport_class("rest")(
            host=URL.removeprefix("http://"), url_scheme="http", credentials=credentials)
        with self.assertRaises(google.api_core.exceptions.Forbidden):
            list(kind(transport=transport).list(project=PROJECT))
        self.assertEqual(calls("routes.list")[-1]["caller"], credentials.token)
        control("PUT", "permissions", {})
        list(kind(transport=transport).list(project=PROJECT))

    def test_keys_are_served_to_who_asks_rightly(self):
        request = google.auth.transport.requests.Request()
        get = lambda path: _metadata.get(request, path)
        self.assertEqual(get("project/project-id"), PROJECT)
        number = get("project/numeric-project-id")
        self.assertTrue(str(number).isdigit())
        self.assertEqual(get("instance/zone"), f"projects/{number}/zones/europe-west3-a")
        self.assertEqual(get("instance/name"), "control-plane")
        host = os.environ["GCE_METADATA_HOST"]
        bare = request(url=f"http://{host}/computeMetadata/v1/project/project-id", method="GET")
        self.assertEqual(bare.status, 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
