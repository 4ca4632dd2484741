"""Looks at terraform/ without Terraform: what must stand in the sources, and the tables of inputs and outputs in the
READMEs, which are made from them. Prints a line for each check, as cargo test does.

    sources.py FOLDER [--write]     --write puts the tables right
"""

import pathlib
import re
import sys

import hcl2

# Whose READMEs have tables: all but what only other modules use.
WITHOUT_TABLES = ["cloud-init"]
BEGIN, END = "<!-- made by scripts/terraform.sh --write -->", "<!-- end -->"


def plain(value):
    """A value of the parser as people write it: strings come in quotes, expressions as ${…}."""
    if isinstance(value, str) and value.startswith('"'):
        return value[1:-1].replace('\\"', '"')
    if isinstance(value, str) and value.startswith("${"):
        return value[2:-1]
    return value


class Module:
    """A folder with .tf files."""

    def __init__(self, folder):
        self.folder, self.blocks = folder, []
        for path in sorted(folder.glob("*.tf")):
            with path.open(encoding="utf-8") as file:
                self.blocks.append(hcl2.load(file))

    def named(self, kind):
        """Blocks with one label, such as variables."""
        return {plain(n): b for file in self.blocks for of in file.get(kind, []) for n, b in of.items()}

    def resources(self):
        """(type, name, block) of each resource."""
        for file in self.blocks:
            for of in file.get("resource", []):
                for kind, inner in of.items():
                    for name, block in inner.items():
                        yield plain(kind), plain(name), block


def shown(value):
    value = plain(value)
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value!r}`" if isinstance(value, (int, float, list, dict)) else f'`"{value}"`'


def described(block):
    # A bar would end the cell.
    return plain(block["description"]).replace("|", "\\|")


def kind_of(block):
    kind = re.sub(r"\s+", " ", plain(block["type"]))
    return f"`{kind}`"


def tables(module):
    lines = [BEGIN, "", "### Inputs", "", "| name | description | type | default |", "|---|---|---|---|"]
    for name, block in module.named("variable").items():
        default = shown(block["default"]) if "default" in block else "required"
        lines.append(f"| `{name}` | {described(block)} | {kind_of(block)} | {default} |")
    lines += ["", "### Outputs", "", "| name | description |", "|---|---|"]
    for name, block in module.named("output").items():
        lines.append(f"| `{name}` | {described(block)} |")
    return "\n".join([*lines, "", END])


def with_tables(module):
    readme = module.folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    assert BEGIN in text and END in text, f"{readme}: the lines {BEGIN} and {END} are missing"
    before, rest = text.split(BEGIN, 1)
    return readme, text, before + tables(module) + rest.split(END, 1)[1]


def said_of_everything(modules):
    for module in modules:
        for kind in ("variable", "output"):
            for name, block in module.named(kind).items():
                assert block.get("description"), f"{module.folder}: {kind} {name} has no description"
                assert kind == "output" or "type" in block, f"{module.folder}: variable {name} has no type"
                for rule in block.get("validation", []):
                    assert plain(rule["error_message"]).startswith(name), f"{module.folder}: an error of {name} does not name it"


def no_routes(modules):
    """Pods' routes are Signpost's, and nothing here removes what it does not list."""
    for module in modules:
        for kind, name, block in module.resources():
            assert kind != "google_compute_route", f"{name}: routes of a network of Google are Signpost's"
            if kind == "google_compute_network":
                for member in ("auto_create_subnetworks", "delete_default_routes_on_create"):
                    assert block.get(member) is False, f"{name}: {member} is to be false"
            assert kind not in ("aws_default_route_table", "aws_default_security_group"), f"{kind} removes what it does not list"
            if kind == "aws_route_table":
                assert "route" not in block, f"{name}: an inline route, which removes pods' routes"


def tagged(modules):
    for module in modules:
        for kind, name, block in module.resources():
            if name != "nat" and kind in ("aws_route_table", "aws_subnet", "aws_instance", "aws_network_interface"):
                assert "local.tags" in str(block["tags"]), f"{kind} {name} lacks the cluster's tag"


def metadata_by_tokens(modules):
    for module in modules:
        for kind, name, block in module.resources():
            if kind in ("aws_instance", "aws_launch_template"):
                (options,) = block["metadata_options"]
                assert plain(options["http_tokens"]) == "required", f"{kind} {name} gives metadata without tokens"
                assert options["http_put_response_hop_limit"] == 2, f"{kind} {name}: pods cannot ask for metadata"


def all_forward(modules):
    """A managed group of Google reverts what its template does not say."""
    for module in modules:
        for kind, name, block in module.resources():
            if kind in ("google_compute_instance", "google_compute_instance_template"):
                assert block.get("can_ip_forward") is True, f"{kind} {name}: instances forward pods' packets"
                assert "local.metadata" in str(block["metadata"]), f"{kind} {name} lets in the project's keys"


def nobody_from_everywhere(modules):
    for module in modules:
        for kind, name, block in module.resources():
            if kind == "google_compute_firewall":
                assert "0.0.0.0/0" not in str(block.get("source_ranges")), f"{name} lets in everybody"
                assert block.get("target_tags"), f"{name} is for all instances of the network"


def one_source_of_rights(modules):
    """What the controller may do is written in manifests alone."""
    for module in modules:
        for path in module.folder.glob("*.tf"):
            text = path.read_text(encoding="utf-8")
            assert "ec2:CreateRoute" not in text, f"{path}: the policy is that of manifests/aws"
            found = re.search(r"\bcompute\.[a-zA-Z]+\.[a-zA-Z]+\b", text)
            assert not found, f"{path}: {found[0]}: the roles are those of manifests/gcp"


def tables_up_to_date(modules):
    for module in modules:
        if module.folder.name not in WITHOUT_TABLES:
            readme, text, wanted = with_tables(module)
            assert text == wanted, f"{readme}: the tables are out of date. Remedy: scripts/terraform.sh --write"


def one_screen(modules):
    """An example is read at once: a README of one screen, beside its tables."""
    for module in modules:
        if module.folder.parent.name == "examples":
            text, _ = (module.folder / "README.md").read_text(encoding="utf-8").split(BEGIN)
            assert len(text.splitlines()) <= 50, f"{module.folder}: the README has {len(text.splitlines())} lines before its tables"


def main():
    folder = pathlib.Path(sys.argv[1])
    modules = [Module(of) for of in sorted({path.parent for path in folder.rglob("*.tf")}) if ".terraform" not in of.parts]
    if "--write" in sys.argv:
        for module in modules:
            if module.folder.name not in WITHOUT_TABLES:
                readme, _, wanted = with_tables(module)
                readme.write_text(wanted, encoding="utf-8")
        return
    failures = []
    checks = [
        said_of_everything, no_routes, tagged, metadata_by_tokens, all_forward, nobody_from_everywhere, one_source_of_rights,
        tables_up_to_date, one_screen,
    ]
    for check in checks:
        name = f"terraform::sources::{check.__name__}"
        try:
            check(modules)
            print(f"test {name} ... ok")
        except AssertionError as error:
            print(f"test {name} ... FAILED")
            failures.append((name, error))
    for name, error in failures:
        print(f"\n---- {name} ----\n{error}\n")
    print(f"test result: {'FAILED' if failures else 'ok'}. {len(checks) - len(failures)} passed; {len(failures)} failed; 0 ignored")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
