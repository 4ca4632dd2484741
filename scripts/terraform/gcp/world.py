"""The projects of the examples, as the emulator and the played APIs show them, and the machines' functions."""

import json
import os
import subprocess

from checks import end_with_parent

PROJECT, HOST, REGION = "example-nodes", "example-host", "europe-west3"


class Emulator:
    def __init__(self, programs):
        self.process = subprocess.Popen(
            [os.path.join(programs, "gce-emulator"), "--project", PROJECT, "--project", HOST, "--shared", f"{PROJECT}={HOST}",
             "--metadata", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
        )
        said = [self.process.stdout.readline().split() for _ in range(2)]
        self.url, self.metadata = [words[-1] for words in said]

    def is_instance(self, server, project, zone, name, email):
        """Whose metadata are served from now on."""
        identity = {"project": project, "zone": zone, "instance": name, "email": email}
        server.forward("PUT", "/_control/identity", json.dumps(identity))

    def end(self):
        self.process.terminate()
        self.process.wait()


class Project:
    """What is there, as the APIs show it."""

    def __init__(self, server, cluster, network_project):
        self.server, self.store, self.cluster, self.network_project = server, server.store, cluster, network_project

    def stored(self, kind):
        return {path: of for path, of in self.store.resources.items() if of.get("kind") == f"compute#{kind}"}

    def instances(self):
        items = self.server.emulate("GET", f"projects/{PROJECT}/aggregated/instances").get("items", {})
        return [of for zone in items.values() for of in zone.get("instances", []) if of["name"].startswith(self.cluster)]

    def control_plane(self):
        (found,) = [of for of in self.instances() if of["name"] == f"{self.cluster}-control-plane"]
        return found

    def template(self):
        (found,) = self.stored("instanceTemplate").values()
        return found["properties"]

    def hops(self):
        """Where pods' routes lead, by destination."""
        routes = self.server.emulate("GET", f"projects/{self.network_project}/global/routes").get("items", [])
        pods = [of for of in routes if of["name"].startswith("sgn-")]
        return sorted((of["destRange"], of.get("nextHopInstance") or of["nextHopIp"]) for of in pods)

    def hop(self, instance):
        """How a route leads to an instance: Google takes none of another project, but its address."""
        return instance["selfLink"] if self.network_project == PROJECT else instance["networkInterfaces"][0]["networkIP"]

    def members(self, project, role):
        bindings = self.store.policy(f"projects/{project}")["bindings"]
        return sorted(member for of in bindings if of["role"] == role for member in of["members"])


def shell(text, server, emulator, script):
    """Runs the functions of the machines, with the addresses of Google led to the played APIs."""
    lead = f"""set -euo pipefail
      curl() {{ local of=(); for a in "$@"; do
        a=${{a/#'http://metadata.google.internal'/{emulator.metadata}}}
        of+=("${{a/#'https://secretmanager.googleapis.com'/{server.url}/secretmanager}}")
      done; command curl "${{of[@]}}"; }}
    """
    program = ["bash", "-c", f"{lead}\n{text}\n{script}"]
    looked = subprocess.run(program, text=True, capture_output=True, check=False, timeout=60)
    assert looked.returncode == 0, looked.stderr
    return looked.stdout.rstrip("\n")
