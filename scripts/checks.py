"""What all checks in Python have in common: a line for each, as cargo test prints it, patience, and an end with their parent."""

import ctypes
import signal
import time

PATIENCE = 60


def end_with_parent():
    """What this program starts ends with it, also when it is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Checks:
    def __init__(self, *names):
        self.prefix, self.passed, self.failed = "::".join(names), 0, []

    def check(self, name, what):
        name = f"{self.prefix}::{name}"
        started = time.monotonic()
        try:
            what()
        except Exception as error:  # the summary tells of it, and what follows is not tried
            print(f"test {name} ... FAILED\n\nfailures:\n\n---- {name} ----\n{error}\n", flush=True)
            self.failed.append(name)
            raise SystemExit(1) from error
        print(f"test {name} ... ok ({time.monotonic() - started:.1f} s)", flush=True)
        self.passed += 1

    def summary(self, outcome):
        print(f"test result: {outcome}. {self.passed} passed; {len(self.failed)} failed; 0 ignored", flush=True)


def equal(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def eventually(what, holds, why):
    """Looks again until something holds; says why not if it does not within a minute."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come to be:\n{why()}"
        time.sleep(0.2)
