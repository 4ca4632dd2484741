"""Whose calls moto answers: the administrator's, and those that the roles allow which Terraform has made.

moto looks for the policies of whoever signed a call and compares actions. What it lacks is added here: the resource that a call
is about and the keys of its conditions, after the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/, list_amazonec2.html and list_awssystemsmanager.html).
"""

import fnmatch
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.exceptions import _RESTError
from moto.ec2.models import ec2_backends
from moto.iam.access_control import IAMPolicy, IAMPolicyStatement, IAMRequest, PermissionResult
from moto.sts.models import sts_backends

# Which parameter names the resource of a call; the calls that are not here know none.
RESOURCES = {
    "CreateRoute": ("route-table", "RouteTableId"),
    "ReplaceRoute": ("route-table", "RouteTableId"),
    "DeleteRoute": ("route-table", "RouteTableId"),
    "ModifyNetworkInterfaceAttribute": ("network-interface", "NetworkInterfaceId"),
}

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS = {
    "StringEquals": lambda said, wanted: said == wanted,
    "StringEqualsIgnoreCase": lambda said, wanted: said.lower() == wanted.lower(),
    "ArnLike": fnmatch.fnmatchcase,
}


class Unauthorized(_RESTError):
    """What EC2 says, where moto says what most services do."""

    code = 403

    def __init__(self):
        super().__init__("UnauthorizedOperation", "You are not authorized to perform this operation.")


def about(request):
    """The resource that a call is about, and what is known of it."""
    service, action = request._action.split(":")
    if service == "ssm":
        return f"arn:aws:ssm:{request._region}:{ACCOUNT}:parameter{json.loads(request._body).get('Name', '')}", {}
    kind, parameter = RESOURCES.get(action, (None, None))
    if service != "ec2" or kind is None:
        return "*", {}
    given = {name: value[0] if isinstance(value, list) else value for name, value in request._data.items()}
    name = given.get(parameter, "")
    ec2 = ec2_backends[ACCOUNT][request._region]
    prefix = f"arn:aws:ec2:{request._region}:{ACCOUNT}"
    known = {f"aws:ResourceTag/{tag['key']}": tag["value"] for tag in ec2.describe_tags({"resource-id": [name]})}
    table = ec2.route_tables.get(name)
    interface = ec2.enis.get(name)
    vpc = table.vpc_id if table else interface.subnet.vpc_id if interface else None
    if vpc:
        known["ec2:Vpc"] = f"{prefix}:vpc/{vpc}"
    if "SourceDestCheck.Value" in given:
        known["ec2:Attribute/SourceDestCheck"] = given["SourceDestCheck.Value"]
    return f"{prefix}:{kind}/{name}", known


def check_action_permitted(request, _resource):
    resource, known = about(request)
    policies = [IAMPolicy(of) for of in request._access_key.collect_policies()]
    results = {policy.is_action_permitted(request._action, resource, None, known) for policy in policies}
    if PermissionResult.DENIED in results or PermissionResult.PERMITTED not in results:
        if request._service == "ec2":
            raise Unauthorized
        request._raise_access_denied()


def conditions_hold(statement, known):
    """A key that a call does not have fails these operators; one that is not known here is an error."""
    for operator, wanted in statement._statement.get("Condition", {}).items():
        holds = OPERATORS[operator]
        for key, values in wanted.items():
            values = [values] if isinstance(values, str) else values
            if key not in (known or {}) or not any(holds(known[key], value) for value in values):
                return False
    return True


def enforce(iam):
    """From now on calls are answered by rights alone. Gives the key of an administrator, made with a client of IAM."""
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="administrator")
    iam.put_user_policy(UserName="administrator", PolicyName="anything", PolicyDocument=json.dumps(anything))
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    IAMRequest.check_action_permitted = check_action_permitted
    IAMPolicyStatement._check_conditions = conditions_hold
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def assumed(region, role, session):
    """Credentials of a role, as EC2 gets them for an instance with it."""
    role = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name=region, role_session_name=session, role_arn=f"arn:aws:iam::{ACCOUNT}:role/{role}", policy=None,
        duration=3600, external_id=None,
    )
    return {
        "aws_access_key_id": role.access_key_id, "aws_secret_access_key": role.secret_access_key,
        "aws_session_token": role.session_token,
    }


class Metadata:
    """What an instance's metadata say of its role, by tokens only:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
    """

    def __init__(self, role, credentials):
        at = "/latest/meta-data/iam/security-credentials/"
        said = {
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
            "AccessKeyId": credentials["aws_access_key_id"], "SecretAccessKey": credentials["aws_secret_access_key"],
            "Token": credentials["aws_session_token"],
        }
        pages = {at: role, at + role: json.dumps(said)}

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status, text):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                # The SDKs take no token without the time for which it holds.
                self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self):
                self.answer(*((200, "a-token") if self.path == "/latest/api/token" else (404, "")))

            def do_GET(self):
                if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
                    self.answer(401, "")
                else:
                    self.answer(*((200, pages[self.path]) if self.path in pages else (404, "")))

            def log_message(self, *_):
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
