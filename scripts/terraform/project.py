"""Applies the examples of terraform/ for Google Cloud, with Google's own provider, to a project that the emulator of Compute
Engine and gcp/ play, and has Signpost's controller lead to what they made: apply, an empty plan, routes to each node by the
rights that Terraform gave, a change, an empty plan, teardown, destroy.

    project.py FOLDER EXAMPLE PROGRAMS

FOLDER is a copy of terraform/ and manifests/, which is written to; PROGRAMS has gce-emulator, signpost-controller and
test-control-plane. Prints a line for each check, as cargo test does.
"""

import json
import os
import pathlib
import signal
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE / "gcp"), str(HERE.parents[1] / "e2e/clouds/gce/clients")]

import yaml  # noqa: E402

import machine  # noqa: E402
from checks import Checks, end_with_parent, equal  # noqa: E402
from compute import Compute  # noqa: E402
from federation import Federation  # noqa: E402
from identity import Identity  # noqa: E402
from led import Led  # noqa: E402
from runs import Terraform  # noqa: E402
from server import Refusal, Server  # noqa: E402
from world import HOST, PROJECT, REGION, Emulator, Project, shell  # noqa: E402

# Cluster, zones, whether there are external addresses, the project of the network.
EXAMPLES = {
    "gcp-small": ("signpost-small", 1, True, PROJECT),
    "gcp-three-zones": ("signpost-zones", 3, False, PROJECT),
    "gcp-shared-vpc": ("signpost-shared", 2, True, HOST),
}

JWKS = json.dumps({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "a", "n": "AQAB", "e": "AQAB"}]})


def wrong_is_refused(server):
    """What the documents of the APIs do not have is refused: a look at the judge itself."""
    compute, rule = f"/compute/v1/projects/{PROJECT}", {"name": "a", "network": "global/networks/a"}
    for path, body, why in (
        (f"{compute}/global/firewalls", {**rule, "direction": "SIDEWAYS"}, "'SIDEWAYS' is none of"),
        (f"{compute}/global/firewalls", {**rule, "sourceRange": "10.0.0.0/8"}, "sourceRange is not known"),
        (f"{compute}/zones/{REGION}-a/instances", {"name": "a", "canIpForward": "yes"}, "'yes' is no boolean"),
        (f"{compute}/regions/{REGION}/instanceGroupManagers", {"targetSize": "2"}, "'2' is no integer"),
        (f"/iam/v1/projects/{PROJECT}/roles", {"roleId": "abc", "role": {"stage": "STABLE"}}, "'STABLE' is none of"),
        (f"{compute}/global/firewall", {}, "was not found"),
    ):
        try:
            server.answered("POST", urllib.parse.urlsplit(path), json.dumps(body), {})
        except Refusal as refusal:
            assert why in refusal.message, f"{path} {body}: {refusal.message}"
        else:
            raise AssertionError(f"{path} {body} was taken")


def run(example, terraform, server, emulator, programs, checks):
    cluster, zones, is_public, network_project = EXAMPLES[example]
    project, has_own = Project(server, cluster, network_project), network_project == HOST
    led = Led(project, terraform, emulator, programs, str(pathlib.Path(terraform.folder, "../../..").resolve()))
    workers = {"gcp-small": 2}.get(example, 3)
    given = [f"-var=project_id={PROJECT}"]
    if network_project == HOST:
        given += [f"-var=host_project_id={HOST}", f"-var=network={cluster}", "-var=subnetwork=shared", f"-var=jwks_json={JWKS}"]
    grown = [*given, f"-var=workers={{desired={workers + 1}}}"]
    manifests = pathlib.Path(terraform.folder, "../../../manifests")

    def made():
        instances = project.instances()
        equal(len(instances), workers + 1, "instances")
        equal([of["name"] for of in instances if not of.get("canIpForward")], [], "instances that do not forward")
        equal(len({of["zone"] for of in instances}), zones, "zones that have instances")
        equal({bool(of["networkInterfaces"][0].get("accessConfigs")) for of in instances}, {is_public}, "external addresses")
        for of in (project.control_plane(), project.template()):
            equal(of["serviceAccounts"][0]["scopes"], ["https://www.googleapis.com/auth/cloud-platform"], "scopes")

    def network_is_plain():
        name = f"projects/{network_project}/global/networks/{cluster}"
        equal(server.emulate("GET", name)["autoCreateSubnetworks"], False, "whether the network is of auto mode")
        routes = server.emulate("GET", f"projects/{network_project}/global/routes")["items"]
        out = [of["destRange"] for of in routes if of["network"].endswith(name) and "nextHopGateway" in of]
        equal(out, ["0.0.0.0/0"], "default routes")
        routers = [of for of in project.stored("router").values()]
        equal(len(routers), 0 if is_public or network_project == HOST else 1, "routers with Cloud NAT")

    def pods_are_let_in():
        rules = {of["name"]: of for of in project.stored("firewall").values()}
        nodes = rules[f"{cluster}-nodes"]
        equal([of["IPProtocol"] for of in nodes["allowed"]], ["all"], "what nodes and pods may send")
        equal((nodes["sourceRanges"], nodes["sourceTags"]), (["10.244.0.0/16"], [f"{cluster}-nodes"]), "who may send")
        for of in (project.control_plane(), project.template()):
            equal(of["tags"]["items"], nodes["targetTags"], "tags of instances")

    def roles_are_the_manifests():
        for name, where in (("network", network_project), ("nodes", PROJECT)):
            wanted = yaml.safe_load((manifests / f"gcp/role-{name}.yaml").read_text(encoding="utf-8"))["includedPermissions"]
            path = f"projects/{where}/roles/{cluster.replace('-', '_')}_signpost_{name}"
            equal(sorted(server.store.get(path)["includedPermissions"]), sorted(wanted), path)
            own = [f"{cluster}-signpost"] if has_own else [f"{cluster}-control", f"{cluster}-workers"]
            own = [f"serviceAccount:{of}@{PROJECT}.iam.gserviceaccount.com" for of in own]
            equal(project.members(where, path), own, f"who has {path}")

    def machines_are_told():
        def files(of):
            data = {item["key"]: item["value"] for item in of["metadata"]["items"]}["user-data"]
            return machine.cloud_init(data, len(data.encode()), 262144), data  # "256 KB" for a value (Metadata.items.value)
        told = {"control-plane": files(project.control_plane()), "workers": files(project.template())}
        machine.hand_over(manifests.parent, example, {role: data for role, (_, data) in told.items()})
        control_plane, endpoint = told["control-plane"][0], project.control_plane()["networkInterfaces"][0]["networkIP"]
        join = machine.kubeadm(told["workers"][0])["JoinConfiguration"]
        equal(join["discovery"]["bootstrapToken"]["apiServerEndpoint"], f"{endpoint}:6443", "whom workers join")
        init = machine.kubeadm(control_plane)["ClusterConfiguration"]
        equal(init["controlPlaneEndpoint"], f"{endpoint}:6443", "the control plane's address")
        manager = {of["name"]: of["value"] for of in init["controllerManager"]["extraArgs"]}
        equal(manager["allocate-node-cidrs"], "false", "whether another allocator works")
        return control_plane["/usr/local/lib/kubernetes/cloud.sh"]

    def workers_can_join():
        functions = machines_are_told()
        zone = project.control_plane()["zone"].rsplit("/", 1)[1]
        email = f"{cluster}-control@{PROJECT}.iam.gserviceaccount.com"
        emulator.is_instance(server, PROJECT, zone, f"{cluster}-control-plane", email)
        said = shell(functions, server, emulator, "provider_id")
        equal(said, f"gce://{PROJECT}/{zone}/{cluster}-control-plane", "the providerID")
        for token in ("first sha256:a", "second sha256:b"):
            equal(shell(functions, server, emulator, f"write_join '{token}'; read_join"), token, "what workers read")
        states = [of["version"]["state"] for of in server.store.resources.values() if "version" in of and "data" in of]
        equal(states, ["DESTROYED", "ENABLED"], "versions of the secret")

    def joins_without_state():
        terraform.apply(*given)
        with open(os.path.join(terraform.folder, "terraform.tfstate"), encoding="utf-8") as file:
            assert "second sha256" not in file.read(), "the state has the token"

    def podnetwork_fits():
        spec = machine.podnetwork(terraform.output("podnetwork"), manifests / "crd/podnetworks.signpost.dev.yaml")["spec"]
        equal(spec["cloud"]["gcp"], {"clusterName": cluster, "project": network_project, "network": cluster}, "the cloud")

    def own_account_by_workload_identity():
        credentials = json.loads(terraform.output("controller_credentials"))
        pool = credentials["audience"].removeprefix("//iam.googleapis.com/").split("/providers/")[0]
        email = f"{cluster}-signpost@{PROJECT}.iam.gserviceaccount.com"
        (binding,) = server.store.policy(f"projects/{PROJECT}/serviceAccounts/{email}")["bindings"]
        who = f"principal://iam.googleapis.com/{pool}/subject/system:serviceaccount:signpost-system:signpost-controller"
        equal((binding["role"], binding["members"]), ("roles/iam.workloadIdentityUser", [who]), "who may be the controller")
        assert email in credentials["service_account_impersonation_url"], credentials

    def instances_may_use_the_subnet():
        (binding,) = server.store.policy(f"projects/{HOST}/regions/{REGION}/subnetworks/shared")["bindings"]
        number = server.store.numbers[PROJECT]
        equal(binding["members"], [f"serviceAccount:{number}@cloudservices.gserviceaccount.com"], "who may use the subnet")

    def grows():
        terraform.apply(*grown)
        equal(len(project.instances()), workers + 2, "instances")
        led.join()
        led.leads()
        equal(len(project.hops()), workers + 2, "pods' routes")

    def pods_routes_stay():
        before = project.hops()
        terraform.apply(*grown)
        equal(project.hops(), before, "pods' routes after an apply")

    def destroyed():
        terraform.run("destroy", "-auto-approve", "-input=false", "-no-color", *grown)
        equal(terraform.run("state", "list"), "", "what is left in the state")
        equal(project.instances(), [], "instances that are left")
        # Deleted roles are kept, as are policies, which are of what is not there any more.
        left = [path for path, of in server.store.resources.items() if cluster in path and ":" not in path and not of.get("deleted")]
        equal(left, [], "what is left")
        for of in (PROJECT, HOST):
            equal(server.store.policy(f"projects/{of}")["bindings"], [], f"rights that are left in {of}")

    checks.check("wrong_requests_are_refused", lambda: wrong_is_refused(server))
    checks.check("init", lambda: terraform.run("init", "-input=false", "-no-color"))
    checks.check("apply", lambda: terraform.apply(*given))
    checks.check("plan_is_empty", lambda: terraform.plans_nothing(*given))
    checks.check("instances_forward", made)
    if network_project == PROJECT:
        checks.check("network_has_its_own_routes_alone", network_is_plain)
    else:
        checks.check("instances_may_use_the_subnet", instances_may_use_the_subnet)
        checks.check("own_account_by_workload_identity", own_account_by_workload_identity)
    checks.check("nodes_and_pods_are_let_in", pods_are_let_in)
    checks.check("roles_are_those_of_the_manifests", roles_are_the_manifests)
    checks.check("machines_are_told", machines_are_told)
    checks.check("workers_read_how_to_join", workers_can_join)
    checks.check("podnetwork_fits_its_definition", podnetwork_fits)
    checks.check("token_stays_and_is_not_in_the_state", joins_without_state)
    checks.check("controller_leads_to_each_node", lambda: led.start(has_own))
    checks.check("controller_may_do_nothing_else", lambda: led.refuses(has_own))
    checks.check("controller_follows_the_group", grows)
    checks.check("plan_is_empty_beside_the_controller", lambda: terraform.plans_nothing(*grown))
    checks.check("routes_of_pods_stay", pods_routes_stay)
    checks.check("teardown", led.teardown)
    checks.check("destroy", destroyed)


def shared_network(server):
    """What a Shared VPC has before the cluster comes: a network of the host project, whose subnet service projects may use."""
    network = f"projects/{HOST}/global/networks/signpost-shared"
    server.emulate("POST", f"projects/{HOST}/global/networks", {"name": "signpost-shared", "autoCreateSubnetworks": False})
    for name, cidr in (("shared", "10.20.0.0/24"), ("other", "10.21.0.0/24")):
        subnetwork = {"name": name, "network": network, "ipCidrRange": cidr}
        server.emulate("POST", f"projects/{HOST}/regions/{REGION}/subnetworks", subnetwork)


def main():
    end_with_parent()
    folder, example, programs = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    emulator = Emulator(programs)
    server = Server(emulator.url, [PROJECT, HOST])
    Compute(server)
    Identity(server)
    Federation(server)
    server.start()
    if EXAMPLES[example][3] == HOST:
        shared_network(server)
    # Only what is needed: no credentials of a real project may be used by mistake, nor its proxy.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GOOGLE_", "GCLOUD_", "CLOUDSDK_"))}
    environment = kept | server.environment() | {
        "GOOGLE_OAUTH_ACCESS_TOKEN": "test", "HOME": "/nonexistent", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }
    checks, outcome = Checks("terraform", "project", example), "FAILED"
    try:
        terraform = Terraform(os.path.join(folder, "terraform/examples", example), environment)
        run(example, terraform, server, emulator, programs, checks)
        outcome = "ok"
    finally:
        emulator.end()
        checks.summary(outcome)


if __name__ == "__main__":
    main()
