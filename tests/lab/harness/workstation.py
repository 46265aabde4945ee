# SPDX-License-Identifier: GPL-2.0-or-later
"""One running workstation: a QEMU process that ends with this one, its console in a file, its monitor, and ssh into it."""

import contextlib
import ctypes
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import accelerator, cache
from .errors import LabError, disk_full, says_disk_full
from .qmp import Qmp

MEMORY = "4G"
CORES = 2
BOOT_SECONDS = 240  # 25 s on an idle machine
RESTORE_SECONDS = 60
GREET_SECONDS = 30
# kvm_amd.npt=0: see README, traps.
COMMAND_LINE = ("root=/dev/vda rw console=ttyS0 loglevel=4 panic=-1 mitigations=off tsc=reliable clocksource=tsc kvm_amd.npt=0 "
                "systemd.show_status=error")
PR_SET_PDEATHSIG = 1
SSH_LOST = 255
_libc = ctypes.CDLL(None, use_errno=True)


def qemu_version():
    program = shutil.which("qemu-system-x86_64")
    if not program:
        raise LabError("qemu-system-x86_64 is missing; `scripts/deps run test` installs it")
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Workstation:
    """`disks`: {serial: path of a qcow2 of this run's own}, the root first, or `path.raw` for what is only read.

    With `memory` (a file) and `shared`, the guest's RAM is that file, as a snapshot wants it; not shared, writes stay this run's own."""

    def __init__(self, folder, base, disks, memory=None, shared=False, incoming=None, durable=False):
        self.folder = pathlib.Path(folder)
        self.base = base
        self.console = self.folder / "console.log"
        self.shared = shared
        self._cleanup = contextlib.ExitStack()  # also of one that never is whole
        try:
            self._start(disks, memory, shared, incoming, durable)
        except BaseException:
            self.close()
            raise

    def _start(self, disks, memory, shared, incoming, durable):
        base = self.base
        self.short = pathlib.Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))  # ssh's socket: a path has 107 bytes
        self._cleanup.callback(shutil.rmtree, self.short, ignore_errors=True)
        monitor, qemu_monitor = socket.socketpair()
        self.ready, qemu_ready = socket.socketpair()
        for end in (monitor, self.ready):
            self._cleanup.callback(end.close)
        words = ["qemu-system-x86_64", "-name", "lab", *_machine(accelerator.choose(base), memory, shared), "-nodefaults", "-no-user-config", "-display", "none",
                 "-kernel", base / "vmlinuz", "-initrd", base / "initrd", "-append", COMMAND_LINE,
                 "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console",
                 "-chardev", f"socket,id=monitor,fd={qemu_monitor.fileno()}", "-mon", "chardev=monitor,mode=control",
                 "-device", "virtio-serial", "-chardev", f"socket,id=ready,fd={qemu_ready.fileno()}",
                 "-device", "virtserialport,chardev=ready,name=lab.ready",
                 "-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22", "-device", "virtio-net-pci,netdev=net,romfile=",
                 *_disks(disks, durable)]
        if not durable:
            words.append("-no-reboot")
        if incoming:
            words += ["-incoming", "defer", "-S"]
        self.log = self._cleanup.enter_context(open(self.folder / "qemu.log", "ab"))
        try:
            self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                            pass_fds=(qemu_monitor.fileno(), qemu_ready.fileno()), preexec_fn=_die_with_parent)
        finally:
            qemu_monitor.close()
            qemu_ready.close()
        self._cleanup.callback(self.disconnect)
        self._cleanup.callback(self.kill)
        self._pidfd = os.pidfd_open(self.process.pid)
        self._cleanup.callback(os.close, self._pidfd)
        self.qmp = Qmp(monitor)
        self.qmp.greet(GREET_SECONDS)
        self.port = self._forwarded_port()
        if incoming:
            self._restore(incoming)

    def _forwarded_port(self):
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", self.qmp.human("info usernet"))
        if not found:
            raise LabError("QEMU forwards no port to the workstation's sshd")
        return int(found[1])

    def _restore(self, state):
        self.qmp.do("migrate-set-capabilities", capabilities=SNAPSHOT_CAPABILITIES)
        self.qmp.do("migrate-incoming", uri=f"exec:cat '{state}'")
        self._wait_for_migration(RESTORE_SECONDS)
        self.qmp.do("cont")

    def save(self, state):
        """Stops it and writes the devices' state; RAM is in the shared memory file."""
        self.qmp.do("stop")
        self.qmp.do("migrate-set-capabilities", capabilities=SNAPSHOT_CAPABILITIES)
        self.qmp.do("migrate", uri=f"exec:cat >'{state}'")
        self._wait_for_migration(RESTORE_SECONDS)

    def _wait_for_migration(self, seconds):
        event = self.qmp.wait_for(lambda event: event["event"] == "MIGRATION" and event["data"]["status"] in ("completed", "failed"), seconds,
                                  "the snapshot is whole")
        if event["data"]["status"] == "failed":
            said = cache.tail(self.folder / "qemu.log")
            raise disk_full(self.folder) if says_disk_full(said) else LabError(f"the snapshot failed:\n{said}")

    def wait_until_up(self, seconds=BOOT_SECONDS):
        """Until multi-user.target of this boot is reached; gives the boot's id."""
        told = b""
        while not told.endswith(b"\n"):
            self.wait_for(self.ready, seconds, "the workstation to be up")
            block = self.ready.recv(4096)
            if not block:
                self.check_after_loss()
                raise LabError("QEMU has closed the port on which the workstation says that it is up")
            told += block
        return told.decode().split()[-1]

    def reboot(self):
        """In order; only for a durable one, as QEMU ends otherwise."""
        before = self.text("cat /proc/sys/kernel/random/boot_id")
        self.run("systemctl --no-block reboot")
        self.disconnect()
        assert self.wait_until_up() != before

    def wait_for(self, source, seconds, what):
        """Until `source` has something to read. A QEMU that died or stands still, or a deadline, is a LabError with the console's end."""
        with selectors.DefaultSelector() as selector:
            for file in (source, self._pidfd, self.qmp.socket):
                selector.register(file, selectors.EVENT_READ)
            deadline = time.monotonic() + seconds
            while True:
                ready = {key.fileobj for key, _ in selector.select(max(0, deadline - time.monotonic()))}
                if source in ready:
                    return
                self.check()
                if time.monotonic() >= deadline:
                    raise self.hung(f"waited {seconds} s for {what}")

    def check(self):
        """Throws when QEMU has ended or stands still."""
        alive = self.qmp.take_events()
        for event in self.qmp.events:
            if event["event"] == "BLOCK_IO_ERROR":
                raise disk_full(self.folder) if event["data"].get("nospace") else LabError(f"QEMU can't write its disk: {event['data']}")
            if event["event"] == "GUEST_PANICKED":
                raise self.hung("the workstation's kernel panicked")
        if not alive or self.process.poll() is not None:
            code = self.process.wait()
            if self.shared and code == -signal.SIGBUS:  # what a write to a file in memory comes to that has no room to grow
                raise disk_full(self.folder)
            raise LabError(f"QEMU ended ({_in_words(code)}):\n{cache.tail(self.folder / 'qemu.log')}\n{self.console_tail()}")

    def check_after_loss(self):
        """As check(), for who has just lost a connection: QEMU's sockets close a moment before it is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        self.check()

    def hung(self, what):
        """The error for a workstation that doesn't go on. It is ended, as nothing more is to be had of it."""
        text = f"the workstation hangs: {what}. {self._processors()}\nIts console ends with:\n{self.console_tail()}"
        self.kill()
        return LabError(text)

    def _processors(self):
        """Where they are, or that QEMU itself doesn't answer."""
        try:
            registers = self.qmp.human("info registers -a", seconds=5)
        except LabError as error:
            return f"Of its processors nothing is known: {error}."
        return "Its processors: " + "; ".join(re.findall(r"RIP=\S+ RFL=\S+|HLT=\d", registers)) + "."

    def console_tail(self):
        return cache.tail(self.console, lines=80)  # a panic's first line is far above its last

    def ssh_command(self, user="root", terminal=False):
        options = {"UserKnownHostsFile": self.base / "known_hosts", "HostKeyAlias": "workstation", "IdentityFile": self.base / "key",
                   "IdentitiesOnly": "yes", "BatchMode": "yes", "ControlMaster": "auto", "ControlPath": self.short / user, "ControlPersist": "yes",
                   "ConnectTimeout": "60", "LogLevel": "ERROR", "Ciphers": "aes128-gcm@openssh.com"}
        words = ["ssh", "-F", "none", "-p", str(self.port)]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        return [*words, "-tt" if terminal else "-T", f"{user}@127.0.0.1"]

    def run(self, command, seconds=120, user="root", check=True, input=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        """A shell command's CompletedProcess. With check, one that fails is a LabError. `input` and `stdout` may be files."""
        stdin = subprocess.PIPE if isinstance(input, bytes) else input or subprocess.DEVNULL
        process = subprocess.Popen([*self.ssh_command(user), command], stdin=stdin, stdout=stdout, stderr=stderr, preexec_fn=_die_with_parent)
        try:
            out, err = self._communicate(process, input if isinstance(input, bytes) else None, seconds, command)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode == SSH_LOST:
            self.check_after_loss()
        if check and process.returncode != 0:
            raise LabError(f"in the workstation, `{command}` ended with code {process.returncode}: {(err or b'').decode(errors='replace').strip()}"
                           f"{(out or b'').decode(errors='replace')[-2000:]}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def _communicate(self, process, input, seconds, command):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return process.communicate(input, timeout=min(1.0, max(0.01, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                input = None  # Popen has it, and refuses to be given it twice
                self.check()
                if time.monotonic() >= deadline:
                    raise self.hung(f"`{command}` took longer than {seconds} s") from None

    def text(self, command, **options):
        return self.run(command, **options).stdout.decode().strip()

    def set_clock(self):
        """After a restore the workstation believes that it is the time of the snapshot."""
        self.run(f"date --set=@{time.time():.3f}")

    def disconnect(self):
        """Ends the shared ssh connections, and waits until the workstation's side is gone too."""
        for path in self.short.iterdir():
            subprocess.run(["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "workstation"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        """The power cut: QEMU is gone when it returns."""
        self.process.kill()
        self.process.wait()

    def close(self):
        self._cleanup.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# Without the RAM, which is a file already; and an event when it is done.
SNAPSHOT_CAPABILITIES = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]


def _machine(kind, memory, shared):
    backend = f"memory-backend-file,id=ram,size={MEMORY},mem-path={memory},share={'on' if shared else 'off'}" if memory else \
        f"memory-backend-ram,id=ram,size={MEMORY}"
    return ["-object", backend, "-machine", "q35,memory-backend=ram", "-m", MEMORY, "-smp", str(CORES),
            "-accel", "tcg,thread=multi" if kind == "tcg" else "kvm", "-cpu", "max" if kind == "tcg" else "host"]


def _disks(disks, durable):
    """`durable`: what the workstation flushed outlives a kill of QEMU, as it would a power cut."""
    words = []
    for number, (serial, path) in enumerate(disks.items()):
        form = "format=raw,read-only=on" if path.suffix == ".raw" else f"format=qcow2,discard=unmap,cache={'writeback' if durable else 'unsafe'}"
        words += ["-drive", f"id=disk{number},if=none,file={path},{form}", "-device", f"virtio-blk-pci,drive=disk{number},serial={serial}"]
    return words


def _in_words(code):
    return f"by {signal.Signals(-code).name}" if code < 0 else f"code {code}"
