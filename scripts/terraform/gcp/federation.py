"""Workload identity federation: a cluster's token becomes one of Google's, and that one of a service account
(https://docs.cloud.google.com/iam/docs/workload-identity-federation, "Token exchange", RFC 8693). Signatures are not looked at."""

import base64
import json

from server import Refusal

FEDERATED, IMPERSONATED = "federated-token", "impersonated-token"


class Federation:
    def __init__(self, server):
        self.server, self.store = server, server.store
        server.methods |= {
            ("sts", "token"): self.token,
            ("iamcredentials", "projects.serviceAccounts.generateAccessToken"): self.generate,
        }
        self.subject = None

    def token(self, call):
        """A token for the provider that the audience names, if the claims are for it and pass its condition."""
        name = call.body["audience"].removeprefix("//iam.googleapis.com/")
        providers = [of for path, of in self.store.resources.items() if "/providers/" in path and of.get("name") == name]
        if not providers or call.body["subjectTokenType"] != "urn:ietf:params:oauth:token-type:jwt":
            raise Refusal(400, "invalid_target", f"The target service indicated by the audience {name} is invalid.")
        part = call.body["subjectToken"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        # Without a list of audiences it is "the full canonical resource name of the WorkloadIdentityPoolProvider, with or without
        # the HTTPS prefix" (Oidc.allowedAudiences).
        if not {f"https://iam.googleapis.com/{name}", f"//iam.googleapis.com/{name}"} & set(claims["aud"]):
            raise Refusal(400, "invalid_grant", f"The audience in ID Token {claims['aud']} does not match the expected audience.")
        # The one condition that the module writes.
        if providers[0]["attributeCondition"] != f"assertion.sub == '{claims['sub']}'":
            raise Refusal(400, "unauthorized_client", "The given credential is rejected by the attribute condition.")
        self.subject = f"principal://iam.googleapis.com/{name.split('/providers/')[0]}/subject/{claims['sub']}"
        return {
            "access_token": FEDERATED, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer",
            "expires_in": 3600,
        }

    def generate(self, call):
        email = call["name"].rsplit("/", 1)[1]
        path = next(path for path, of in self.store.resources.items() if of.get("email") == email)
        bindings = self.store.policy(path)["bindings"]
        if not any(of["role"] == "roles/iam.workloadIdentityUser" and self.subject in of["members"] for of in bindings):
            raise Refusal(403, "forbidden", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).")
        return {"accessToken": IMPERSONATED, "expireTime": "2099-01-01T00:00:00Z"}
