"""What the tests of all clients need: where the emulator is, and its control path."""

import json
import os
import urllib.request

URL = os.environ["GCE_URL"]
PROJECT = "example"
REGION = "europe-west3"
ZONE = "europe-west3-a"


def control(method, path, body=None):
    """A request of the control path, and its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_control/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def fault(kind, *actions, count=1):
    control("POST", "faults", {"kind": kind, "actions": actions, "count": count})


def settings(**change):
    control("PATCH", "settings", change)


def calls(action):
    return control("GET", f"calls?action={action}")
