"""Holds every request and answer in an emulator's log against the discovery document of Compute Engine.

    discovery.py URL [--complete]

The document is Google's own description of the API, bundled with google-api-python-client. With
--complete, every method that the emulator has must have succeeded at least once.
"""

import json
import pathlib
import re
import sys
import urllib.request

import googleapiclient

FOLDER = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache/documents"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[-+]\d\d:\d\d")


def methods(resource):
    """The methods of a resource, and those of the resources in it."""
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from methods(inner)


class Document:
    """Methods and schemas of an API, and what disagrees with them."""

    def __init__(self, name="compute.v1"):
        self.document = json.loads((FOLDER / f"{name}.json").read_text())
        self.schemas = self.document["schemas"]
        api = self.document["name"]
        self.methods = {method["id"].removeprefix(f"{api}."): method for method in methods(self.document)}
        self.problems = []

    def problem(self, where, text):
        self.problems.append(f"{where}: {text}")

    def value(self, schema, value, where):
        """Checks a value against a schema."""
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        if kind == "object":
            self.members(schema, value, where)
        elif kind == "array":
            if not isinstance(value, list):
                self.problem(where, "is no list")
                return
            for index, member in enumerate(value):
                self.value(schema["items"], member, f"{where}[{index}]")
        elif kind == "string":
            self.string(schema, value, where)
        elif kind == "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                self.problem(where, f"{value!r} is no integer")
        elif kind == "number":
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                self.problem(where, f"{value!r} is no number")
        elif kind == "boolean" and not isinstance(value, bool):
            self.problem(where, f"{value!r} is no boolean")

    def members(self, schema, value, where):
        if not isinstance(value, dict):
            self.problem(where, "is no object")
            return
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, member in value.items():
            if name in properties:
                self.value(properties[name], member, f"{where}.{name}")
            elif others is not None:
                self.value(others, member, f"{where}.{name}")
            else:
                self.problem(where, f"{name} is not known")

    def string(self, schema, value, where):
        if not isinstance(value, str):
            self.problem(where, f"{value!r} is no string")
            return
        kind = schema.get("format")
        if kind in ("uint64", "int64") and not value.isdigit():
            self.problem(where, f"{value!r} is no {kind}")
        if kind == "byte" and not re.fullmatch(r"[-_A-Za-z0-9+/]*={0,2}", value):
            self.problem(where, f"{value!r} is not in base 64")
        if "enum" in schema and value not in schema["enum"]:
            self.problem(where, f"{value!r} is none of {schema['enum']}")
        if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
            self.problem(where, f"{value!r} does not match {schema['pattern']}")
        if where.endswith(("Timestamp", "Time")) and not DATE.fullmatch(value):
            self.problem(where, f"{value!r} is no date as Google writes it")

    def parameter(self, schema, text, where):
        """A parameter is a text, whatever its type."""
        kind = schema.get("type")
        if kind == "integer":
            number = int(text)
            if not int(schema.get("minimum", number)) <= number <= int(schema.get("maximum", number)):
                self.problem(where, f"{number} is out of bounds")
        elif kind == "boolean":
            # gcloud writes them as Python does.
            if text.lower() not in ("true", "false"):
                self.problem(where, f"{text!r} is no boolean")
        else:
            self.string(schema, text, where)

    def request(self, name, call, where):
        method = self.methods[name]
        known = {**self.document["parameters"], **method["parameters"]}
        for parameter, text in call["parameters"].items():
            if parameter in known:
                self.parameter(known[parameter], text, f"{where}.{parameter}")
            # Lists have it, say their descriptions; the document of the client has not.
            elif parameter == "returnPartialSuccess" and "maxResults" in method["parameters"]:
                self.parameter({"type": "boolean"}, text, f"{where}.{parameter}")
            # The log adds the name in a body; parameters that begin with a dollar are the system's.
            elif parameter != "name" and not parameter.startswith("$"):
                self.problem(where, f"{parameter} is not known")
        for parameter, schema in method["parameters"].items():
            if schema.get("required") and parameter not in call["parameters"]:
                self.problem(where, f"lacks {parameter}")
        text = call["requestBody"]
        if "request" not in method:
            if text not in ("", "{}"):
                self.problem(where, f"takes no body, got {text}")
            return
        body = json.loads(text)
        self.value(method["request"], body, where)
        for member, schema in self.schemas[method["request"]["$ref"]]["properties"].items():
            required = schema.get("annotations", {}).get("required", [])
            if f"compute.{name}" in required and member not in body:
                self.problem(where, f"lacks {member}")

    def answer(self, name, call, where):
        method, text = self.methods[name], call["responseBody"]
        if "response" not in method:
            if text:
                self.problem(where, f"answers {text}")
        elif "fields" not in call["parameters"]:
            self.value(method["response"], json.loads(text), where)

    def refusal(self, call, where):
        error = json.loads(call["responseBody"])["error"]
        if error["code"] != call["status"] or not error["message"]:
            self.problem(where, f"says {error}")
        (only,) = error["errors"]
        if only["reason"] != call["error"] or only["message"] != error["message"]:
            self.problem(where, f"says {error}")

    def call(self, call):
        name = call["action"]
        where = f"call {call['id']} {name}"
        if call["status"] is None:
            return
        if call["status"] not in (200, 204):
            self.refusal(call, where)
            return
        self.request(name, call, f"{where} request")
        self.answer(name, call, f"{where} answer")


def control(url, path):
    with urllib.request.urlopen(f"{url}/_control/{path}") as answer:
        return json.load(answer)


def main():
    url = sys.argv[1]
    document = Document()
    calls = control(url, "calls")
    for call in calls:
        document.call(call)
    succeeded = {call["action"] for call in calls if call["status"] in (200, 204)}
    if "--complete" in sys.argv:
        for action in sorted(set(control(url, "actions")) - succeeded):
            document.problem(action, "never succeeded")
    print(f"{len(calls)} calls of {len(succeeded)} methods held against the document")
    if not calls:
        document.problem("log", "is empty")
    for problem in document.problems:
        print(problem)
    sys.exit(bool(document.problems))


if __name__ == "__main__":
    main()
