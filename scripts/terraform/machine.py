"""What the machines and the cluster are told: is the cloud-init sound, and does the PodNetwork fit its definition?"""

import base64
import gzip
import os
import re
import subprocess

import yaml


def text_of(user_data):
    """What EC2 hands to cloud-init."""
    return gzip.decompress(base64.b64decode(user_data)).decode()


def hand_over(folder, example, user_data):
    """Leaves the user data of each role where boot.py waits for it."""
    for role, text in user_data.items():
        path = os.path.join(folder, f"{example}-{role}.user-data")
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{path}.new", path)


def cloud_init(text, size, limit):
    """The files of a machine's user data by path, after a look at what can be judged without the machine. `size` is that of
    the data as they are sent, `limit` what the cloud takes, in bytes."""
    assert text.startswith("#cloud-config\n"), "user data that cloud-init does not take"
    assert size <= limit, f"{size} bytes of user data, the cloud takes {limit}"
    said = yaml.safe_load(text)
    files = {of["path"]: of["content"] for of in said["write_files"]}
    for path, content in files.items():
        if content.startswith("#!/bin/bash") or path.endswith(".sh"):
            looked = subprocess.run(["bash", "-n"], input=content, text=True, capture_output=True, check=False)
            assert looked.returncode == 0, f"{path}: {looked.stderr}"
    for line in said["runcmd"]:
        for program in line.split(" && "):
            assert program in files, f"{program} is run, but not written"
    return files


def kubeadm(files):
    """The documents of kubeadm's configuration by kind."""
    return {of["kind"]: of for of in yaml.safe_load_all(files["/etc/kubernetes/kubeadm.yaml.in"])}


def fits(value, schema, path):
    """Whether a value is what a schema of a custom resource takes, as far as this project's definition needs it."""
    kind = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[schema["type"]]
    assert isinstance(value, kind), f"{path}: {value!r} is no {schema['type']}"
    if kind is dict and "properties" in schema:
        for name in schema.get("required", []):
            assert name in value, f"{path}.{name} is missing"
        for name, of in value.items():
            assert name in schema["properties"], f"{path}.{name} is not known"
            fits(of, schema["properties"][name], f"{path}.{name}")
    if kind is list:
        assert len(value) <= schema.get("maxItems", len(value)), f"{path} has {len(value)} items"
        for index, of in enumerate(value):
            fits(of, schema["items"], f"{path}[{index}]")
    if kind is str:
        assert re.search(schema.get("pattern", ""), value), f"{path}: {value!r} is not as {schema.get('pattern')}"
        assert value in schema.get("enum", [value]), f"{path}: {value!r} is none of {schema.get('enum')}"
        assert len(value) <= schema.get("maxLength", len(value)), f"{path}: {value!r} is too long"


def podnetwork(text, definition):
    """The object that a text describes, held against the definition of PodNetworks."""
    said = yaml.safe_load(text)
    with open(definition, encoding="utf-8") as file:
        version, = yaml.safe_load(file)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    assert said["apiVersion"] == f"signpost.dev/{version['name']}" and said["kind"] == "PodNetwork", said
    fits(said["spec"], schema["properties"]["spec"], "spec")
    return said
