"""A board over plain OpenSSH: one connection that all commands share, and host keys that are pinned.

The first connection to a board takes its host key into the fleet's own known_hosts; another key is refused from then
on. Nothing asks for a password.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from swarm.core.settings.errors import BadInput
from swarm.deploy.boards.ports import NotUsable, Ran, Unreachable
from swarm.deploy.inventory import BoardAt
from swarm.net import mdns
from swarm.net.name_lookup import look_up_ipv4

CONNECT_S = 10
FAILED = 255                         # ssh's own exit code
MOST_BYTES = 16 << 20                # that a command says: far more than the longest list of files
CHANGED = re.compile(r"HOST IDENTIFICATION HAS CHANGED|Host key verification failed")
NO_LOGIN = re.compile(r"Permission denied|Too many authentication failures")
NO_SUDO = re.compile(r"sudo: .*password|sudo: .*not allowed|sudo: not found|sudo: command not found|may not run sudo")
TRANSFERRED = re.compile(r"Transferred: sent (\d+), received (\d+) bytes")


class SshBoard:
    """One board of an inventory. `sent_bytes`, `received_bytes`: on the connection, once it is closed.

    known_hosts: the fleet's own file. identity: a secret key for the login; empty: those of ssh's own settings.
    """

    def __init__(self, at: BoardAt, known_hosts: Path, identity: str = "") -> None:
        if shutil.which("ssh") is None:
            raise BadInput("swarm deploy", "ssh is not installed", "OpenSSH's client")
        self.sent_bytes = self.received_bytes = 0
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-ssh-")      # a control socket needs a short path
        self._log = Path(self._folder.name) / "log"
        self._root, self._address = at.login == "root", at.address
        self._where = f"{at.login}@{at.address}" if at.login else at.address
        options = {
            "BatchMode": "yes", "StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": known_hosts,
            "GlobalKnownHostsFile": "/dev/null", "UpdateHostKeys": "no", "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": 5, "ServerAliveCountMax": 3, "ControlMaster": "auto", "LogLevel": "VERBOSE",
            "ControlPath": f"{self._folder.name}/c", "ControlPersist": 60, "HashKnownHosts": "no",
        }
        if identity:
            options |= {"IdentityFile": identity, "IdentitiesOnly": "yes"}
        self._options = ["ssh", "-p", str(at.ssh_port), *(f"-o{key}={value}" for key, value in options.items())]
        self._ssh = self._options
        self._up = False

    def run(
        self, *command: str, stdin: bytes | Iterable[bytes] = b"", root: bool = False, limit_s: float = 60.0
    ) -> Ran:
        """See BoardPort."""
        if not self._up:
            self._connect()
        words = [*(("sudo", "-n") if root and not self._root else ()), *command]
        done = self._call(words, stdin, limit_s)
        if root and done.code == 1 and NO_SUDO.search(done.err):
            raise NotUsable("its login may not use sudo without a password")
        if done.code == FAILED:
            self._up = False
            raise self._trouble(done.err)
        return done

    def _connect(self) -> None:
        """Open the shared connection; its log says at the end how much it carried."""
        if mdns.is_local(self._address):             # ssh would ask the system alone
            try:
                number = look_up_ipv4(self._address)
            except OSError as error:
                kind = NotUsable if error.errno == errno.ENOPKG else Unreachable
                raise kind(f"{self._address} cannot be found: {error.strerror or error}") from None
            self._ssh = [*self._options, f"-oHostName={number}", f"-oHostKeyAlias={self._address}"]
        try:
            done = subprocess.run(
                [*self._ssh, "-E", str(self._log), "-N", "-f", self._where], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=3 * CONNECT_S)
        except subprocess.TimeoutExpired:            # ssh's own limit does not hold for the login
            raise Unreachable(f"no login within {3 * CONNECT_S} s") from None
        if done.returncode:
            raise self._trouble(self._log.read_text(errors="replace") if self._log.exists() else "")
        self._up = True

    def _call(self, words: list[str], stdin: bytes | Iterable[bytes], limit_s: float) -> Ran:
        child = subprocess.Popen([*self._ssh, self._where, shlex.join(words)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdin is not None
        err: list[bytes] = []
        out: list[bytes] = []
        readers = [threading.Thread(target=lambda stream, kept: kept.append(stream.read(MOST_BYTES)), args=args,
                                    daemon=True) for args in ((child.stdout, out), (child.stderr, err))]
        limit = threading.Timer(limit_s, child.kill)
        for thread in (*readers, limit):
            thread.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                for block in ([stdin] if isinstance(stdin, bytes) else stdin):
                    child.stdin.write(block)
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
            code = child.wait()
            for reader in readers:
                reader.join()
        finally:
            limit.cancel()
            child.kill()
            child.wait()
        if code < 0:
            raise Unreachable(f"no answer within {limit_s:g} s")
        return Ran(code, b"".join(out), b"".join(err).decode(errors="replace"))

    def _trouble(self, said: str) -> Unreachable | NotUsable:
        if CHANGED.search(said):
            return NotUsable("its host key has changed: another machine answers, or it was set up anew; compare the "
                             "key, and remove its line from known_hosts in the fleet's folder")
        if NO_LOGIN.search(said):
            return NotUsable("it does not accept the login: install a public key there")
        lines = [line for line in said.splitlines() if line.strip() and not line.startswith("Transferred")]
        return Unreachable(lines[-1] if lines else "it does not answer")

    def close(self) -> None:
        """Close the shared connection."""
        if self._up:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run([*self._ssh, "-O", "exit", self._where], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=CONNECT_S)
        for _ in range(20):                          # it writes its log and ends
            text = self._log.read_text(errors="replace") if self._log.exists() else ""
            if not self._up or TRANSFERRED.search(text):
                break
            threading.Event().wait(0.02)
        for sent, received in TRANSFERRED.findall(self._log.read_text(errors="replace") if self._log.exists() else ""):
            self.sent_bytes += int(sent)
            self.received_bytes += int(received)
        self._up = False
        self._folder.cleanup()
