# SPDX-License-Identifier: GPL-2.0-or-later
"""A program in a VMM's place: it tries what a VMM that its guest has taken over would try, and says what came of it.

report(text) reads its lines. In the program itself nothing of the tests is imported: it sees no more than a VMM does."""

import json
import pathlib

SCRIPT = '''#!/usr/bin/python3 -IB
import json, os, signal, socket, sys
{before}
secrets = {secrets}
found = dict()
def attempt(name, work):
    try:
        work()
        found[name] = "done"
    except OSError as error:
        found[name] = os.strerror(error.errno)
def call(path):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(path)
attempt("key", lambda: open(secrets["key"]).read())
attempt("names of keys", lambda: os.listdir(os.path.dirname(secrets["key"])))
attempt("another VM's disk", lambda: open(secrets["disk"], "rb").read(1))
attempt("database", lambda: open(secrets["database"], "rb").read(1))
attempt("a link", lambda: os.symlink(secrets["key"], "link"))
attempt("its description", lambda: open("vm.json", "a"))
attempt("a mode", lambda: os.chmod(secrets["key"], 0o644))
attempt("a signal", lambda: os.kill(secrets["process"], 0))
attempt("its memory", lambda: open("/proc/%d/environ" % secrets["process"]).read())
attempt("its folder", lambda: os.listdir("/proc/%d/cwd" % secrets["process"]))
attempt("the bus", lambda: call(secrets["bus"]))
attempt("the network", lambda: socket.create_connection(("127.0.0.1", 9), 1))
attempt("its disk", lambda: open("root.img", "r+b").read(1))
attempt("its kernel", lambda: open("kernel", "rb").read(1))
print("spy: " + json.dumps(found), file=sys.stderr, flush=True)
'''

# May do what every VMM does.
ITS_OWN = {"its disk", "its kernel"}


def put(path, secrets, before=""):
    """secrets: key, disk, database, bus (paths), process (a pid of the user's)."""
    path = pathlib.Path(path)
    path.write_text(SCRIPT.format(secrets=repr({name: value if isinstance(value, int) else str(value) for name, value in secrets.items()}), before=before))
    path.chmod(0o755)
    return path


def report(text):
    """{attempt: "done" or why not}; text: a log with the spy's line in it."""
    lines = [line.partition("spy: ")[2] for line in text.splitlines() if "spy: " in line]
    assert lines, f"the spy said nothing: {text[-2000:]}"
    return json.loads(lines[-1])


def got(found):
    return {name for name, result in found.items() if result == "done"}
