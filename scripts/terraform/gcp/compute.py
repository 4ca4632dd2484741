"""What the emulator of Compute Engine lacks and the module uses: firewall rules, addresses, routers, images, disks, instance
templates and managed groups, whose instances are made in the emulator.

Members, enumerations and required members are those of the discovery document, which the server has held each request against;
what Google fills in is from its descriptions (`default`s and "if not specified"), or measured: the provider (8.0.0) plans
nothing after an apply only if it is read back like this. Operations are done at once, as a setting of this program.
"""

import ipaddress
import json

from server import Refusal, not_found

NOW = "2026-01-01T00:00:00.000-08:00"
IMAGES = {"ubuntu-os-cloud": {"ubuntu-2404-lts-amd64": "ubuntu-2404-noble-amd64-v20261101"}}
# What has the members of a resource, by collection: its schema, and the parameter that names it.
KINDS = {
    "firewalls": ("Firewall", "firewall"), "addresses": ("Address", "address"), "routers": ("Router", "router"),
    "instanceTemplates": ("InstanceTemplate", "instanceTemplate"),
    "regionInstanceGroupManagers": ("InstanceGroupManager", "instanceGroupManager"),
}


def scope(call):
    for kind in ("region", "zone"):
        if kind in call.parameters:
            return f"{kind}s/{call[kind]}"
    return "global"


class Compute:
    def __init__(self, server):
        self.server, self.store, self.api = server, server.store, server.apis["compute"]
        methods = {}
        for kind in KINDS:
            methods |= {f"{kind}.insert": self.insert, f"{kind}.get": self.get, f"{kind}.delete": self.delete}
        methods |= {f"{kind}.patch": self.patch for kind in ("firewalls", "routers", "regionInstanceGroupManagers")}
        methods |= {
            "addresses.setLabels": self.set_labels, "images.getFromFamily": self.family, "images.get": self.image, "disks.get": self.disk,
            "regionInstanceGroupManagers.resize": self.resize,
            "subnetworks.getIamPolicy": self.policy, "subnetworks.setIamPolicy": self.set_policy,
            "instances.insert": self.before_instance, "instances.delete": self.after_instance,
            "networks.delete": self.before_deletion, "subnetworks.delete": self.before_deletion,
        }
        server.methods |= {("compute", name): method for name, method in methods.items()}

    def path(self, link):
        """The path that a link names."""
        return link[link.index("projects/"):] if "projects/" in link else link

    def of(self, call, name):
        collection = call.name.split(".")[0].removeprefix("region")
        return f"projects/{call['project']}/{scope(call)}/{collection[0].lower()}{collection[1:]}/{name}"

    def named(self, call):
        """The path of the resource that a call names, by its name or, as the patterns of the document allow, by its id."""
        name = call[KINDS[call.name.split(".")[0]][1]]
        if name.isdigit():
            name = next((of["name"] for of in self.store.resources.values() if of.get("id") == name), name)
        return self.of(call, name)

    def done(self, call, path, kind):
        where = scope(call)
        name = f"operation-{self.store.number()}"
        place = {} if where == "global" else {where.split("/")[0][:-1]: f"{call.base}projects/{call['project']}/{where}"}
        return {
            "kind": "compute#operation", "id": self.store.number(), "name": name, "operationType": kind, "status": "DONE",
            "progress": 100, "targetLink": call.base + path, "targetId": self.store.resources.get(path, {}).get("id", "1"),
            "selfLink": f"{call.base}projects/{call['project']}/{where}/operations/{name}",
            "insertTime": NOW, "startTime": NOW, "endTime": NOW, **place,
        }

    # Whatever refers to a network or a template must be there, and then holds it (resourceInUseByAnotherResource).
    def referred(self, resource):
        text = json.dumps(resource)
        for member in ("network", "subnetwork", "instanceTemplate"):
            start = 0
            while (start := text.find(f'"{member}": "', start)) >= 0:
                start += len(member) + 5
                yield member, self.path(text[start:text.index('"', start)])

    def exist(self, resource):
        for member, path in self.referred(resource):
            if path in self.store.resources:
                continue
            if member == "instanceTemplate":
                raise not_found(path)
            self.server.emulate("GET", path)

    def held_by(self, path):
        for holder, resource in self.store.resources.items():
            if holder != path and any(of == path for _, of in self.referred(resource)):
                message = f"The {path.split('/')[-2]} resource '{path}' is already being used by '{holder}'"
                raise Refusal(400, "resourceInUseByAnotherResource", message)

    def insert(self, call):
        kind = call.name.split(".")[0]
        schema = KINDS[kind][0]
        path = self.of(call, call.body["name"])
        self.exist(call.body)
        link = call.base + path
        kind_of = self.api.document.schemas[schema]["properties"]["kind"]["default"]
        resource = {**call.body, "kind": kind_of, "id": self.store.number(), "creationTimestamp": NOW, "selfLink": link}
        if scope(call) != "global" and self.api.has(schema, "region"):
            resource["region"] = f"{call.base}projects/{call['project']}/{scope(call)}"
        for print_of in ("fingerprint", "labelFingerprint"):
            if self.api.has(schema, print_of):
                resource[print_of] = "AAAAAAAAAAE="
        getattr(self, f"fill_{KINDS[kind][1]}", lambda *_: None)(call, path, resource)
        self.store.put(path, resource)
        if kind == "regionInstanceGroupManagers":
            self.size(call, path)
        return self.done(call, path, "insert")

    def get(self, call):
        return self.store.get(self.named(call))

    def patch(self, call):
        resource = self.store.get(self.named(call))
        self.exist(call.body)
        for name, value in call.body.items():
            if name not in ("id", "kind", "selfLink", "creationTimestamp", "fingerprint"):
                resource[name] = value
        return self.done(call, self.named(call), "patch")

    def set_labels(self, call):
        path = self.of(call, call["resource"])
        self.store.get(path)["labels"] = call.body["labels"]
        return self.done(call, path, "setLabels")

    def delete(self, call):
        path = self.named(call)
        self.held_by(path)
        if call.name.startswith("regionInstanceGroupManagers"):
            self.store.get(path)["targetSize"] = 0
            self.size(call, path)
        self.store.remove(path)
        return self.done(call, path, "delete")

    def before_deletion(self, call):
        kind = call.name.split(".")[0]
        self.held_by(f"projects/{call['project']}/{scope(call)}/{kind}/{call[kind[:-1]]}")

    def fill_firewall(self, _, __, resource):
        for name, usual in (("priority", 1000), ("direction", "INGRESS"), ("disabled", False), ("logConfig", {"enable": False})):
            resource.setdefault(name, usual)

    def fill_address(self, call, path, resource):
        resource["status"] = "RESERVED"
        resource.setdefault("addressType", "EXTERNAL")
        if resource["addressType"] == "EXTERNAL":
            resource["networkTier"], taken = "PREMIUM", self.taken()
            hosts = ipaddress.ip_network("203.0.113.0/24").hosts()
            resource.setdefault("address", str(next(host for host in hosts if str(host) not in taken)))
        else:
            resource["purpose"] = "GCE_ENDPOINT"
            resource.setdefault("address", self.free(resource["subnetwork"]))

    def taken(self):
        return {of["address"] for of in self.store.resources.values() if of.get("kind") == "compute#address"}

    def free(self, subnetwork):
        """An address that nothing has. The first two and the last two of a range are Google's."""
        subnetwork, taken = self.path(subnetwork), self.taken()
        for project in self.store.numbers:
            for of in self.server.emulate("GET", f"projects/{project}/aggregated/instances").get("items", {}).values():
                for instance in of.get("instances", []):
                    taken |= {interface["networkIP"] for interface in instance["networkInterfaces"]}
        hosts = list(ipaddress.ip_network(self.server.emulate("GET", subnetwork)["ipCidrRange"]).hosts())[1:-1]
        return str(next(host for host in hosts if str(host) not in taken))

    def fill_instanceTemplate(self, _, __, resource):
        properties = resource["properties"]
        for number, disk in enumerate(properties["disks"]):
            usual = {"mode": "READ_WRITE", "type": "PERSISTENT"}
            disk |= {**usual, **disk, "kind": "compute#attachedDisk", "index": number}
            self.image_of(disk["initializeParams"]["sourceImage"])
        for interface in properties["networkInterfaces"]:
            interface |= {"kind": "compute#networkInterface", "name": "nic0"}
            subnetwork = self.server.emulate("GET", self.path(interface["subnetwork"]))
            interface["network"] = subnetwork["network"]
            for config in interface.get("accessConfigs", []):
                config |= {"kind": "compute#accessConfig", "name": config.get("name", "external-nat"), "networkTier": "PREMIUM"}
        properties["metadata"] |= {"kind": "compute#metadata", "fingerprint": "AAAAAAAAAAI="}

    def fill_instanceGroupManager(self, call, path, resource):
        # Of what was given empty nothing is read back (measured: else the provider plans to remove it).
        for name in [name for name, value in resource.items() if value == {}]:
            del resource[name]
        policy = resource["updatePolicy"]
        surge, unavailable = policy["maxSurge"].get("fixed", 0), policy["maxUnavailable"].get("fixed", 0)
        zones = [of["zone"] for of in resource["distributionPolicy"]["zones"]]
        # InstanceGroupManagerUpdatePolicy.maxSurge, whose words for a refusal are assumed; the other's are those of
        # terraform-google-modules/terraform-example-foundation 427.
        if surge + unavailable == 0:
            raise Refusal(400, "invalid", "At least one of maxSurge and maxUnavailable must be greater than 0.")
        for name, fixed in (("maxSurge", surge), ("maxUnavailable", unavailable)):
            if 0 < fixed < len(zones):
                why = f"Fixed updatePolicy.{name} for regional managed instance group has to be either 0 or at least equal to the"
                field = f"resource.updatePolicy.{name}.fixed"
                raise Refusal(400, "invalid", f"Invalid value for field '{field}': '{fixed}'. {why} number of zones.")
        resource["distributionPolicy"].setdefault("targetShape", "EVEN")
        zones = [f"projects/{call['project']}/zones/{zone.rsplit('/', 1)[-1]}" for zone in zones]
        for zone in zones:
            self.server.emulate("GET", zone)
        resource["distributionPolicy"]["zones"] = [{"zone": call.base + zone} for zone in zones]
        resource["status"] = {"isStable": True, "versionTarget": {"isReached": True}}
        resource["instanceGroup"] = call.base + path.replace("/instanceGroupManagers/", "/instanceGroups/")
        resource.setdefault("targetSize", 0)

    def resize(self, call):
        path = self.named(call)
        self.store.get(path)["targetSize"] = int(call["size"])
        self.size(call, path)
        return self.done(call, path, "compute.instanceGroupManagers.resize")

    def size(self, call, path):
        """Makes or ends instances until there are as many as the group shall have: evenly in its zones, by its template."""
        group = self.store.get(path)
        held = self.store.resources.setdefault(f"{path}:instances", {"all": []})["all"]
        while len(held) > group["targetSize"]:
            self.server.emulate("DELETE", held.pop())
        while len(held) < group["targetSize"]:
            zones = group["distributionPolicy"]["zones"]
            zone = self.path(zones[len(held) % len(zones)]["zone"])
            version = group["versions"][0]["instanceTemplate"]
            properties = json.loads(json.dumps(self.store.get(self.path(version))["properties"]))
            name = f"{group['baseInstanceName']}-{self.store.number()}"
            properties |= {"name": name, "machineType": f"{zone}/machineTypes/{properties['machineType']}"}
            for interface in properties["networkInterfaces"]:
                interface["networkIP"] = self.free(interface["subnetwork"])
            self.server.emulate("POST", f"{zone}/instances", properties)
            held.append(f"{zone}/instances/{name}")

    # An image is any of its project; its family's newest is the one that there is.
    def image_of(self, link):
        parts = self.path(link).split("/")
        project, name = parts[1], parts[-1]
        images = IMAGES.get(project, {})
        if "family" in parts and name in images:
            return images[name]
        if name in images.values():
            return name
        raise not_found(self.path(link))

    def shown_image(self, call, name):
        project = call["project"]
        family = next(family for family, of in IMAGES[project].items() if of == name)
        return {
            "kind": "compute#image", "id": "1", "name": name, "family": family, "status": "READY", "diskSizeGb": "10",
            "creationTimestamp": NOW,
            "selfLink": f"{call.base}projects/{project}/global/images/{name}", "sourceType": "RAW",
        }

    def family(self, call):
        return self.shown_image(call, self.image_of(f"projects/{call['project']}/global/images/family/{call['family']}"))

    def image(self, call):
        return self.shown_image(call, self.image_of(f"projects/{call['project']}/global/images/{call['image']}"))

    def disk(self, call):
        return self.store.get(f"projects/{call['project']}/{scope(call)}/disks/{call['disk']}")

    def before_instance(self, call):
        """An instance's disk, which has its name (AttachedDiskInitializeParams.diskName), and whose account it uses."""
        for account in call.body.get("serviceAccounts", []):
            project = account["email"].split("@")[1].split(".")[0]
            self.store.get(f"projects/{project}/serviceAccounts/{account['email']}")
        for number, disk in enumerate(call.body["disks"]):
            given = disk.pop("initializeParams")
            project, *_, name = self.path(given["sourceImage"]).split("/")[1:]
            path = f"projects/{call['project']}/{scope(call)}/disks/{call.body['name']}"
            image = self.image_of(given["sourceImage"])
            disk |= {
                "kind": "compute#attachedDisk", "index": number, "source": call.base + path, "deviceName": f"persistent-disk-{number}",
            }
            self.store.put(path, {
                "kind": "compute#disk", "id": self.store.number(), "name": call.body["name"], "status": "READY", "creationTimestamp": NOW,
                "sizeGb": given.get("diskSizeGb", "10"), "type": call.base + self.path(given["diskType"]), "selfLink": call.base + path,
                "zone": f"{call.base}projects/{call['project']}/{scope(call)}", "labelFingerprint": "AAAAAAAAAAE=",
                "sourceImage": f"{call.base}projects/{project}/global/images/{image}",
            })

    def after_instance(self, call):
        self.store.resources.pop(f"projects/{call['project']}/{scope(call)}/disks/{call['instance']}", None)

    def policy(self, call):
        path = f"projects/{call['project']}/{scope(call)}/subnetworks/{call['resource']}"
        self.server.emulate("GET", path)
        return self.store.policy(path)

    def set_policy(self, call):
        self.policy(call)
        return self.store.policy(f"projects/{call['project']}/{scope(call)}/subnetworks/{call['resource']}", call.body["policy"])
