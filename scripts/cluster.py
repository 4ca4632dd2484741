"""A real API server and the real controller, for checks in Python. Nodes' objects are written here, since there is no kubelet.
`enter` is what a command begins with that is to run elsewhere, such as in a machine's network."""

import json
import os
import subprocess

from checks import PATIENCE, end_with_parent


class ApiServer:
    """etcd and kube-apiserver; they end with this program."""

    def __init__(self, programs, enter=()):
        self.enter = enter
        self.process = subprocess.Popen(
            [*enter, os.path.join(programs, "test-control-plane")], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        line = self.process.stdout.readline()
        assert line, "the control plane of tests did not start"
        self.place = json.loads(line)

    def kubectl(self, *arguments, given=None):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": self.place["kubeconfig"]}
        run = subprocess.run(
            [*self.enter, self.place["kubectl"], *arguments], input=given, env=environment, text=True, capture_output=True, timeout=PATIENCE,
            check=False,
        )
        assert run.returncode == 0, f"kubectl {' '.join(arguments)}: {run.stderr}"
        return run.stdout

    def apply(self, given):
        self.kubectl("apply", "-f", "-", given=given)

    def join(self, ids):
        """A Node for each instance that has none, as its kubelet would make it, told `--provider-id`: ids by name."""
        for name, id_ in ids.items():
            self.apply(json.dumps({
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"providerID": id_},
            }))

    def subnets(self):
        """The nodes' subnets by instance."""
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {of["spec"]["providerID"].split("/")[-1]: of["spec"].get("podCIDRs", []) for of in nodes}

    def network(self):
        return self.kubectl("get", "podnetwork", "default", "-o", "yaml")

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)


class Controller:
    """The controller, as its Deployment runs it, with the credentials that the environment leads to."""

    def __init__(self, programs, api_server, log, environment):
        self.log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_"))}
        nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "GCE_METADATA_HOST": "127.0.0.1:1"}
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [*api_server.enter, os.path.join(programs, "signpost-controller"), "run", "--http-address=127.0.0.1:0", "--log-format=json",
                 "--kubeconfig", api_server.place["controllerKubeconfig"]],
                env=clean | nowhere | environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=end_with_parent,
            )

    def end(self):
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE)
        assert code == 0, f"the controller ended with {code}:\n{self.said()}"

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return "".join(file.readlines()[-30:])
