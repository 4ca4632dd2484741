"""Google's APIs as Terraform's provider calls them, on loopback: networks, routes and instances are those of the emulator of
Compute Engine, what that lacks is in compute.py and identity.py.

Google's own discovery documents, bundled with google-api-python-client, say which methods there are. Each request is held
against them before anything else: unknown names, wrong types, values of no enumeration and missing members are refused. What is
beyond the documents has its source beside it, or is assumed and says so.
"""

import base64
import http.client
import http.server
import json
import re
import threading
import time
import urllib.parse

from discovery import Document

# Where each API is below this server, and the document that describes it.
APIS = {
    "compute": "compute.v1", "iam": "iam.v1", "resourcemanager": "cloudresourcemanager.v1", "secretmanager": "secretmanager.v1",
    "billing": "cloudbilling.v1", "sts": "sts.v1", "iamcredentials": "iamcredentials.v1",
}
# A name that is in no document, which the provider (8.0.0) sends empty in `routers.patch`. That Google takes it is assumed, as the
# provider's own tests make such routers.
SENT_EMPTY = "initialNatIps"


class Refusal(Exception):
    """An answer that is an error, in Google's form."""

    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def body(self):
        names = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 409: "ALREADY_EXISTS"}
        return {"error": {
            "code": self.status, "message": self.message, "status": names.get(self.status, "UNKNOWN"),
            "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
        }}


def not_found(what):
    return Refusal(404, "notFound", f"The resource '{what}' was not found")


class Api:
    """A document, and the requests that its methods mean."""

    def __init__(self, name):
        self.document = Document(name)
        self.lock = threading.Lock()
        service = self.document.document["servicePath"]
        self.forms = [
            (method["httpMethod"], re.compile(service + self.form(method)), name) for name, method in self.document.methods.items()
        ]

    @staticmethod
    def form(method):
        """The path of a method, in which its parameters are groups."""
        def group(found):
            name = found.group(1).lstrip("+")
            pattern = method["parameters"][name].get("pattern", "^[^/]+$") if "+" in found.group(1) else "^[^/]+$"
            # A colon begins what is to be done.
            pattern = pattern.replace("[^/]", "[^/:]")
            return f"(?P<{name}>{pattern.removeprefix('^').removesuffix('$')})"
        return re.sub(r"\{([^}]*)\}", group, method["path"])

    def find(self, verb, path):
        for of, form, name in self.forms:
            found = form.fullmatch(path) if of == verb else None
            if found:
                return name, found.groupdict()
        raise not_found(f"{verb} {path}")

    def hold(self, name, parameters, text):
        """Refuses what is not as the document says."""
        with self.lock:
            self.document.problems = []
            self.document.request(name, {"parameters": parameters, "requestBody": text}, name)
            if self.document.problems:
                raise Refusal(400, "invalid", f"Invalid JSON payload received: {'; '.join(self.document.problems)}")

    def has(self, schema, member):
        return member in self.document.schemas[schema]["properties"]


def without_nulls(value):
    """What a null stands for is that nothing was given ("null is an accepted value for all field types", ProtoJSON)."""
    if isinstance(value, dict):
        return {name: without_nulls(of) for name, of in value.items() if of is not None and (name, of) != (SENT_EMPTY, [])}
    return [without_nulls(of) for of in value] if isinstance(value, list) else value


class Call:
    """One request: the parameters of path and query, and the body."""

    def __init__(self, name, parameters, body, base):
        self.name, self.parameters, self.body, self.base = name, parameters, body, base

    def __getitem__(self, parameter):
        return self.parameters[parameter]


class Store:
    """What there is, by path, such as projects/P/global/firewalls/F; and the numbers of projects."""

    def __init__(self, projects):
        self.resources, self.lock, self.count = {}, threading.RLock(), 1000
        self.numbers = {project: str(100000000001 + index) for index, project in enumerate(projects)}

    def number(self):
        self.count += 1
        return str(self.count)

    def get(self, path):
        if path not in self.resources:
            raise not_found(path)
        return self.resources[path]

    def put(self, path, resource):
        if path in self.resources:
            raise Refusal(409, "alreadyExists", f"The resource '{path}' already exists")
        self.resources[path] = resource
        return resource

    def remove(self, path):
        self.get(path)
        del self.resources[path]

    def policy(self, path, given=None):
        """The policy of a resource. Who sets one names the etag of the one before: else it is aborted, and tried again
        (the discovery documents, `Policy.etag`)."""
        held = self.resources.setdefault(f"{path}:policy", {"version": 1, "etag": "AAAA", "bindings": []})
        if given is None:
            return held
        if given.get("etag", held["etag"]) != held["etag"]:
            raise Refusal(409, "aborted", "There were concurrent policy changes. Please retry the whole read-modify-write.")
        bindings = [of for of in given.get("bindings", []) if of.get("members")]
        held = {**given, "etag": base64.b64encode(self.number().encode()).decode(), "bindings": bindings}
        self.resources[f"{path}:policy"] = held
        return held


class Handler(http.server.BaseHTTPRequestHandler):
    """Finds the method, holds the request against its document, and lets those answer who know it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parts = urllib.parse.urlsplit(self.path)
        status = 200
        try:
            status, said = self.server.answered(self.command, parts, text, self.headers)
        except Refusal as refusal:
            status, said = refusal.status, json.dumps(refusal.body())
        except Exception as error:  # a mistake in this program: the provider must not wait for it
            status, said = 501, json.dumps(Refusal(501, "notImplemented", f"{type(error).__name__}: {error}").body())
        self.server.calls.append((time.monotonic(), self.command, self.path, text, status, said))
        said = said.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    """All APIs of some projects. `knowing` make answers: objects with a table of functions by API and method."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, emulator, projects):
        super().__init__(("127.0.0.1", 0), Handler)
        self.emulator = urllib.parse.urlsplit(emulator)
        self.apis = {name: Api(of) for name, of in APIS.items()}
        self.store, self.calls, self.methods = Store(projects), [], {}
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.emulated = set(json.loads(self.forward("GET", "/_control/actions", "")[1]))

    def start(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def environment(self):
        """What tells the provider where these APIs are."""
        names = {
            "compute": "compute/v1", "iam_beta": "iam/v1", "resource_manager": "resourcemanager/v1",
            "secret_manager": "secretmanager/v1", "cloud_billing": "billing/v1",
        }
        return {f"GOOGLE_{name.upper()}_CUSTOM_ENDPOINT": f"{self.url}/{path}/" for name, path in names.items()}

    def forward(self, verb, path, text, headers=None):
        """The emulator's answer. It makes links from the name by which it is called: it hears this server's."""
        connection = http.client.HTTPConnection(self.emulator.hostname, self.emulator.port, timeout=150)
        passed = {name: value for name, value in (headers or {}).items() if name.lower() in ("authorization", "content-type")}
        passed["Host"] = self.url.removeprefix("http://")
        connection.request(verb, path, body=text.encode() or None, headers=passed)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, said

    def emulate(self, verb, path, body=None):
        """A request to the emulator below its project; its refusal is ours."""
        status, said = self.forward(verb, f"/compute/v1/{path}", "" if body is None else json.dumps(body))
        if status >= 300:
            error = json.loads(said)["error"]
            raise Refusal(status, error["errors"][0]["reason"], error["message"])
        return json.loads(said)

    def answered(self, verb, parts, text, headers):
        _, api, rest = parts.path.split("/", 2)
        if api not in self.apis:
            raise not_found(parts.path)
        # Compute's document has the version in the path of the service, the others have it in that of each method.
        path = f"{api}/{rest}" if api == "compute" else rest
        name, parameters = self.apis[api].find(verb, urllib.parse.unquote(path))
        parameters |= dict(urllib.parse.parse_qsl(parts.query))
        if headers.get("Content-Type") == "application/x-www-form-urlencoded":  # OAuth's form of what the document has in JSON
            given = urllib.parse.parse_qsl(text)
            text = json.dumps({re.sub("_([a-z])", lambda of: of[1].upper(), name): value for name, value in given})
        body = without_nulls(json.loads(text or "{}"))
        text = json.dumps(body) if text else ""
        self.apis[api].hold(name, parameters, text)
        call = Call(name, parameters, body, f"{self.url}/compute/v1/")
        own = self.methods.get((api, name))
        if own is not None:
            with self.store.lock:
                answer = own(call)
            if answer is not None:
                return 200, json.dumps(answer)
        if api == "compute" and name in self.emulated:
            # Who looked at the call may have added to its body.
            return self.forward(verb, f"{parts.path}?{parts.query}".rstrip("?"), json.dumps(call.body) if text else "", headers)
        raise Refusal(501, "notImplemented", f"{api}.{name} is not played")
