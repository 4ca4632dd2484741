"""What a machine finds outside of itself, on its own loopback: Debian's mirror, passed through, and in place of what cannot be
reached from everywhere: containerd's release, Kubernetes' packages, and what its cloud has (clouds.py). Programs are those of
this project's clusters, built from the sources of the same versions.
"""

import gzip
import hashlib
import http.client
import io
import os
import shutil
import ssl
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from debian.machine import METADATA, run

DEBIAN = "deb.debian.org"

# As in https://github.com/kubernetes/release/blob/master/cmd/krel/templates/latest/kubelet/kubelet.service and
# .../kubeadm/10-kubeadm.conf.
KUBELET_SERVICE = """[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
KUBEADM_CONF = """[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""


def packages(folder, programs, version):
    """A repository of Debian packages of Kubernetes, signed with a key that is gone afterwards. Pages by path."""
    files = {
        "kubelet": {"usr/bin/kubelet": None, "lib/systemd/system/kubelet.service": KUBELET_SERVICE},
        "kubeadm": {"usr/bin/kubeadm": None, "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": KUBEADM_CONF},
        "kubectl": {"usr/bin/kubectl": None},
    }
    pages, index = {}, ""
    for name, content in files.items():
        control = f"Package: {name}\nVersion: {version}-1.1\nArchitecture: amd64\nMaintainer: nobody\nDescription: {name}\n"
        tree = os.path.join(folder, name)
        for path, text in {"DEBIAN/control": control, **content}.items():
            path = os.path.join(tree, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if text is None:
                # No link: tar minds that a file gets another name meanwhile.
                shutil.copy(os.path.join(programs, name), path)
            else:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
        # Not packed: it stays on this machine.
        run("dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, f"{tree}.deb")
        with open(f"{tree}.deb", "rb") as file:
            pages[f"/{name}.deb"] = file.read()
        digest = hashlib.sha256(pages[f"/{name}.deb"]).hexdigest()
        index += f"{control}Filename: {name}.deb\nSize: {len(pages[f'/{name}.deb'])}\nSHA256: {digest}\n\n"
    pages["/Packages"] = index.encode()
    release = f"Date: {run('date', '-Ru').decode().strip()}\nSHA256:\n {hashlib.sha256(index.encode()).hexdigest()} {len(index)} Packages\n"
    keys = os.path.join(folder, "keys")
    os.mkdir(keys, 0o700)
    gpg = ["gpg", "--homedir", keys, "--batch", "--quiet", "--passphrase", ""]
    run(*gpg, "--quick-generate-key", "packages", "rsa2048")
    pages["/InRelease"] = run(*gpg, "--clearsign", input=release.encode())
    pages["/Release.key"] = run(*gpg, "--export", "--armor")
    run("gpgconf", "--homedir", keys, "--kill", "all")
    return pages


def release_of_containerd(programs):
    """As containerd's releases have it: https://github.com/containerd/containerd/blob/main/docs/getting-started.md."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
            tar.add(os.path.join(programs, name), f"bin/{name}")
    return gzip.compress(archive.getvalue(), compresslevel=1)


class Outside:
    """Answers for all hosts, on sockets that are in the machine's namespace."""

    def __init__(self, folder, programs, versions, cloud):
        """`cloud` has pages by host and path, and others who answer: address and what is before the path, by host."""
        containerd = release_of_containerd(programs)
        archive = f"containerd-{versions['containerd']}-linux-amd64.tar.gz"
        at = f"/containerd/containerd/releases/download/v{versions['containerd']}/{archive}"
        major = ".".join(versions["kubernetes"].split(".")[:2])
        kubernetes = packages(folder, programs, versions["kubernetes"])
        self.pages = {
            "github.com": {at: containerd, f"{at}.sha256sum": f"{hashlib.sha256(containerd).hexdigest()}  {archive}\n".encode()},
            "pkgs.k8s.io": {f"/core:/stable:/v{major}/deb{path}": page for path, page in kubernetes.items()},
            **{host: {path: page.encode() for path, page in pages.items()} for host, pages in cloud.pages.items()},
        }
        self.others = {DEBIAN: (DEBIAN, ""), **cloud.others}
        self.names = [*self.pages, *self.others]
        self.certificate(folder)

    def certificate(self, folder):
        self.authority = os.path.join(folder, "authority.crt")
        key = os.path.join(folder, "authority.key")
        names = ",".join(f"DNS:{name}" for name in self.names if name != METADATA)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=outside", "-addext", f"subjectAltName={names}",
            "-days", "2", "-keyout", key, "-out", self.authority)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.authority, key)

    def listen(self, plain, encrypted):
        """Begins to answer on two sockets."""
        for listener, tls in ((plain, None), (encrypted, self.tls)):
            server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler(), bind_and_activate=False)
            server.socket.close()
            server.socket = tls.wrap_socket(listener, server_side=True, do_handshake_on_connect=False) if tls else listener
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def handler(outside):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def pass_on(self, other, body=None):
                address, before = other
                connection = http.client.HTTPConnection(address, timeout=60)
                keep = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "accept-encoding")}
                connection.request(self.command, before + self.path, body=body, headers=keep)
                said = connection.getresponse()
                drop = ("connection", "transfer-encoding", "content-length")
                self.answer(said.status, said.read(), [(k, v) for k, v in said.getheaders() if k.lower() not in drop])

            def do_GET(self):
                host = self.headers["Host"].split(":")[0]
                if host in outside.others:
                    return self.pass_on(outside.others[host])
                page = outside.pages.get(host, {}).get(self.path)
                return self.answer(200, page) if page is not None else self.answer(404, b"")

            def do_PUT(self):
                # For metadata of EC2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
                self.answer(200, b"a-token", [("X-aws-ec2-metadata-token-ttl-seconds", "60")])

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.pass_on(outside.others[self.headers["Host"].split(":")[0]], body)

            def log_message(self, *_):
                """Nobody reads it."""

        return Handler
