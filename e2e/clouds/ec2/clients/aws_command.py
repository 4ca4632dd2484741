"""The aws command builds a scene, reads it and takes it down."""

import json
import os
import subprocess
import sys
import unittest

from emulator import IMAGE, REGION, URL, control

AWS = os.path.join(os.path.dirname(sys.executable), "aws")


def run(*arguments):
    """The status, standard output and standard error of one command."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": URL,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run([AWS, *arguments], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Command(unittest.TestCase):
    def ec2(self, action, *arguments):
        status, out, err = run("ec2", action, "--output", "json", *arguments)
        self.assertEqual(status, 0, err)
        return json.loads(out) if out.strip() else None

    def refused(self, code, action, *arguments):
        status, _, err = run("ec2", action, *arguments)
        self.assertNotEqual(status, 0)
        self.assertIn(f"({code})", err)

    def test_a_cluster(self):
        control("DELETE", "faults")
        ec2 = self.ec2
        vpc = ec2("create-vpc", "--cidr-block", "10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2("create-subnet", "--vpc-id", vpc, "--cidr-block", "10.0.1.0/24")
        subnet = subnet["Subnet"]["SubnetId"]
        table = ec2(
            "create-route-table", "--vpc-id", vpc, "--tag-specifications",
            "ResourceType=route-table,Tags=[{Key=cluster,Value=one}]")
        table = table["RouteTable"]["RouteTableId"]
        ec2("associate-route-table", "--route-table-id", table, "--subnet-id", subnet)
        plain = ec2(
            "run-instances", "--image-id", IMAGE, "--instance-type", "t3.medium",
            "--subnet-id", subnet)["Instances"][0]["InstanceId"]
        double = ec2(
            "run-instances", "--image-id", IMAGE, "--instance-type", "t3.medium",
            "--network-interfaces", f"DeviceIndex=0,SubnetId={subnet}",
            f"DeviceIndex=1,SubnetId={subnet}")["Instances"][0]
        interface = double["NetworkInterfaces"][0]["NetworkInterfaceId"]
        double = double["InstanceId"]

        at = ["--route-table-id", table, "--destination-cidr-block"]
        created = ec2("create-route", *at, "10.1.7.7/24", "--instance-id", plain)
        self.assertEqual(created, {"Return": True})
        self.refused("InvalidInstanceID", "create-route", *at, "10.2.0.0/24", "--instance-id", double)
        ec2("create-route", *at, "10.2.0.0/24", "--network-interface-id", interface)
        self.refused(
            "RouteAlreadyExists", "create-route", *at, "10.1.7.0/24", "--network-interface-id",
            interface)
        ec2("replace-route", *at, "10.1.7.0/24", "--network-interface-id", interface)
        ec2(
            "create-route", "--route-table-id", table, "--destination-ipv6-cidr-block",
            "fd00:1::/64", "--instance-id", plain)
        ec2("modify-instance-attribute", "--instance-id", plain, "--no-source-dest-check")
        ec2(
            "modify-network-interface-attribute", "--network-interface-id", interface,
            "--no-source-dest-check")
        shown = ec2(
            "describe-route-tables", "--page-size", "5",
            "--filters", "Name=tag:cluster,Values=one", f"Name=vpc-id,Values={vpc}",
            "--query", "RouteTables[].Routes[?Origin=='CreateRoute'].[State,InstanceId]")
        self.assertEqual(
            shown, [[["active", double], ["active", double], ["active", plain]]])
        ec2("terminate-instances", "--instance-ids", double)
        ec2("wait", "instance-terminated", "--instance-ids", double)
        shown = ec2(
            "describe-route-tables", "--route-table-ids", table,
            "--query", "RouteTables[0].Routes[?Origin=='CreateRoute'].State")
        self.assertEqual(shown, ["blackhole", "blackhole", "active"])
        ec2("delete-route", *at, "10.1.7.0/24")
        self.refused("InvalidRoute.NotFound", "delete-route", *at, "10.1.7.0/24")
        checks = ec2(
            "describe-instances", "--filters", f"Name=vpc-id,Values={vpc}",
            "--query", "Reservations[].Instances[].SourceDestCheck")
        self.assertEqual(checks, [False])

        status, out, err = run(
            "service-quotas", "get-service-quota", "--service-code", "vpc", "--quota-code",
            "L-93826ACB", "--query", "Quota.Value", "--output", "text")
        self.assertEqual((status, out.strip()), (0, "500.0"), err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
