"""Boards of a bench: each is systemd as process 1 in namespaces of its own, with sshd, on a bridge of this machine.

A board's disk is a layer over the shared system: in memory, or on an ext4 image, which a power cut copies as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from swarm.bench.deploy.root import LOGIN
from swarm.core.clock import MonotonicClock

GROUPS = Path("/sys/fs/cgroup")
HIERARCHIES = ("memory", "pids", "cpu", "cpuacct", "systemd")
UP_S = 60.0
MOUNT_OPTIONS = "noauto_da_alloc"
"""Of a disk. By default ext4 writes a file of its own accord when it is closed after a truncation, or renamed over
another (ext4(5), auto_da_alloc), so that files survive which nobody has synced. A release may not need that.
"""
FOLDER = "swarm-boards"              # of a bench: its pid follows
MOUNT = re.compile(rf"/{FOLDER}-(\d+)-")
NAMED = re.compile(r"swb-?(\d+)(?:-\d+)?")
START = """exec setpriv --pdeathsig KILL nsenter --net=/run/netns/SPACE unshare --mount --pid --uts --ipc --cgroup \
  --fork --kill-child --propagation private sh -c "$3" init "$1" "$2"
"""
INIT = """
set -e
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
for one in memory pids cpu cpuacct; do
  if [ -d /sys/fs/cgroup/$one ]; then mkdir sys/fs/cgroup/$one; mount -t cgroup -o $one cgroup sys/fs/cgroup/$one; fi
done
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for one in null zero full random urandom tty; do touch dev/$one; mount --bind /dev/$one dev/$one; done
mount -t tmpfs -o mode=755 tmpfs run
hostname "$2"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=bench PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0 --log-target=journal
"""


class Network:
    """The bridge that the boards are on, from a number of its own."""

    def __init__(self) -> None:
        remove_stale()
        self._part = os.getpid() % 250
        self.bridge = f"swb{os.getpid()}"[:15]
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "address", "add", f"10.214.{self._part}.1/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")

    def address(self, number: int) -> str:
        return f"10.214.{self._part}.{10 + number}"

    def close(self) -> None:
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)


class Board:
    """One board. folder: of its own, for its mounts. disk: an ext4 image for its layer; None: memory of `disk_mb`."""

    def __init__(self, network: Network, number: int, name: str, system: Path, folder: Path, login_key: str, *,
                 disk: Path | None = None, disk_mb: int = 1024) -> None:
        self.name, self.address = name, network.address(number)
        self._network, self._system, self._folder, self._disk = network, system, folder, disk
        self._space = f"swb-{os.getpid()}-{number}"
        self._child: subprocess.Popen[bytes] | None = None
        self.root = folder / "root"
        self.layer = folder / "layer"
        for path in (self.layer, self.root):
            path.mkdir(parents=True, exist_ok=True)
        if disk is None:
            _run("mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs", str(self.layer))
        else:
            _run("mount", "-o", f"loop,{MOUNT_OPTIONS}", str(disk), str(self.layer))
        for name_ in ("up", "work"):
            (self.layer / name_).mkdir(exist_ok=True)
        _run("mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={system},upperdir={self.layer / 'up'},workdir={self.layer / 'work'}", str(self.root))
        self._first_boot(login_key)
        _run("ip", "netns", "add", self._space)
        self._link(number)

    def _first_boot(self, login_key: str) -> None:
        """Host keys of its own, and the operator's login."""
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {self.name.replace('_', '-')}\n")
        home = self.root / "home" / LOGIN / ".ssh"
        if home.exists():
            return
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.root / "etc/ssh/ssh_host_ed25519_key"))
        home.mkdir(mode=0o700)
        (home / "authorized_keys").write_text(login_key)
        owner = (self.root / "home" / LOGIN).stat()
        for path in (home, home / "authorized_keys"):
            os.chown(path, owner.st_uid, owner.st_gid)

    def _link(self, number: int) -> None:
        outside, inside = f"swb{os.getpid()}-{number}"[-15:], "eth0"
        self._outside = outside
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", self._space)
        _run("ip", "link", "set", outside, "master", self._network.bridge, "up")
        _run("ip", "-n", self._space, "address", "add", f"{self.address}/24", "dev", inside)
        _run("ip", "-n", self._space, "link", "set", "lo", "up")
        _run("ip", "-n", self._space, "link", "set", inside, "up")

    # --- power and link ---

    def power_on(self) -> None:
        """Boot. Returns at once; `up` waits."""
        for group in self._groups():
            group.mkdir(parents=True, exist_ok=True)
        join = [str(group / "cgroup.procs") for group in self._groups()]
        script = "".join(f'echo $$ > "{path}"\n' for path in join) + START.replace("SPACE", self._space)
        self._child = subprocess.Popen(
            ["sh", "-c", script, "board", str(self.root), self.name.replace("_", "-"), INIT], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def up(self) -> None:
        """Wait until sshd answers. Raises: RuntimeError."""
        clock = MonotonicClock()
        until_ns = clock.now_ns() + round(UP_S * 1e9)
        while clock.now_ns() < until_ns:
            with contextlib.suppress(OSError), socket.create_connection((self.address, 22), 1.0) as to:
                to.settimeout(2.0)
                if to.recv(4) == b"SSH-":
                    return
            threading.Event().wait(0.1)
        raise RuntimeError(f"{self.name} is not up after {UP_S:g} s")

    def pid(self) -> int:
        """Of its systemd, seen from here; 0: it is off."""
        if self._child is None or self._child.poll() is not None:
            return 0
        at = self._child.pid
        while (children := Path(f"/proc/{at}/task/{at}/children").read_text().split()) and \
                (Path(f"/proc/{at}/comm").read_text().strip() != "systemd"):
            at = int(children[0])
        return at

    def power_off(self) -> None:
        """Cut its power: all its processes are gone at once; what was not on its disk is in the layer's cache still."""
        if self._child is None:
            return
        pid = self.pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._child.kill()
        self._child.wait()
        self._child = None
        for group in self._groups():
            _empty(group)

    def freeze(self, on: bool) -> None:
        """Stop all its processes, or let them go on."""
        groups = GROUPS / "freezer"
        group = groups / self._space
        group.mkdir(exist_ok=True)
        if on:
            for pid in _below(self.pid()):
                with contextlib.suppress(OSError):
                    (group / "cgroup.procs").write_text(str(pid))
        (group / "freezer.state").write_text("FROZEN" if on else "THAWED")

    def cut(self, off: bool) -> None:
        """Cut its link, or join it again."""
        _run("ip", "link", "set", self._outside, "down" if off else "up")

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on it, past sshd."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid()), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", *command],
            capture_output=True, text=True, check=False, timeout=120.0)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def _groups(self) -> list[Path]:
        return [GROUPS / one / self._space for one in HIERARCHIES if (GROUPS / one).is_dir()]

    def close(self) -> None:
        """Off, and all its mounts and its network are gone."""
        self.power_off()
        subprocess.run(["ip", "netns", "delete", self._space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "delete", self._outside], capture_output=True, check=False)
        for path in (self.root, self.layer):
            subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
        with contextlib.suppress(OSError):
            (GROUPS / "freezer" / self._space).rmdir()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    made = Network()
    try:
        yield made
    finally:
        made.close()


def remove_stale() -> None:
    """Remove the boards of benches that were killed: processes, mounts, links, namespaces and control groups."""
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        if (match := MOUNT.search(line)) and not os.path.exists(f"/proc/{match[1]}"):
            subprocess.run(["umount", "-l", line.split()[1]], capture_output=True, check=False)
    for command, remove in ((("ip", "netns", "list"), ("ip", "netns", "delete")),
                            (("ip", "-o", "link"), ("ip", "link", "delete"))):
        for match in NAMED.finditer(_run(*command)):
            if not os.path.exists(f"/proc/{match[1]}"):
                subprocess.run([*remove, match[0]], capture_output=True, check=False)
    for group in GROUPS.glob("*/swb-*"):
        if (match := NAMED.fullmatch(group.name)) and not os.path.exists(f"/proc/{match[1]}"):
            for procs in group.rglob("cgroup.procs"):
                for pid in procs.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            _empty(group)


def _below(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            found += [int(child) for task in Path(f"/proc/{one}/task").iterdir()
                      for child in (task / "children").read_text().split()]
    return found


def _empty(group: Path) -> None:
    """Remove a control group and those below it, once their processes are gone."""
    for _ in range(50):
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)
            return
        except OSError:
            threading.Event().wait(0.1)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
