# SPDX-License-Identifier: GPL-2.0-or-later
"""A user of banger-broker: a process of hers that calls it."""

import json
import pathlib
import pwd
import subprocess
import time

CALLER = pathlib.Path(__file__).with_name("broker_caller.py")
ERROR = "dev.banger.Error."
NETWORK = 2
DIGEST = [7] * 32


class Refused(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class BrokerUser:
    def __init__(self, name):
        self.name = name
        self.uid = pwd.getpwnam(name).pw_uid
        self.process = self.begin("/usr/bin/python3", "-B", CALLER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)

    def send(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def receive(self):
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"].removeprefix(ERROR), answer["message"])
        return answer["ok"]

    def call(self, method, signature, *args, **more):
        self.send(method=method, signature=signature, args=list(args), **more)
        return self.receive()

    def create(self, sandbox, size=1 << 30, flags=0, digest=None):
        self.call("CreateSandbox", "saytu", sandbox, (DIGEST if size else []) if digest is None else digest, size, flags)

    def start(self, sandbox, base=None, flags=NETWORK, digest=None):
        """(disk, tap, guest, gateway, prefix, mac)"""
        disks = [] if base is None else [{"path": str(base)}] if not isinstance(base, dict) else [base]
        return self.call("StartSandbox", "sahayu", sandbox, disks, (DIGEST if disks else []) if digest is None else digest, flags)

    def stop(self, sandbox):
        self.call("StopSandbox", "s", sandbox)

    def destroy(self, sandbox):
        self.call("DestroySandbox", "s", sandbox)

    def grow(self, sandbox, size):
        self.call("GrowSandbox", "st", sandbox, size)

    def nat(self, sandbox, on, flags=0):
        self.call("SetNat", "sbu", sandbox, on, flags)

    def list(self):
        """{id: row}"""
        names = ("id", "state", "disk", "tap", "guest", "gateway", "nat", "name", "used", "allocated", "limit")
        return {row[0]: dict(zip(names, row)) for row in self.call("List", "")}

    def signals(self, seconds):
        self.send(signals=seconds)
        return self.receive()

    def as_user(self, *words):
        return ["setpriv", f"--reuid={self.name}", f"--regid={self.name}", "--init-groups", *words]

    def run(self, *words, **options):
        """A program as this user."""
        return subprocess.run(self.as_user(*words), capture_output=True, text=True, check=False, cwd="/", **options)

    def begin(self, *words, **options):
        return subprocess.Popen(self.as_user(*words), cwd="/", **options)


def wait_until(true, seconds, what):
    """For what nobody tells of: looked at ten times a second."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
