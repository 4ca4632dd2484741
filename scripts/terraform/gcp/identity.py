"""Service accounts, roles, policies, pools of workload identities, projects and secrets.

Members, patterns and enumerations are those of the discovery documents, which the server has held each request against. Beyond
them: names as the documents describe them, deleted roles that are kept, and policies that refuse members who do not exist.
"""

import base64
import re

from server import Refusal, not_found


class Identity:
    def __init__(self, server):
        self.store = server.store
        accounts, pools, secrets = "projects.serviceAccounts", "projects.locations.workloadIdentityPools", "projects.secrets"
        of_iam = {
            f"{accounts}.create": self.make_account, "projects.roles.create": self.make_role,
            "projects.roles.delete": self.delete_role, "projects.roles.undelete": self.undelete_role,
            f"{pools}.create": self.make_pool, f"{pools}.providers.create": self.make_provider,
            **{f"{kind}.get": self.get for kind in (accounts, "projects.roles", pools, f"{pools}.providers")},
            **{f"{kind}.patch": self.patch for kind in (accounts, "projects.roles")},
            f"{accounts}.delete": self.delete, f"{pools}.listAttestationRules": lambda _: {},
            **{f"{kind}.delete": self.delete_at_once for kind in (pools, f"{pools}.providers")},
            f"{accounts}.getIamPolicy": self.policy, f"{accounts}.setIamPolicy": self.set_policy,
        }
        of_secrets = {
            f"{secrets}.create": self.make_secret, f"{secrets}.get": self.get, f"{secrets}.delete": self.delete_secret,
            f"{secrets}.getIamPolicy": self.policy, f"{secrets}.setIamPolicy": self.set_policy,
            f"{secrets}.addVersion": self.add_version, f"{secrets}.versions.list": self.versions,
            f"{secrets}.versions.access": self.access, f"{secrets}.versions.destroy": self.destroy,
        }
        of_projects = {
            "projects.get": self.project, "projects.getIamPolicy": self.project_policy, "projects.setIamPolicy": self.set_project_policy,
        }
        server.methods["billing", "projects.getBillingInfo"] = self.billing
        for api, methods in (("iam", of_iam), ("secretmanager", of_secrets), ("resourcemanager", of_projects)):
            server.methods |= {(api, name): method for name, method in methods.items()}

    def known(self, project):
        if project not in self.store.numbers:
            raise not_found(f"projects/{project}")
        return self.store.numbers[project]

    def get(self, call):
        return self.store.get(call["name"])

    def patch(self, call):
        resource = self.store.get(call["name"])
        # Of accounts the body has the account in it and the mask beside it, of roles it is the role.
        given = call.body.get("serviceAccount", call.body)
        resource.update({name: given[name] for name in given if name not in ("name", "etag")})
        return resource

    def delete(self, call):
        self.store.remove(call["name"])
        return {}

    # What a pool's methods answer is an operation; that it is done at once is a setting of this program.
    def delete_at_once(self, call):
        self.store.remove(call["name"])
        return {"name": f"{call['name']}/operations/{self.store.number()}", "done": True, "response": {}}

    def make_account(self, call):
        project, id_ = call["name"].split("/")[1], call.body["accountId"]
        number = self.known(project)
        if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])", id_) or not 6 <= len(id_) <= 30:  # CreateServiceAccountRequest.accountId
            raise Refusal(400, "badRequest", f"Invalid account id {id_!r}")
        email = f"{id_}@{project}.iam.gserviceaccount.com"
        path = f"projects/{project}/serviceAccounts/{email}"
        return self.store.put(path, {
            **call.body.get("serviceAccount", {}), "name": path, "projectId": project, "email": email,
            "uniqueId": number + self.store.number(), "etag": "MDEwMjE5MjA=", "oauth2ClientId": number + self.store.number(),
        })

    def make_role(self, call):
        id_, role = call.body["roleId"], call.body["role"]
        self.known(call["parent"].split("/")[1])
        if not re.fullmatch(r"[A-Za-z0-9_.]{3,64}", id_):  # CreateRoleRequest.roleId
            raise Refusal(400, "badRequest", f"Invalid role id {id_!r}")
        for permission in role.get("includedPermissions", []):
            if not re.fullmatch(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+", permission):
                raise Refusal(400, "badRequest", f"Permission {permission} is not valid.")
        path = f"{call['parent']}/roles/{id_}"
        return self.store.put(path, {**role, "name": path, "etag": "BwY="})

    # "The role is not deleted at once" and its id stays taken (projects.roles.delete).
    def delete_role(self, call):
        role = self.store.get(call["name"])
        role["deleted"] = True
        return role

    def undelete_role(self, call):
        role = self.store.get(call["name"])
        role.pop("deleted", None)
        return role

    def numbered(self, parent):
        """Names of pools have the project's number (WorkloadIdentityPool.name), requests may have its id."""
        project, rest = parent.split("/", 2)[1:]
        return f"projects/{self.known(project)}/{rest}"

    def made_in_pool(self, call, kind, id_):
        path = f"{call['parent']}/{kind}/{id_}"
        made = self.store.put(path, {**call.body, "name": f"{self.numbered(call['parent'])}/{kind}/{id_}", "state": "ACTIVE"})
        return {"name": f"{path}/operations/{self.store.number()}", "done": True, "response": made}

    def make_pool(self, call):
        return self.made_in_pool(call, "workloadIdentityPools", call["workloadIdentityPoolId"])

    def make_provider(self, call):
        self.store.get(call["parent"])
        return self.made_in_pool(call, "providers", call["workloadIdentityPoolProviderId"])

    def checked(self, policy):
        """Members must be there, and roles of projects (what Google answers to those who do not exist)."""
        for binding in policy.get("bindings", []):
            if binding["role"].startswith("projects/") and self.store.get(binding["role"]).get("deleted"):
                raise Refusal(400, "badRequest", f"Role ({binding['role']}) does not exist in the resource's hierarchy.")
            for member in binding.get("members", []):
                kind, _, name = member.partition(":")
                project = re.fullmatch(r"[^@]+@(.+)\.iam\.gserviceaccount\.com", name)
                if kind == "serviceAccount" and project:
                    path = f"projects/{project[1]}/serviceAccounts/{name}"
                    if path not in self.store.resources:
                        raise Refusal(400, "badRequest", f"Service account {name} does not exist.")
        return policy

    def policy(self, call):
        self.store.get(call["resource"])
        return self.store.policy(call["resource"])

    def set_policy(self, call):
        self.store.get(call["resource"])
        return self.store.policy(call["resource"], self.checked(call.body["policy"]))

    def project(self, call):
        id_ = call["projectId"]
        return {"projectId": id_, "projectNumber": self.known(id_), "name": id_, "lifecycleState": "ACTIVE"}

    def billing(self, call):
        return {"name": f"{call['name']}/billingInfo", "projectId": call["name"].split("/")[1], "billingEnabled": False}

    def project_policy(self, call):
        self.known(call["resource"])
        return self.store.policy(f"projects/{call['resource']}")

    def set_project_policy(self, call):
        self.known(call["resource"])
        return self.store.policy(f"projects/{call['resource']}", self.checked(call.body["policy"]))

    def make_secret(self, call):
        self.known(call["parent"].split("/")[1])
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", call["secretId"]):  # projects.secrets.create, secretId
            raise Refusal(400, "badRequest", "Secret ids have up to 255 letters, numerals, hyphens and underscores.")
        path = f"{call['parent']}/secrets/{call['secretId']}"
        made = {"name": self.numbered(path), "createTime": "2026-01-01T00:00:00.000000Z", "etag": '"16"'}
        return self.store.put(path, {**call.body, **made})

    def delete_secret(self, call):
        for path in [of for of in self.store.resources if of.startswith(f"{call['name']}/versions/")]:
            self.store.remove(path)
        return self.delete(call)

    def of_secret(self, secret):
        self.store.get(secret)
        found = {path: of for path, of in self.store.resources.items() if path.startswith(f"{secret}/versions/")}
        return [found[path] for path in sorted(found, key=lambda path: int(path.rsplit("/", 1)[1]))]

    def add_version(self, call):
        versions = self.of_secret(call["parent"])
        path = f"{call['parent']}/versions/{len(versions) + 1}"
        name = f"{self.numbered(call['parent'])}/versions/{len(versions) + 1}"
        self.store.put(path, {"version": {"name": name, "state": "ENABLED"}, "data": call.body["payload"]["data"]})
        return self.store.get(path)["version"]

    def versions(self, call):
        shown = [of["version"] for of in reversed(self.of_secret(call["parent"]))]
        if call.parameters.get("filter") == "state:ENABLED":
            shown = [of for of in shown if of["state"] == "ENABLED"]
        return {"versions": shown, "totalSize": len(shown)} if shown else {}

    def access(self, call):
        secret, version = call["name"].split("/versions/")
        found = self.of_secret(secret)
        if version != "latest":
            found = [self.store.get(call["name"])]
        if not found:
            raise not_found(call["name"])
        if found[-1]["version"]["state"] != "ENABLED":
            raise Refusal(400, "failedPrecondition", f"Secret Version [{call['name']}] is in DESTROYED state.")
        base64.b64decode(found[-1]["data"], validate=True)
        return {"name": found[-1]["version"]["name"], "payload": {"data": found[-1]["data"]}}

    def destroy(self, call):
        version = self.store.get(call["name"])
        version["data"], version["version"]["state"] = "", "DESTROYED"
        return version["version"]
