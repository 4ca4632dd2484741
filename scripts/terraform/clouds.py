"""What a machine finds of its cloud, and how workers are told to join there."""

import base64
import json
import re
import sys
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
JOIN = "abcdef.0123456789abcdef sha256:" + 64 * "0"


class Aws:
    """moto's Parameter Store, and an instance's metadata."""

    provider_id = "aws:///eu-central-1a/i-0123456789abcdef0"

    def __init__(self, functions, _programs):
        import boto3
        from mended_moto import ThreadedMotoServer

        self.parameter = re.search(r"--name '([^']+)'", functions)[1]
        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        host, port = self.moto.get_host_and_port()
        self.ssm = boto3.client("ssm", region_name="eu-central-1", endpoint_url=f"http://{host}:{port}",
                                aws_access_key_id="nobody", aws_secret_access_key="nobody")
        self.others = {"ssm.eu-central-1.amazonaws.com": (f"{host}:{port}", "")}
        keys = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "instance", "SecretAccessKey": "instance", "Token": "a",
                "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}
        at = "/latest/meta-data"
        self.pages = {"169.254.169.254": {
            f"{at}/placement/availability-zone": "eu-central-1a", f"{at}/instance-id": "i-0123456789abcdef0",
            f"{at}/iam/security-credentials/": "role", f"{at}/iam/security-credentials/role": json.dumps(keys),
        }}

    def tell(self, text):
        self.ssm.put_parameter(Name=self.parameter, Value=text, Type="SecureString")

    def told(self):
        return self.ssm.get_parameter(Name=self.parameter, WithDecryption=True)["Parameter"]["Value"]

    def end(self):
        self.moto.stop()


class Gcp:
    """The emulator's metadata server, and the played Secret Manager."""

    def __init__(self, functions, programs):
        sys.path[1:1] = [str(HERE / "gcp"), str(HERE.parents[1] / "e2e/clouds/gce/clients")]
        from identity import Identity
        from server import Server
        from world import PROJECT, REGION, Emulator

        self.secret = re.search(r"/v1/(projects/[^/]+/secrets/[^\"$]+)", functions)[1]
        self.emulator = Emulator(programs)
        self.server = Server(self.emulator.url, [PROJECT])
        Identity(self.server)
        self.server.start()
        self.emulator.is_instance(self.server, PROJECT, f"{REGION}-a", "machine", f"machine@{PROJECT}.iam.gserviceaccount.com")
        self.provider_id = f"gce://{PROJECT}/{REGION}-a/machine"
        self.pages = {}
        self.others = {
            "metadata.google.internal": (self.emulator.metadata.removeprefix("http://"), ""),
            "secretmanager.googleapis.com": (self.server.url.removeprefix("http://"), "/secretmanager"),
        }
        parent, name = self.secret.split("/secrets/")
        self.call("POST", f"{parent}/secrets?secretId={name}", {"replication": {"automatic": {}}})

    def call(self, verb, path, body=None):
        status, said = self.server.answered(
            verb, urllib.parse.urlsplit(f"/secretmanager/v1/{path}"), "" if body is None else json.dumps(body), {})
        assert status == 200, said
        return json.loads(said)

    def tell(self, text):
        self.call("POST", f"{self.secret}:addVersion", {"payload": {"data": base64.b64encode(text.encode()).decode()}})

    def told(self):
        data = self.call("GET", f"{self.secret}/versions/latest:access")["payload"]["data"]
        return base64.b64decode(data).decode().strip()

    def end(self):
        self.emulator.end()
        self.server.shutdown()


CLOUDS = {"aws": Aws, "gcp": Gcp}
