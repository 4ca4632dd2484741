"""Signpost's controller beside a cluster that an example made, by the rights that Terraform gave it: those of the instances'
service account from their metadata, or those of its own by workload identity."""

import json
import pathlib
import re
import urllib.request

import yaml

from checks import eventually
from cluster import ApiServer, Controller
from federation import IMPERSONATED

NAMESPACE, ACCOUNT = "signpost-system", "signpost-controller"


class Led:
    def __init__(self, project, terraform, emulator, programs, folder):
        self.project, self.terraform, self.emulator = project, terraform, emulator
        self.programs, self.folder = programs, pathlib.Path(folder)
        self.api_server = self.controller = None

    def start(self, has_own):
        self.api_server = ApiServer(self.programs)
        self.api_server.kubectl("apply", "--server-side", "-k", str(self.folder / "manifests/gcp"))
        self.join()
        object_ = yaml.safe_load(self.terraform.output("podnetwork"))
        object_["spec"]["cloud"]["gcp"]["endpoint"] = self.project.server.url
        self.api_server.apply(json.dumps(object_))
        if has_own:
            environment = self.own_credentials()
        else:
            email = next(of for of in self.project.instances() if "-worker-" in of["name"])["serviceAccounts"][0]["email"]
            self.permit(email, email)
            self.emulator.is_instance(self.project.server, *self.place(self.project.control_plane()), email)
            environment = {"GCE_METADATA_HOST": self.emulator.metadata.removeprefix("http://")}
        log = str(self.folder / f"{self.project.cluster}-controller.log")
        self.controller = Controller(self.programs, self.api_server, log, environment)
        self.leads()
        calls = self.project.server.calls
        made = [path for _, _, path, _, status, _ in calls if path.endswith(":generateAccessToken") and status == 200]
        assert bool(made) == has_own, f"tokens of a service account by workload identity: {made}"

    def own_credentials(self):
        """What the outputs say, with a token that the API server has signed. Only the addresses of Google are led here."""
        folder = self.folder / self.project.cluster
        folder.mkdir()
        audience = self.terraform.output("controller_audience")
        token = self.api_server.kubectl("create", "token", ACCOUNT, f"--namespace={NAMESPACE}", f"--audience={audience}")
        (folder / "token").write_text(token.strip(), encoding="utf-8")
        text = self.terraform.output("controller_credentials")
        text = re.sub(r"https://(sts|iamcredentials)\.googleapis\.com", rf"{self.project.server.url}/\1", text)
        text = text.replace("/var/run/secrets/signpost.dev/google", str(folder))
        (folder / "credentials.json").write_text(text, encoding="utf-8")
        email = json.loads(text)["service_account_impersonation_url"].rsplit("/", 1)[1].split(":")[0]
        self.permit(IMPERSONATED, email)
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "credentials.json")}

    def permit(self, caller, email):
        """From now on the emulator lets a caller do what the roles allow which the account has, and nothing else."""
        store, allowed = self.project.store, {}
        for project in store.numbers:
            for binding in store.policy(f"projects/{project}")["bindings"]:
                if f"serviceAccount:{email}" in binding["members"]:
                    permissions = store.get(binding["role"])["includedPermissions"]
                    allowed.setdefault(project, []).extend(permissions)
        self.project.server.forward("PUT", "/_control/permissions", json.dumps({caller: allowed}))

    def join(self):
        """Nodes, with providerIDs as the machines' own functions write them."""
        self.api_server.join({of["name"]: f"gce://{'/'.join(self.place(of))}" for of in self.project.instances()})

    @staticmethod
    def place(instance):
        """Project, zone and name."""
        return re.search(r"projects/([^/]+)/zones/([^/]+)/instances/([^/]+)$", instance["selfLink"]).groups()

    def wanted(self):
        """Each node's subnets lead to its instance, in a Shared VPC to its address."""
        subnets, instances = self.api_server.subnets(), {of["name"]: of for of in self.project.instances()}
        assert set(subnets) == set(instances), f"nodes {set(subnets)}, instances {set(instances)}"
        return sorted((subnet, self.project.hop(instances[name])) for name, of in subnets.items() for subnet in of)

    def leads(self):
        def holds():
            return self.project.hops() == self.wanted() and all(self.api_server.subnets().values())
        def why():
            found, wanted = set(self.project.hops()), set(self.wanted())
            return f"missing {wanted - found}, too many {found - wanted}\n{self.api_server.network()}\n{self.controller.said()}"
        eventually("routes to each node", holds, why)

    def refuses(self, has_own):
        """That the controller's token ends no instance, which no role allows."""
        token = IMPERSONATED
        if not has_own:
            path = "/computeMetadata/v1/instance/service-accounts/default/token"
            asked = urllib.request.Request(self.emulator.metadata + path, headers={"Metadata-Flavor": "Google"})
            with urllib.request.urlopen(asked) as answer:
                token = json.load(answer)["access_token"]
        project, zone, name = self.place(self.project.instances()[0])
        path = f"/compute/v1/projects/{project}/zones/{zone}/instances/{name}"
        status, said = self.project.server.forward("DELETE", path, "", {"Authorization": f"Bearer {token}"})
        assert status == 403, f"{status}: {said}"

    def teardown(self):
        self.api_server.kubectl("delete", "podnetwork", "default", "--timeout=60s")
        assert self.project.hops() == [], self.project.hops()
        self.controller.end()
        self.api_server.end()
