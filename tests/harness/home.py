# SPDX-License-Identifier: GPL-2.0-or-later
"""One user's world for a test: HOME and XDG folders of its own, and the installed `banger` run in it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import processes

STAGE = pathlib.Path(__file__).resolve().parents[2]
PREFIX = pathlib.Path(os.environ.get("BANGER_TEST_PREFIX", STAGE / "prefix"))
TESTS_CACHE = pathlib.Path(
    os.environ.get("BANGER_TEST_CACHE") or
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "banger-tests")
KEEP = bool(os.environ.get("BANGER_TEST_KEEP"))

# Nothing of the machine's own session may leak into a test, nor the other way round.
FOREIGN = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
           "SSH_AUTH_SOCK")


class Home:
    """Folders and environment. On the file system of the test cache, so that copies of images may be reflinks, as for a user; the
    runtime folder alone is in /tmp, for a socket's path has 107 bytes."""

    def __init__(self, name, cache=None):
        (TESTS_CACHE / "homes").mkdir(parents=True, exist_ok=True)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=TESTS_CACHE / "homes"))
        self.runtime = pathlib.Path(tempfile.mkdtemp(prefix="bt-", dir="/tmp"))
        self.state = self.root / "state"
        self.config = self.root / "config"
        self.cache = pathlib.Path(cache) if cache else self.root / "cache"
        for folder in (self.root / "home", self.state, self.config, self.cache):
            folder.mkdir(parents=True, exist_ok=True)
        self.env = {name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("BANGER_")}
        self.env.update(HOME=str(self.root / "home"), XDG_RUNTIME_DIR=str(self.runtime), XDG_STATE_HOME=str(self.state),
                        XDG_CONFIG_HOME=str(self.config), XDG_CACHE_HOME=str(self.cache))

    @property
    def config_file(self):
        return self.config / "banger" / "config.toml"

    @property
    def database(self):
        return self.state / "banger" / "banger.db"

    @property
    def vms_folder(self):
        return self.state / "banger" / "vms"

    def write_config(self, text):
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)

    def command(self, *args):
        return [str(PREFIX / "bin" / "banger"), *map(str, args)]

    def banger(self, *args, input=None, timeout=120, check=False, text=True, env=None, cwd=None):
        """Runs the CLI to its end. With check, anything but exit code 0 fails the test and shows what was printed."""
        stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(self.command(*args), capture_output=True, text=text, timeout=timeout, env={**self.env, **(env or {})},
                              cwd=cwd or self.root, **stdin)
        assert not check or done.returncode == 0, \
            f"banger {' '.join(map(str, args))}: exit {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        return done

    def start(self, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options):
        """The CLI as a running process."""
        return subprocess.Popen(self.command(*args), stdin=stdin, stdout=stdout, stderr=stderr, text=text, env=self.env,
                                cwd=self.root, **options)

    def json(self, *args, **options):
        return json.loads(self.banger(*args, check=True, **options).stdout)

    def vms(self):
        """{name: row of `vm list --json`}"""
        return {row["name"]: row for row in self.json("vm", "list", "--json")}

    def show(self, name):
        answer = self.json("vm", "show", name, "--json")
        return answer[0] if isinstance(answer, list) else answer

    def agent_address(self):
        return self.banger("daemon", "socket", check=True).stdout.strip()

    def agent_pids(self):
        return [process.pid for process in self.processes() if process.name == "bangerd"]

    def kill_bangerd(self):
        """SIGKILL, and waits until it is gone."""
        found = [process for process in self.processes() if process.name == "bangerd"]
        processes.end(found)

    def processes(self):
        """Everything alive that was started, directly or not, from here."""
        return processes.with_environment("XDG_STATE_HOME", str(self.state)) + processes.below_folder(self.root)

    def log(self):
        path = self.state / "banger" / "bangerd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self):
        """Ends what is left by pid and removes the folders (kept with BANGER_TEST_KEEP)."""
        processes.end(self.processes())
        if KEEP:
            return
        for folder in (self.root, self.runtime):
            shutil.rmtree(folder, ignore_errors=True)
