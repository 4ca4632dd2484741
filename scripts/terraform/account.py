"""Applies the examples of terraform/ to an account that moto plays, and has Signpost's controller lead to what they made:
apply, an empty plan, routes to each node by the rights that the instances have, a change, an empty plan, teardown, destroy.
Runs with the Python of moto's environment:

    account.py FOLDER EXAMPLE PROGRAMS

FOLDER is a copy of terraform/ and manifests/, which is written to; PROGRAMS has signpost-controller and test-control-plane.
Prints a line for each check, as cargo test does.
"""

import json
import logging
import os
import signal
import sys

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import machine
import rights
from checks import Checks, end_with_parent, equal, eventually
from cluster import ApiServer, Controller
from mended_moto import ThreadedMotoServer
from runs import Terraform

REGION = "eu-central-1"
CLUSTER_TAG = "kubernetes.io/cluster/"
# Name, zones and families of each example.
CLUSTERS = {"aws-small": ("signpost-small", 1, 1), "aws-three-zones": ("signpost-zones", 3, 2)}


class Account:
    def __init__(self, endpoint, key):
        def client(service):
            return boto3.client(service, region_name=REGION, endpoint_url=endpoint, **key)
        self.endpoint = endpoint
        self.ec2, self.iam, self.ssm = client("ec2"), client("iam"), client("ssm")

    def role(self, instance):
        """The role that an instance's programs have by its profile, and its credentials."""
        profile = instance["IamInstanceProfile"]["Arn"].split("/")[-1]
        (role,) = self.iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
        return role["RoleName"], rights.assumed(REGION, role["RoleName"], instance["InstanceId"])

    def tagged(self, kind, cluster):
        by_tag = [{"Name": "tag-key", "Values": [CLUSTER_TAG + cluster]}]
        return getattr(self.ec2, f"describe_{kind}")(Filters=by_tag)

    def tables(self, cluster):
        return self.tagged("route_tables", cluster)["RouteTables"]

    def instances(self, cluster):
        found = [i for r in self.tagged("instances", cluster)["Reservations"] for i in r["Instances"]]
        return [i for i in found if i["State"]["Name"] == "running"]

    def routes(self, cluster):
        return sorted(
            (t["RouteTableId"], r.get("DestinationCidrBlock") or r.get("DestinationIpv6CidrBlock"), r["NetworkInterfaceId"])
            for t in self.tables(cluster) for r in t["Routes"] if r.get("NetworkInterfaceId")
        )

    def unchecked(self, cluster):
        """Whether each instance's interface lets packets of others through."""
        return all(
            interface["SourceDestCheck"] is False
            for instance in self.instances(cluster) for interface in instance["NetworkInterfaces"]
        )


def named(instance):
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}["Name"]


def told(user_data):
    """The files of a machine's user data, of which EC2 takes 16 KiB as they are sent."""
    return machine.cloud_init(machine.text_of(user_data), len(user_data), 16384)


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 403, str(error))
    else:
        raise AssertionError(f"{call.__name__} {arguments} was allowed")


class Signpost:
    """The controller of a cluster that an example made."""

    def __init__(self, terraform, account, cluster, programs, folder):
        self.terraform, self.account, self.cluster, self.programs = terraform, account, cluster, programs
        self.folder, self.api_server, self.controller = folder, None, None

    def start(self):
        self.api_server = ApiServer(self.programs)
        self.api_server.kubectl("apply", "--server-side", "-k", os.path.join(self.folder, "manifests/aws"))
        self.join()
        self.api_server.apply(self.terraform.output("podnetwork"))
        worker = next(of for of in self.account.instances(self.cluster) if not named(of).endswith("control-plane"))
        environment = {
            "AWS_ENDPOINT_URL": self.account.endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": rights.Metadata(*self.account.role(worker)).url,
        }
        log = os.path.join(self.folder, f"{self.cluster}-controller.log")
        self.controller = Controller(self.programs, self.api_server, log, environment)
        self.leads()

    def join(self):
        self.api_server.join({
            of["PrivateDnsName"]: f"aws:///{of['Placement']['AvailabilityZone']}/{of['InstanceId']}"
            for of in self.account.instances(self.cluster)
        })

    def wanted(self):
        """Each node's subnets lead to its instance in each table."""
        subnets = self.api_server.subnets()
        interfaces = {
            of["InstanceId"]: of["NetworkInterfaces"][0]["NetworkInterfaceId"] for of in self.account.instances(self.cluster)
        }
        assert set(subnets) == set(interfaces), f"nodes {set(subnets)}, instances {set(interfaces)}"
        return sorted(
            (table["RouteTableId"], subnet, interfaces[instance])
            for table in self.account.tables(self.cluster) for instance in interfaces for subnet in subnets[instance]
        )

    def leads(self):
        def holds():
            found, wanted = self.account.routes(self.cluster), self.wanted()
            return found == wanted and all(self.api_server.subnets().values()) and self.account.unchecked(self.cluster)
        def why():
            found, wanted = set(self.account.routes(self.cluster)), set(self.wanted())
            return f"missing {wanted - found}, too many {found - wanted}\n{self.api_server.network()}\n{self.controller.said()}"
        eventually("routes to each node in each table, by interfaces without checks", holds, why)

    def teardown(self):
        self.api_server.kubectl("delete", "podnetwork", "default", "--timeout=60s")
        equal(self.account.routes(self.cluster), [], "routes after the PodNetwork")
        self.controller.end()
        self.controller = None
        self.api_server.end()


def run(example, terraform, account, signpost, checks):
    cluster, zones, families = CLUSTERS[example]
    workers = 2 if zones == 1 else 3
    image = account.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    given = [f"-var=ami_id={image}"]
    grown = [*given, f"-var=workers={{min={workers + 1}}}"]

    def made():
        equal(len(account.tables(cluster)), zones, "route tables with the cluster's tag")
        equal(len(account.instances(cluster)), workers + 1, "running instances with the cluster's tag")

    def by_tokens_only():
        (control_plane,) = [i for i in account.instances(cluster) if named(i) == f"{cluster}-control-plane"]
        template = account.ec2.describe_launch_template_versions(LaunchTemplateName=f"{cluster}-workers")
        (version,) = template["LaunchTemplateVersions"]
        for of in (control_plane, version["LaunchTemplateData"]):
            equal(of["MetadataOptions"]["HttpTokens"], "required", "tokens for metadata")
            equal(of["MetadataOptions"]["HttpPutResponseHopLimit"], 2, "hop limit of metadata")

    def control_plane_forwards():
        names = {"Name": "tag:Name", "Values": [f"{cluster}-control-plane"]}
        (interface,) = account.ec2.describe_network_interfaces(Filters=[names])["NetworkInterfaces"]
        equal(interface["SourceDestCheck"], False, "check of the control plane's interface")
        assert interface["Attachment"]["InstanceId"], "the control plane's interface is not attached"

    def policy_is_the_manifests():
        (policy,) = [p for p in account.iam.list_policies(Scope="Local")["Policies"] if p["PolicyName"].startswith(cluster)]
        version = account.iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        with open(os.path.join(terraform.folder, "../../../manifests/aws/iam-policy.json"), encoding="utf-8") as file:
            wanted = json.loads(file.read().replace("CLUSTER_NAME", cluster))
        equal(version["PolicyVersion"]["Document"], wanted, "the policy")

    def machines_are_told():
        template = account.ec2.describe_launch_template_versions(LaunchTemplateName=f"{cluster}-workers")
        user_data = {"workers": template["LaunchTemplateVersions"][0]["LaunchTemplateData"]["UserData"]}
        worker = told(user_data["workers"])
        join = machine.kubeadm(worker)["JoinConfiguration"]
        (control_plane,) = [i for i in account.instances(cluster) if named(i) == f"{cluster}-control-plane"]
        endpoint = f"{control_plane['PrivateIpAddress']}:6443"
        equal(join["discovery"]["bootstrapToken"]["apiServerEndpoint"], endpoint, "whom workers join")
        data = account.ec2.describe_instance_attribute(InstanceId=control_plane["InstanceId"], Attribute="userData")
        user_data["control-plane"] = data["UserData"]["Value"]
        init = machine.kubeadm(told(user_data["control-plane"]))["ClusterConfiguration"]
        equal(init["controlPlaneEndpoint"], endpoint, "the control plane's address")
        manager = {of["name"]: of["value"] for of in init["controllerManager"]["extraArgs"]}
        equal(manager["allocate-node-cidrs"], "false", "whether another allocator works")
        equal(len(init["networking"]["podSubnet"].split(",")), families, "families of pods")
        machine.hand_over(signpost.folder, example, {role: machine.text_of(said) for role, said in user_data.items()})

    def podnetwork_fits():
        definition = os.path.join(terraform.folder, "../../../manifests/crd/podnetworks.signpost.dev.yaml")
        spec = machine.podnetwork(terraform.output("podnetwork"), definition)["spec"]
        (vpc,) = account.tagged("vpcs", cluster)["Vpcs"]
        equal(spec["cloud"]["aws"], {"clusterName": cluster, "region": REGION, "vpcID": vpc["VpcId"]}, "the cloud")
        equal(len(spec["pools"]), families, "pools")

    def joins_without_state():
        name = f"/kubernetes/{cluster}/join"
        keys = {named(of).split("-")[-1]: account.role(of)[1] for of in account.instances(cluster)}
        plane, worker = (boto3.client("ssm", region_name=REGION, endpoint_url=account.endpoint, **keys[of])
                         for of in ("plane", "worker"))
        secret = {"Name": name, "Value": "a-token sha256:a-hash", "Type": "SecureString", "Overwrite": True}
        refused(worker.put_parameter, **secret)
        plane.put_parameter(**secret)
        terraform.apply(*given)
        value = worker.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
        equal(value, "a-token sha256:a-hash", "what the control plane wrote")
        with open(os.path.join(terraform.folder, "terraform.tfstate"), encoding="utf-8") as file:
            assert "a-token" not in file.read(), "the state has the token"

    def nothing_else_is_allowed():
        (instance, *_) = account.instances(cluster)
        ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=account.endpoint, **account.role(instance)[1])
        (interface, *_) = instance["NetworkInterfaces"]
        main = account.ec2.describe_route_tables(Filters=[
            {"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [instance["VpcId"]]},
        ])["RouteTables"][0]["RouteTableId"]
        route = {"DestinationCidrBlock": "10.1.0.0/24", "NetworkInterfaceId": interface["NetworkInterfaceId"]}
        refused(ec2.create_route, RouteTableId=main, **route)
        refused(ec2.terminate_instances, InstanceIds=[instance["InstanceId"]])
        refused(ec2.modify_network_interface_attribute, NetworkInterfaceId=interface["NetworkInterfaceId"],
                SourceDestCheck={"Value": True})

    def grows():
        terraform.apply(*grown)
        equal(len(account.instances(cluster)), workers + 2, "running instances with the cluster's tag")
        signpost.join()
        signpost.leads()
        equal(len(account.routes(cluster)), (workers + 2) * zones * families, "pods' routes")

    def pods_routes_stay():
        before = account.routes(cluster)
        terraform.apply(*grown)
        equal(account.routes(cluster), before, "pods' routes after an apply")

    def destroyed():
        terraform.run("destroy", "-auto-approve", "-input=false", "-no-color", *grown)
        equal(terraform.run("state", "list"), "", "what is left in the state")
        for found in (account.tables(cluster), account.instances(cluster)):
            equal(found, [], "what is left with the cluster's tag")

    checks.check("init", lambda: terraform.run("init", "-input=false", "-no-color"))
    checks.check("apply", lambda: terraform.apply(*given))
    checks.check("plan_is_empty", lambda: terraform.plans_nothing(*given))
    checks.check("tables_and_instances_are_tagged", made)
    checks.check("metadata_by_tokens_only", by_tokens_only)
    checks.check("control_plane_forwards", control_plane_forwards)
    checks.check("policy_is_that_of_the_manifests", policy_is_the_manifests)
    checks.check("machines_are_told", machines_are_told)
    checks.check("podnetwork_fits_its_definition", podnetwork_fits)
    checks.check("token_stays_and_is_not_in_the_state", joins_without_state)
    checks.check("controller_leads_to_each_node", signpost.start)
    checks.check("instances_may_do_nothing_else", nothing_else_is_allowed)
    checks.check("controller_follows_the_group", grows)
    checks.check("plan_is_empty_beside_the_controller", lambda: terraform.plans_nothing(*grown))
    checks.check("routes_of_pods_stay", pods_routes_stay)
    checks.check("teardown", signpost.teardown)
    checks.check("destroy", destroyed)


def main():
    end_with_parent()
    folder, example, programs = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://127.0.0.1:{}".format(server.get_host_and_port()[1])
    nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nobody"}
    administrator = rights.enforce(boto3.client("iam", region_name=REGION, endpoint_url=endpoint, **nobody))
    # Only what is needed: no profile and no credentials of a real account may be used by mistake.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": endpoint, **{name.upper(): value for name, value in administrator.items()},
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }
    checks, outcome = Checks("terraform", "account", example), "FAILED"
    terraform = Terraform(os.path.join(folder, "terraform/examples", example), environment)
    account = Account(endpoint, administrator)
    try:
        run(example, terraform, account, Signpost(terraform, account, CLUSTERS[example][0], programs, folder), checks)
        outcome = "ok"
    finally:
        server.stop()
        checks.summary(outcome)


if __name__ == "__main__":
    main()
