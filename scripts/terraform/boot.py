"""Boots a Debian 12 with the user data that Terraform made for an instance, as far as it gets here: this kernel has the old
cgroups, which kubeadm refuses in the end. Runs with the Python of the environment in which the cloud is played:

    boot.py CLOUD USER_DATA ROLE CLUSTERS PROGRAMS

It waits for the file USER_DATA. CLOUD is aws or gcp, ROLE is control-plane or workers; CLUSTERS has Kubernetes' programs and
containerd's, PROGRAMS the project's own. Prints a line for each check, as cargo test does.
"""

import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import time

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from checks import Checks, equal
from clouds import CLOUDS, JOIN
from debian.machine import Machine
from outside import Outside

PATIENCE = 300
# What kubeadm has against this kernel. All else that its preflight finds is an error of the machine's.
HERE = {"SystemVerification"}


class Boot:
    def __init__(self, cloud, user_data, role, clusters, programs, folder):
        self.role, self.said = role, yaml.safe_load(user_data)
        files = {of["path"]: of["content"] for of in self.said["write_files"]}
        self.kubeadm = list(yaml.safe_load_all(files["/etc/kubernetes/kubeadm.yaml.in"]))
        self.versions = {
            name: re.search(rf"^{name}=(\S+)$", files["/usr/local/sbin/kubernetes-install"], re.M)[1]
            for name in ("containerd", "kubernetes")
        }
        address = re.search(r"(\d+\.\d+\.\d+\.\d+):6443", str(self.kubeadm))[1] if role == "control-plane" else "10.0.0.77"
        self.cloud = CLOUDS[cloud](files["/usr/local/lib/kubernetes/cloud.sh"], programs)
        self.cloud.tell(JOIN if role == "workers" else "pending")
        self.outside = Outside(folder, clusters, self.versions, self.cloud)
        self.machine = Machine(folder, role, user_data, [f"{address}/20"], self.outside)

    def log(self):
        return self.machine.run("cat", "/var/log/cloud-init-output.log")[1]

    def runs(self):
        """Until kubeadm has said what it has against the machine."""
        deadline = time.monotonic() + PATIENCE
        while "[ERROR " not in self.log():
            assert time.monotonic() < deadline, self.log()[-4000:]
            # It may have said so just before it ended.
            ended = self.machine.run("test", "-e", "/var/lib/cloud/instance/boot-finished")[0] == 0
            assert not ended or "[ERROR " in self.log(), self.log()[-4000:]
            time.sleep(0.5)

    def packages(self):
        wanted = {name for name in self.said["packages"]} | {"kubelet", "kubeadm", "kubectl"}
        shown = self.machine.ok("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status} ${Version}\n")
        installed = {line.split()[0]: line.split()[2] for line in shown.splitlines() if line.split()[1] == "installed"}
        equal(wanted - set(installed), set(), "packages that are missing")
        for name in ("kubelet", "kubeadm", "kubectl"):
            assert installed[name].startswith(self.versions["kubernetes"] + "-"), f"{name} is {installed[name]}"
        equal(set(self.machine.ok("apt-mark", "showhold").split()), {"kubelet", "kubeadm", "kubectl"}, "packages held")

    def services(self):
        equal(self.machine.ok("systemctl", "is-active", "containerd").strip(), "active", "containerd")
        equal(self.machine.ok("systemctl", "is-enabled", "containerd", "kubelet").split(), 2 * ["enabled"], "after a reboot")
        said = self.machine.ok("ctr", "version")
        assert "Server:" in said, said
        plugins = self.machine.ok("ctr", "plugins", "ls")
        assert re.search(r"io.containerd.cri.v1 +runtime .* ok", plugins), plugins
        equal(self.machine.ok("sysctl", "-n", "net.ipv4.ip_forward").strip(), "1", "forwarding")

    def accepted(self):
        self.machine.ok("kubeadm", "config", "validate", "--config", "/etc/kubernetes/kubeadm.yaml")
        errors = set(re.findall(r"\[ERROR ([^\]]+)\]", self.log()))
        equal(errors - HERE, set(), "what kubeadm has against the machine")

    def told_who_it_is(self):
        made = list(yaml.safe_load_all(self.machine.ok("cat", "/etc/kubernetes/kubeadm.yaml")))
        arguments = {of["name"]: of["value"] for of in made[0]["nodeRegistration"]["kubeletExtraArgs"]}
        equal(arguments, {"cloud-provider": "external", "provider-id": self.cloud.provider_id}, "kubelet's arguments")
        if self.role == "workers":
            token = made[0]["discovery"]["bootstrapToken"]
            equal([token["token"], *token["caCertHashes"]], JOIN.split(), "how it joins")

    def makes_a_control_plane(self):
        for phase in ("certs all", "kubeconfig all", "etcd local", "control-plane all"):
            self.machine.ok("kubeadm", "init", "phase", *phase.split(), "--config", "/etc/kubernetes/kubeadm.yaml")
        manager = self.machine.ok("cat", "/etc/kubernetes/manifests/kube-controller-manager.yaml")
        for flag in ("--allocate-node-cidrs=false", "--cloud-provider=external"):
            assert flag in manager, manager
        assert "cluster-cidr" not in manager or "allocate-node-cidrs=false" in manager, manager

    def tells_workers(self):
        functions = ". /usr/local/lib/kubernetes/cloud.sh; "
        self.machine.ok("bash", "-euc", f"{functions} write_join '{JOIN}'")
        equal(self.cloud.told(), JOIN, "what the control plane wrote")
        equal(self.machine.ok("bash", "-euc", f"{functions} read_join").strip(), JOIN, "what workers read")
        self.machine.ok("systemd-analyze", "verify", "/etc/systemd/system/kubernetes-write-join.timer")

    def end(self):
        self.machine.end()
        self.cloud.end()


def main():
    cloud, user_data, role, clusters, programs = sys.argv[1:]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(user_data) and time.monotonic() < deadline:
        time.sleep(0.5)
    with open(user_data, encoding="utf-8") as file:
        text = file.read()
    checks, outcome, boots = Checks("terraform", "machine", f"{cloud}-{role}"), "FAILED", []
    folder = tempfile.mkdtemp(prefix="signpost-boot.")
    try:
        checks.check("boots", lambda: boots.append(Boot(cloud, text, role, clusters, programs, folder)))
        (boot,) = boots
        checks.check("cloud_init_runs_to_kubeadm", boot.runs)
        checks.check("packages_are_installed_and_held", boot.packages)
        checks.check("services_run", boot.services)
        checks.check("kubeadm_accepts_its_configuration", boot.accepted)
        checks.check("instance_is_told_who_it_is", boot.told_who_it_is)
        if role == "control-plane":
            checks.check("kubeadm_makes_a_control_plane", boot.makes_a_control_plane)
            checks.check("workers_are_told", boot.tells_workers)
        outcome = "ok"
    finally:
        for boot in boots:
            boot.end()
        shutil.rmtree(folder)
        checks.summary(outcome)


if __name__ == "__main__":
    main()
