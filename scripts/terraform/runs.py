"""What the applications to played clouds have in common: terraform itself, and a line for each check, as cargo test prints it."""

import ctypes
import os
import signal
import subprocess
import time


def end_with_parent():
    """What this program starts ends with it, also when it is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Terraform:
    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def run(self, *arguments):
        # A session of its own: an interrupt from the terminal reaches terraform once, from here.
        process = subprocess.Popen(
            ["terraform", *arguments], cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=end_with_parent,
        )
        try:
            said, _ = process.communicate(timeout=120)
        except BaseException:
            # Its providers end with it when it may finish, and are of its group when it may not.
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise
        if process.returncode != 0:
            # Before the first error stands all that went well.
            why = said[said.find("Error:"):] if "Error:" in said else said
            raise AssertionError(f"terraform {' '.join(arguments)} ended with {process.returncode}:\n{why}")
        return said

    def apply(self, *arguments):
        self.run("apply", "-auto-approve", "-input=false", "-no-color", *arguments)

    def plans_nothing(self, *arguments):
        # 2 says that there is something to do.
        self.run("plan", "-detailed-exitcode", "-input=false", "-no-color", *arguments)

    def output(self, name):
        return self.run("output", "-raw", name)


class Checks:
    def __init__(self, cloud, example):
        self.prefix, self.passed, self.failed = f"terraform::{cloud}::{example}", 0, []

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
