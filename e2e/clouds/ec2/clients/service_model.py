"""Holds every request and answer in an emulator's log against botocore's model of EC2.

    service_model.py URL [--complete]

The model is Amazon's own description of the API, made by neither party. With --complete, every action
that the emulator has must have succeeded at least once.
"""

import datetime
import json
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

import botocore.session

NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
# The service answers what its model does not list: "available" is the state of an internet gateway's
# attachment in every example of the API reference.
ALSO_VALID = {("AttachmentStatus", "available")}


class Model:
    """The shapes of one service, and what disagrees with them."""

    def __init__(self):
        self.service = botocore.session.get_session().get_service_model("ec2")
        self.problems = []

    def problem(self, where, text):
        self.problems.append(f"{where}: {text}")

    def value(self, shape, text, where):
        """Checks a text against a simple shape."""
        kind = shape.type_name
        if kind in ("integer", "long"):
            try:
                number = int(text)
            except ValueError:
                self.problem(where, f"{text!r} is no integer")
                return
            low, high = shape.metadata.get("min"), shape.metadata.get("max")
            if (low is not None and number < low) or (high is not None and number > high):
                self.problem(where, f"{number} is not in {low}..{high}")
        elif kind == "boolean":
            if text not in ("true", "false"):
                self.problem(where, f"{text!r} is no boolean")
        elif kind == "timestamp":
            try:
                datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
            except ValueError:
                self.problem(where, f"{text!r} is no date")
        elif kind in ("float", "double"):
            float(text)
        elif kind not in ("string", "blob"):
            self.problem(where, f"is a text, not a {kind}")
        valid = getattr(shape, "enum", None)
        if valid and text not in valid and (shape.name, text) not in ALSO_VALID:
            self.problem(where, f"{text!r} is none of {valid}")

    # Requests: flat names.

    @staticmethod
    def query_name(name, shape):
        """A member's name in a request of the ec2 protocol."""
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        name = shape.serialization.get("name", name)
        return name[0].upper() + name[1:]

    def request(self, operation, parameters, where):
        shape = operation.input_shape
        tree = {}
        for name, text in parameters.items():
            if name in ("Action", "Version"):
                continue
            node = tree
            *above, last = name.split(".")
            for part in above:
                node = node.setdefault(part, {})
            node[last] = text
        if shape is None:
            if tree:
                self.problem(where, f"takes no parameters, got {sorted(tree)}")
            return
        self.request_node(shape, tree, where)

    def request_node(self, shape, node, where):
        if shape.type_name == "structure":
            members = {self.query_name(name, member): member for name, member in shape.members.items()}
            required = {self.query_name(name, shape.members[name]) for name in shape.required_members}
            for name in required - set(node):
                self.problem(where, f"lacks {name}")
            for name, below in node.items():
                if name not in members:
                    self.problem(where, f"{name} is not known")
                else:
                    self.request_node(members[name], below, f"{where}.{name}")
        elif shape.type_name == "list":
            for index, below in node.items():
                if not index.isdigit():
                    self.problem(where, f"{index!r} is no index")
                self.request_node(shape.member, below, f"{where}.{index}")
        elif isinstance(node, dict):
            self.problem(where, "is a structure")
        else:
            self.value(shape, node, where)

    # Answers: XML.

    def answer(self, operation, text, where):
        root = ElementTree.fromstring(text)
        if root.tag != f"{NAMESPACE}{operation.name}Response":
            self.problem(where, f"is a {root.tag}")
        children = list(root)
        if not children or children[0].tag != f"{NAMESPACE}requestId" or not children[0].text:
            self.problem(where, "does not begin with a request's number")
        shape = operation.output_shape
        if shape is None:
            # What the API reference shows for actions without a result.
            result = [(child.tag, child.text) for child in children[1:]]
            if result != [(f"{NAMESPACE}return", "true")]:
                self.problem(where, f"answers {result}")
            return
        self.structure(shape, children[1:], where)

    def structure(self, shape, children, where):
        members = {m.serialization.get("name", name): m for name, m in shape.members.items()}
        seen = set()
        for child in children:
            name = child.tag.removeprefix(NAMESPACE)
            if name not in members:
                self.problem(where, f"{name} is not known")
            elif name in seen:
                self.problem(where, f"{name} is there twice")
            else:
                self.element(members[name], child, f"{where}.{name}")
            seen.add(name)

    def element(self, shape, element, where):
        children = list(element)
        if shape.type_name == "structure":
            self.structure(shape, children, where)
        elif shape.type_name == "list":
            name = shape.member.serialization.get("name", "item")
            for child in children:
                if child.tag != NAMESPACE + name:
                    self.problem(where, f"{child.tag} is not the list's {name}")
                self.element(shape.member, child, f"{where}[]")
        elif children:
            self.problem(where, f"has elements, but is a {shape.type_name}")
        else:
            self.value(shape, element.text or "", where)

    def refusal(self, call, where):
        root = ElementTree.fromstring(call["responseBody"])
        code = root.findtext("Errors/Error/Code")
        if root.tag != "Response" or code != call["error"]:
            self.problem(where, f"its error is {code!r}")
        for part in ("Errors/Error/Message", "RequestID"):
            if not root.findtext(part):
                self.problem(where, f"has no {part}")

    def call(self, call):
        where = f"call {call['id']} {call['action']}"
        if call["status"] is None:
            return
        if call["status"] != 200:
            self.refusal(call, where)
            return
        operation = self.service.operation_model(call["action"])
        sent = dict(urllib.parse.parse_qsl(call["requestBody"], keep_blank_values=True))
        if sent != call["parameters"]:
            self.problem(where, "its parameters in the log are not those of the request")
        self.request(operation, sent, f"{where} request")
        self.answer(operation, call["responseBody"], f"{where} answer")


def control(url, path):
    with urllib.request.urlopen(f"{url}/_control/{path}") as answer:
        return json.load(answer)


def main():
    url = sys.argv[1]
    model = Model()
    calls = control(url, "calls")
    # The other service at this address has a model and a protocol of its own, which boto3 parses.
    calls = [call for call in calls if call["action"] != "GetServiceQuota"]
    for call in calls:
        model.call(call)
    succeeded = {call["action"] for call in calls if call["status"] == 200}
    if "--complete" in sys.argv:
        for action in sorted(set(control(url, "actions")) - succeeded):
            model.problem(action, "never succeeded")
    print(f"{len(calls)} calls of {len(succeeded)} actions held against the model")
    if not calls:
        model.problem("log", "is empty")
    for problem in model.problems:
        print(problem)
    sys.exit(bool(model.problems))


if __name__ == "__main__":
    main()
