"""terraform itself, as the applications to played clouds run it."""

import os
import signal
import subprocess

from checks import end_with_parent


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
