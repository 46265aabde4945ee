# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor (QMP) on a socket that it was given at its start."""

import json
import socket
import time

from .errors import LabError


class Qmp:
    """One command at a time; events are kept until somebody asks for them. Not for several threads."""

    def __init__(self, connection):
        self.socket = connection
        self.events = []
        self._rest = b""

    def greet(self, seconds):
        self._answer(time.monotonic() + seconds, "its greeting")
        self.do("qmp_capabilities")

    def do(self, command, seconds=60, **arguments):
        """The command's result. Throws LabError with QEMU's own words."""
        text = json.dumps({"execute": command, "arguments": {name.replace("_", "-"): value for name, value in arguments.items()}})
        deadline = time.monotonic() + seconds
        try:
            self.socket.sendall(text.encode() + b"\n")
        except OSError as error:
            raise LabError(f"QEMU is gone: {error}") from None
        while True:
            message = self._answer(deadline, command)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise LabError(f"QEMU refused {command}: {message['error']['desc']}")
            self.events.append(message)

    def human(self, line, seconds=60):
        """What QEMU's other monitor, the one for people, says."""
        return self.do("human-monitor-command", seconds, command_line=line)

    def wait_for(self, accept, seconds, what):
        """The first event, kept or new, for which accept(event) is true."""
        deadline = time.monotonic() + seconds
        while True:
            for event in list(self.events):
                self.events.remove(event)
                if accept(event):
                    return event
            try:
                self.events.append(self._message(deadline))
            except TimeoutError:
                raise LabError(f"not within {seconds} s: {what}") from None

    def take_events(self):
        """Reads what is there already, without waiting. False when QEMU has closed its end."""
        self.socket.settimeout(0)
        try:
            block = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._rest += block
        while b"\n" in self._rest:
            self.events.append(self._take_line())
        return bool(block)

    def _take_line(self):
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _answer(self, deadline, what):
        try:
            return self._message(deadline)
        except TimeoutError:
            raise LabError(f"QEMU's monitor does not answer in time: {what}") from None

    def _message(self, deadline):
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("QEMU's monitor does not answer")
            self.socket.settimeout(left)
            try:
                block = self.socket.recv(65536)
            except socket.timeout:
                continue
            except OSError as error:
                raise LabError(f"QEMU is gone: {error}") from None
            if not block:
                raise LabError("QEMU is gone")
            self._rest += block
        return self._take_line()
