"""Runs the agent's unit under a live systemd, on a Debian 12 beside a real API server and the real controller:

    unit.py PROGRAMS

PROGRAMS is the folder of the project's own programs, as cargo test builds them. Prints a line for each check, as cargo test does.
"""

import json
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from checks import Checks, eventually
from cluster import ApiServer, Controller
from machine import Machine, Nothing

UNIT = "plugin/node/signpost-node.service"
CONFLIST = "/etc/cni/net.d/00-signpost.conflist"
READY = "/run/signpost/ready"


class Node:
    """A machine whose Node object has its subnet, and on which the unit is installed."""

    def __init__(self, programs, folder):
        self.machine = Machine(folder, "machine", "#cloud-config\n{}\n", ["10.0.0.10/20"], Nothing())
        self.eventually("cloud-init is done", lambda: self.there("/var/lib/cloud/instance/boot-finished"))
        self.api_server = ApiServer(programs, self.machine.enter())
        kubectl = self.api_server.kubectl
        kubectl("apply", "--server-side", "-k", "manifests/base")
        self.api_server.apply(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "machine"}}))
        address = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.10"}]}}
        kubectl("patch", "node", "machine", "--subresource=status", "--type=merge", "--patch", json.dumps(address))
        kubectl("apply", "-f", "manifests/examples/linux.yaml")
        self.controller = Controller(programs, self.api_server, os.path.join(folder, "controller"), {})
        # The files that the kubeconfig names are not the machine's.
        whole = kubectl("config", "view", "--flatten", "--raw", "--kubeconfig", self.api_server.place["nodeKubeconfig"])
        self.machine.put("/etc/signpost/node.kubeconfig", whole.encode(), 0o600)
        for program in ("signpost-node", "signpost-cni"):
            with open(os.path.join(programs, program), "rb") as file:
                self.machine.put(f"/usr/local/bin/{program}", file.read(), 0o755)
        with open(UNIT, "rb") as file:
            self.machine.put("/etc/systemd/system/signpost-node.service", file.read())

    def there(self, path):
        return self.machine.run("test", "-e", path)[0] == 0

    def journal(self):
        return self.machine.run("journalctl", "--unit=signpost-node", "--no-pager", "--lines=30")[1]

    def eventually(self, what, holds):
        eventually(what, holds, self.journal)

    def property(self, name):
        return self.machine.ok("systemctl", "show", f"--property={name}", "--value", "signpost-node").strip()

    def forwards(self):
        return self.machine.ok("sysctl", "--values", "net.ipv4.ip_forward").strip() == "1"

    def sets_up_a_fresh_machine(self):
        assert not self.there("/etc/cni") and not self.there("/opt/cni"), "the machine is not fresh"
        self.machine.ok("systemctl", "enable", "--now", "signpost-node")
        self.eventually("pods can start", lambda: self.there(CONFLIST) and self.there(READY) and self.forwards())
        assert self.there("/opt/cni/bin/signpost-cni"), "the plugin is missing"
        assert self.property("NRestarts") == "0", self.journal()

    def nothing_is_denied(self):
        said = self.journal()
        assert "ERROR" not in said and "permitted" not in said and "denied" not in said, said

    def starts_anew_after_a_kill(self):
        before = self.property("MainPID")
        self.machine.ok("kill", "-KILL", before)
        self.eventually("another process", lambda: self.property("MainPID") not in ("0", before))
        assert self.there(READY) and self.there(CONFLIST), "what is true until the next boot was lost"

    def mends_what_is_removed(self):
        self.machine.ok("rm", "-rf", "/opt/cni", "/etc/cni/net.d")
        self.machine.ok("sysctl", "-w", "net.ipv4.ip_forward=0")
        self.eventually(
            "plugin, network configuration and forwarding are back",
            lambda: self.there("/opt/cni/bin/signpost-cni") and self.there(CONFLIST) and self.forwards(),
        )
        # Where even this is gone only systemd may make it.
        self.machine.ok("rm", "-rf", "/etc/cni")
        self.machine.ok("systemctl", "restart", "signpost-node")
        self.eventually("network configuration is back", lambda: self.there(CONFLIST))

    def stops_and_leaves_pods_alone(self):
        self.machine.ok("systemctl", "stop", "signpost-node")
        assert self.property("Result") == "success", self.journal()
        assert self.there(READY) and self.there(CONFLIST) and self.forwards(), "pods need it"

    def uninstall_leaves_nothing(self):
        self.machine.ok("systemctl", "disable", "signpost-node")
        self.machine.ok("/usr/local/bin/signpost-node", "uninstall")
        for path in (CONFLIST, READY, "/opt/cni/bin/signpost-cni"):
            assert not self.there(path), f"{path} is left"
        assert not self.forwards(), "forwarding was off before"

    def end(self):
        self.controller.end()
        self.api_server.end()
        self.machine.end()


CHECKS = [
    Node.sets_up_a_fresh_machine, Node.nothing_is_denied, Node.starts_anew_after_a_kill, Node.mends_what_is_removed,
    Node.stops_and_leaves_pods_alone, Node.uninstall_leaves_nothing,
]


def main():
    (programs,) = sys.argv[1:]
    if os.geteuid() != 0:
        print("\n\033[1mSKIPPED: the agent's unit under systemd: only root can run a machine\033[0m\n")
        print("test unit ... ignored\ntest result: ok. 0 passed; 0 failed; 1 ignored")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder, nodes, checks, outcome = tempfile.mkdtemp(prefix="signpost-unit."), [], Checks("unit"), "FAILED"
    try:
        checks.check("boots", lambda: nodes.append(Node(os.path.abspath(programs), folder)))
        for check in CHECKS:
            checks.check(check.__name__, lambda: check(nodes[0]))  # noqa: B023: it is called at once
        outcome = "ok"
    finally:
        for node in nodes:
            node.end()
        shutil.rmtree(folder)
        checks.summary(outcome)


if __name__ == "__main__":
    main()
