"""What the keeper asks of the board's system: systemd, the disk, other programs. Tests have one of their own."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from swarm.core.clock import MonotonicClock
from swarm.deploy.keeper.errors import Refused

USER = "swarm"
BOOT = Path("/run/swarm-keeper.boot")
POWER_MODES = (Path("/var/lib/nvpmodel/status"), Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))
MOST_TEXT = 64
COMMAND_S = 120.0                    # no command of these takes longer on a board that works
PROPERTIES = ("ActiveState", "SubState", "NRestarts", "MainPID", "InvocationID", "Result", "StatusText",
              "ExecMainStatus")


class System:
    """The board itself."""

    def __init__(self) -> None:
        self.clock = MonotonicClock()

    def run(self, *command: str, stdin: bytes = b"", check: bool = True, as_user: str = "") -> str:
        """The output of a command. Raises: Refused if it fails, with its last line."""
        who = pwd.getpwnam(as_user) if as_user else None
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=COMMAND_S, check=False,
                user=who.pw_uid if who else None, group=who.pw_gid if who else None)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused(f"{command[0]}: {error}") from None
        if check and done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise Refused(f"`{' '.join(command[:3])}` failed with {done.returncode}: {said[-1] if said else 'no word'}")
        return done.stdout.decode(errors="replace")

    def sync(self, path: Path) -> None:
        """Bring all of the file system that holds `path` to its disk."""
        self.run("sync", "-f", str(path))

    def free_bytes(self, path: Path) -> int:
        at = os.statvfs(path)
        return at.f_bavail * at.f_frsize

    def boot(self) -> str:
        """An id of this boot of the board: a file in memory, which no boot finds again."""
        if not BOOT.exists():
            new = BOOT.with_name(f"{BOOT.name}.{os.getpid()}")
            new.write_text(uuid.uuid4().hex)
            new.replace(BOOT)
        return BOOT.read_text()

    def power_mode(self) -> str:
        """That of a Jetson (nvpmodel), else the governor of the clock; empty: not known."""
        for path in POWER_MODES:
            with contextlib.suppress(OSError):
                return path.read_text(errors="replace").strip()[:MOST_TEXT]
        return ""

    def python(self) -> Path:
        """The board's own Python, as a file that stays where it is."""
        return Path(sys.executable).resolve()

    def verify(self, signers: Path, signature: Path, content: bytes) -> bool:
        """Whether one of the signers has signed the content (OpenSSH's Ed25519 signatures; no clock is asked)."""
        try:
            self.run("ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "swarm", "-n", "swarm-release",
                     "-s", str(signature), stdin=content)
        except Refused:
            return False
        return True

    # --- systemd ---

    def systemctl(self, *words: str, check: bool = True) -> str:
        return self.run("systemctl", *words, check=check)

    def units(self, names: Sequence[str]) -> list[dict[str, str]]:
        """The properties of these units, in their order."""
        if not names:
            return []
        said = self.systemctl("show", *names, f"--property={','.join(PROPERTIES)}", check=False)
        found = [dict(line.split("=", 1) for line in one.splitlines() if "=" in line) for one in said.split("\n\n")]
        return [*found, *({} for _ in names)][:len(names)]

    def log(self, units: Sequence[str], lines: int) -> list[str]:
        """The last lines of these units, oldest first."""
        named = [word for unit in units for word in ("-u", unit)]
        said = self.run("journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(lines), *named, check=False)
        return said.splitlines()
