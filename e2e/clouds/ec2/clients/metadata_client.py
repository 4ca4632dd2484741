"""boto3 on an instance: region and credentials come from the metadata service."""

import unittest

import boto3
from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.utils import IMDSRegionProvider

from emulator import IMAGE, REGION, URL, calls_after, control, last_call


class Metadata(unittest.TestCase):
    def test_an_instance_acts_in_its_role(self):
        keys = {"aws_access_key_id": "AKIAADMIN", "aws_secret_access_key": "secret"}
        admin = boto3.client("ec2", region_name=REGION, endpoint_url=URL, **keys)
        vpc = admin.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = admin.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        instance = admin.run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet,
            IamInstanceProfile={"Name": "control-plane"})["Instances"][0]["InstanceId"]
        control("PUT", "imds", {"instance": instance})

        self.assertEqual(IMDSRegionProvider(get_session()).provide(), REGION)
        session = boto3.Session()
        credentials = session.get_credentials()
        self.assertEqual(credentials.method, "iam-role")
        before = last_call()
        session.client("ec2", region_name=REGION, endpoint_url=URL).describe_vpcs()
        (call,) = calls_after(before, "DescribeVpcs")
        self.assertEqual(call["caller"], credentials.access_key)

        key = credentials.access_key
        control("POST", "faults", {"kind": "expired", "caller": key})
        with self.assertRaises(ClientError) as refused:
            session.client("ec2", region_name=REGION, endpoint_url=URL).describe_vpcs()
        self.assertEqual(refused.exception.response["Error"]["Code"], "RequestExpired")


if __name__ == "__main__":
    unittest.main(verbosity=2)
