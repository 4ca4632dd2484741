"""A Debian 12 with systemd and cloud-init, as a container of this machine: its tree is made once, and stays as it is."""

import ctypes
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import time
import traceback

# What Debian's images for clouds have, as far as what runs here can tell.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "cloud-init", "ca-certificates", "iproute2", "kmod", "procps"]
# There are no other locales than this one.
LOCALE = 'echo "locale: C.UTF-8" >"$1/etc/cloud/cloud.cfg.d/10-locale.cfg"'
METADATA = "169.254.169.254"
MIRROR = "http://deb.debian.org/debian"
CLONE_NEWNET = 0x40000000


def run(*arguments, **named):
    done = subprocess.run(arguments, capture_output=True, check=False, **named)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}: {done.stderr.decode()}"
    return done.stdout


def tree():
    """The folder of the tree; made within half a minute where it is not there."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "signpost/debian")
    folder = os.path.join(cache, hashlib.sha256(" ".join([*PACKAGES, LOCALE]).encode()).hexdigest()[:16])
    os.makedirs(cache, exist_ok=True)
    with open(f"{folder}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            making = f"{folder}.new"
            shutil.rmtree(making, ignore_errors=True)
            include = f"--include={','.join(PACKAGES)}"
            run("mmdebstrap", "--variant=minbase", include, f"--customize-hook={LOCALE}", "bookworm", making, MIRROR)
            os.rename(making, folder)
    return folder


def sockets_of_namespace(addresses):
    """To be called in a new network namespace: brings up loopback and an interface with the addresses, and listens."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
    run("ip", "link", "add", "eth0", "type", "bridge")
    for address in addresses:
        run("ip", "address", "add", address, "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", "default", "dev", "eth0")
    listeners = []
    for port in (80, 443):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(64)
        listeners.append(listener)
    return listeners


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Nothing:
    """An outside where nobody answers."""

    names, authority = [], os.devnull

    def listen(self, *listeners):
        self.listeners = listeners


class Machine:
    """Boots with user data; ends with `end`, or with this program. `outside` has the names of hosts, the file of the authority
    that they are known by, and answers on two sockets, of HTTP and HTTPS."""

    def __init__(self, folder, name, user_data, addresses, outside):
        seed = os.path.join(folder, "seed")
        os.mkdir(seed)
        for path, text in {
            "seed/user-data": user_data, "seed/meta-data": f"instance-id: {name}\nlocal-hostname: {name}\n",
            "hosts": "127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {host}\n" for host in outside.names if host != METADATA),
        }.items():
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text)
        with open("/etc/ssl/certs/ca-certificates.crt", encoding="utf-8") as all_, open(outside.authority, encoding="utf-8") as own:
            authorities = os.path.join(folder, "authorities.crt")
            with open(authorities, "w", encoding="utf-8") as file:
                file.write(all_.read() + own.read())
        self.console = os.path.join(folder, "console")
        command = [
            # What is in it ends with it.
            "unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
            "systemd-nspawn", "--quiet", "--directory", tree(), "--volatile=overlay", "--boot", f"--machine={name}",
            "--network-namespace-path=/proc/self/ns/net", "--register=no", "--keep-unit", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no", "--console=pipe", "--capability=all",
            f"--bind-ro={folder}/hosts:/etc/hosts", f"--bind-ro={seed}:/var/lib/cloud/seed/nocloud",
            f"--bind-ro={authorities}:/etc/ssl/certs/ca-certificates.crt",
        ]
        here, there = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                here.close()
                ctypes.CDLL(None).prctl(1, 15)
                if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "unshare")
                listeners = sockets_of_namespace(addresses)
                socket.send_fds(there, [b"."], [of.fileno() for of in listeners])
                there.recv(1)
                console = os.open(self.console, os.O_WRONLY | os.O_CREAT)
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                os.dup2(console, 1)
                os.dup2(console, 2)
                # Of the kernel's settings those of the network are the machine's own.
                os.execvpe(command[0], command, os.environ | {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"})
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        there.close()
        _, fds, *_ = socket.recv_fds(here, 1, 2)
        outside.listen(*(socket.socket(fileno=fd) for fd in fds))
        here.send(b".")
        self.init = self.find_init()

    def find_init(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pids = [self.pid]
            while pids:
                pid = pids.pop()
                try:
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                        if file.read().strip() == "systemd":
                            return pid
                    pids += children(pid)
                except (FileNotFoundError, ProcessLookupError):
                    pass
            time.sleep(0.1)
        raise AssertionError(f"the machine does not boot:\n{self.said()}")

    def said(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def enter(self, *more):
        """What a command begins with that is to run in the machine's network, and in more of its namespaces."""
        return ["nsenter", "--target", str(self.init), "--net", *more]

    def put(self, path, content, mode=0o644):
        """Writes a file of the machine's."""
        path = f"/proc/{self.init}/root{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)

    def run(self, *command, timeout=120):
        """Exit code and output of a command in the machine."""
        enter = self.enter("--mount", "--uts", "--ipc", "--pid", "--root", "--wd")
        done = subprocess.run(
            [*enter, *command], env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
        )
        return done.returncode, done.stdout

    def ok(self, *command, timeout=120):
        code, said = self.run(*command, timeout=timeout)
        assert code == 0, f"{' '.join(command)} ended with {code}:\n{said}"
        return said

    def end(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
