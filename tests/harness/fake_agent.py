# SPDX-License-Identifier: GPL-2.0-or-later
"""A dev.banger.Agent1 that plays what no test can have of a real one without guests: a thousand VMs that run, signals in floods, names that look like
options, and logs full of garbage. As a program it serves on a bus and takes commands on standard input; FakeAgent starts it and speaks to it."""

import json
import os
import subprocess
import sys

NAME = "dev.banger.Agent1"
ROOT = "/dev/banger/Agent1"


class FakeAgent:
    """`calls()` counts what was asked; everything else changes what there is."""

    def __init__(self, address, env):
        self.process = subprocess.Popen(["/usr/bin/python3", "-B", __file__, address], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def vms(self, count, state="running", prefix="vm-"):
        self.tell(do="vms", names=[f"{prefix}{number:04}" for number in range(count)], state=state)

    def add(self, name, state="running"):
        return self.tell(do="vms", names=[name], state=state)

    def set_state(self, name, state):
        self.tell(do="state", name=name, state=state)

    def flood(self, rounds):
        """Each VM changes its state so often, as fast as the bus takes it; ends with all of them as they were."""
        self.tell(do="flood", rounds=rounds)

    def refuse_listings(self, count):
        """So many of the next ones."""
        self.tell(do="refuse", count=count)

    def obey(self):
        """From now on it takes what is to be done to a VM, and does nothing."""
        self.tell(do="obey")

    def asked(self):
        """[[member, name of the VM, signature, arguments]] of what it took."""
        return self.tell(do="asked")["asked"]

    def log(self, path):
        self.tell(do="log", path=str(path))

    def calls(self):
        return self.tell(do="calls")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def serve(address):
    import dbus
    import dbus.lowlevel
    import dbus.mainloop.glib
    import dbus.service
    from gi.repository import GLib

    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    connection = dbus.bus.BusConnection(address)
    vms = {}  # id -> [name, state]
    counts = {"Stats": 0, "ListVms": 0, "stats_ids": 0, "most_stats_ids": 0}
    log = {"path": os.devnull}
    samples = {"count": 0}
    refused = {"ListVms": 0}
    asked = []
    obeys = []
    forwards = {}  # (address, port) -> port of the guest; of all VMs alike

    def emit(path, interface, name, signature, *arguments):
        message = dbus.lowlevel.SignalMessage(path, interface, name)
        message.append(signature=signature, *arguments)
        connection.send_message(message)

    def vm_path(identity):
        return f"{ROOT}/vm/{identity}"

    def details():
        return dbus.Dictionary({"image": "debian", "vcpus": dbus.UInt32(2), "memory_mib": dbus.UInt32(512), "disk_bytes": dbus.UInt64(16 << 30), "vmm": "qemu-kvm",
                                "network": "user", "storage": "file", "created": dbus.Int64(1780000000), "nat": dbus.Boolean(False)}, signature="sv")

    def properties(identity):
        name, state = vms[identity]
        return dbus.Dictionary({"Id": identity, "Name": name, "State": state, "Ready": dbus.Boolean(state == "running"), "Details": details()}, signature="sv")

    def row(identity):
        name, state = vms[identity]
        runs = state == "running"
        return (identity, name, state, "debian", dbus.UInt32(2), dbus.UInt32(512), dbus.UInt64(16 << 30), "", dbus.Int64(1780000000), "qemu-kvm" if runs else "",
                "", "file", "user" if runs else "", dbus.Boolean(False), "")

    def changed(identity):
        emit(vm_path(identity), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", f"{NAME}.Vm",
             dbus.Dictionary({"State": vms[identity][1], "Ready": dbus.Boolean(True)}, signature="sv"), dbus.Array(["Details"], signature="s"))

    def plain(value):
        if isinstance(value, dict):
            return {str(key): plain(inner) for key, inner in value.items()}
        return bool(value) if isinstance(value, dbus.Boolean) else int(value)

    def take(message):
        if not obeys:
            raise dbus.DBusException("this fake does nothing to VMs", name="dev.banger.Error.Unavailable")
        identity = message.get_path().rsplit("/", 1)[1]
        asked.append([message.get_member(), vms[identity][0], str(message.get_signature()), [plain(value) for value in message.get_args_list()]])
        return dbus.ObjectPath(f"{ROOT}/asked/{len(asked)}")

    class Manager(dbus.service.Object):
        @dbus.service.method(f"{NAME}.Manager", in_signature="a{ss}", out_signature="a(ssssuutsxssssbs)")
        def ListVms(self, filter):
            counts["ListVms"] += 1
            if refused["ListVms"] > 0:
                refused["ListVms"] -= 1
                raise dbus.DBusException("it takes no call just now", name="dev.banger.Error.Unavailable")
            return dbus.Array([row(identity) for identity in vms], signature="(ssssuutsxssssbs)")

        @dbus.service.method(f"{NAME}.Manager", in_signature="as", out_signature="a(sssa{st})")
        def Stats(self, names):
            counts["Stats"] += 1
            counts["stats_ids"] += len(names)
            counts["most_stats_ids"] = max(counts["most_stats_ids"], len(names))
            samples["count"] += 1
            at = samples["count"]
            numbers = dbus.Dictionary({"sampled_ns": dbus.UInt64(at * 10**9), "cpu_ns": dbus.UInt64(at * at * 10**8), "memory_total": dbus.UInt64(1000),
                                       "memory_available": dbus.UInt64(750), "block_read": dbus.UInt64(0), "block_written": dbus.UInt64(at << 20),
                                       "uptime_ms": dbus.UInt64(61000)}, signature="st")
            return dbus.Array([(name, vms[name][0], vms[name][1], numbers) for name in names if name in vms], signature="(sssa{st})")

        @dbus.service.method(f"{NAME}.Manager", in_signature="", out_signature="a(ssttsxas)")
        def ListImages(self):
            return dbus.Array([("debian", "0" * 64, dbus.UInt64(16 << 30), dbus.UInt64(400 << 20), "debian bookworm", dbus.Int64(1780000000),
                                dbus.Array([], signature="s"))], signature="(ssttsxas)")

        @dbus.service.method(f"{NAME}.Manager", in_signature="", out_signature="a(ssss)")
        def Doctor(self):
            return dbus.Array([("bangerd", "ok", "a fake", ""), ("default image", "missing", "there is none yet", "banger image build")], signature="(ssss)")

        @dbus.service.method(f"{NAME}.Manager", in_signature="s", out_signature="o")
        def FindVm(self, name):
            return dbus.ObjectPath(vm_path(name))

        @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="s", out_signature="a{sv}")
        def GetAll(self, interface):
            return dbus.Dictionary({"Version": "0.1.0", "Pid": dbus.UInt32(os.getpid()), "Address": address, "StateDirectory": "/nowhere",
                                    "Warnings": dbus.Array([], signature="s")}, signature="sv")

        @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v")
        def Get(self, interface, name):
            return self.GetAll(interface)[name]

    class Vms(dbus.service.FallbackObject):
        @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="s", out_signature="a{sv}", path_keyword="path")
        def GetAll(self, interface, path=None):
            return properties(str(path).rsplit("/", 1)[1])

        @dbus.service.method(f"{NAME}.Vm", in_signature="s", out_signature="hs")
        def OpenLog(self, which):
            with open(log["path"], "rb") as file:
                return dbus.types.UnixFd(file), log["path"]

        @dbus.service.method(f"{NAME}.Vm", in_signature="say", out_signature="s")
        def Query(self, what, argument):
            return json.dumps({"listeners": [{"protocol": "tcp", "address": "127.0.0.1", "port": 80, "program": "nginx"},
                                             {"protocol": "udp", "address": "0.0.0.0", "port": 53, "program": "\x1b[2Jdns\u009b31m\u202e"}]})

        @dbus.service.method(f"{NAME}.Vm", in_signature="", out_signature="a(sqq)")
        def ListForwards(self):
            return dbus.Array([(address, dbus.UInt16(port), dbus.UInt16(to)) for (address, port), to in forwards.items()], signature="(sqq)")

        @dbus.service.method(f"{NAME}.Vm", in_signature="sqq", out_signature="q")
        def Forward(self, address, port, guest_port):
            forwards[str(address) or "127.0.0.1", int(port)] = int(guest_port)
            return port

        @dbus.service.method(f"{NAME}.Vm", in_signature="sq", out_signature="")
        def EndForward(self, address, port):
            del forwards[str(address) or "127.0.0.1", int(port)]

        @dbus.service.method(f"{NAME}.Vm", in_signature="aayaayaysuqq", out_signature="hhhh")
        def Exec(self, argv, env, cwd, user, flags, rows, columns):
            raise dbus.DBusException("its guest's channel is down; that is what this fake always says", name="dev.banger.Error.Unavailable")

        @dbus.service.method(f"{NAME}.Vm", in_signature="u", out_signature="o", message_keyword="message")
        def Start(self, ready_timeout_s, message=None):
            return take(message)

        @dbus.service.method(f"{NAME}.Vm", in_signature="u", out_signature="o", message_keyword="message")
        def Stop(self, timeout_ms, message=None):
            return take(message)

        @dbus.service.method(f"{NAME}.Vm", in_signature="u", out_signature="o", message_keyword="message")
        def Restart(self, timeout_ms, message=None):
            return take(message)

        @dbus.service.method(f"{NAME}.Vm", in_signature="a{sv}", out_signature="o", message_keyword="message")
        def Set(self, options, message=None):
            return take(message)

        @dbus.service.method(f"{NAME}.Vm", in_signature="i", out_signature="", message_keyword="message")
        def Kill(self, signal, message=None):
            take(message)

        @dbus.service.method(f"{NAME}.Vm", in_signature="b", out_signature="o", message_keyword="message")
        def Delete(self, force, message=None):
            return take(message)

    class Asked(dbus.service.FallbackObject):
        @dbus.service.method(f"{NAME}.Operation", in_signature="", out_signature="a{sv}")
        def Wait(self):
            return dbus.Dictionary({}, signature="sv")

    manager = Manager(connection, ROOT)
    fallbacks = Vms(connection, f"{ROOT}/vm"), Asked(connection, f"{ROOT}/asked")

    def add(names, state):
        for name in names:
            identity = f"{len(vms):012}"
            vms[identity] = [name, state]
            emit(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", dbus.ObjectPath(vm_path(identity)),
                 dbus.Dictionary({f"{NAME}.Vm": properties(identity)}, signature="sa{sv}"))

    def flood(rounds):
        was = {identity: state for identity, (_, state) in vms.items()}
        for number in range(rounds):
            for identity in vms:
                vms[identity][1] = "stopping" if number % 2 == 0 and number + 1 < rounds else was[identity]
                changed(identity)

    def handle(command):
        if command["do"] == "vms":
            add(command["names"], command["state"])
        elif command["do"] == "state":
            identity = next(identity for identity, (name, _) in vms.items() if name == command["name"])
            vms[identity][1] = command["state"]
            changed(identity)
        elif command["do"] == "flood":
            flood(command["rounds"])
        elif command["do"] == "refuse":
            refused["ListVms"] = command["count"]
        elif command["do"] == "obey":
            obeys.append(True)
        elif command["do"] == "asked":
            return {"asked": asked}
        elif command["do"] == "log":
            log["path"] = command["path"]
        elif command["do"] == "calls":
            return counts
        return {}

    def on_line(*_):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        answer = handle(json.loads(line))
        print(json.dumps(answer), flush=True)
        return True

    connection.request_name(NAME)
    loop = GLib.MainLoop()
    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, on_line)
    print("ready", flush=True)
    loop.run()
    del manager, fallbacks


if __name__ == "__main__":
    serve(sys.argv[1])
