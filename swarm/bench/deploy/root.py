"""The system of the benches' boards: a small Debian with systemd, sshd and Python, made once and kept in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from swarm.core.settings.errors import BadInput
from swarm.deploy.bundles import bundle

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "sudo", "iproute2", "libfaketime")
FOREIGN_PACKAGES = ("python3", "coreutils")
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "e2scrub_reap.service", "systemd-udevd.service", "getty@.service", "console-getty.service",
          "systemd-logind.service", "systemd-timesyncd.service", "systemd-tmpfiles-clean.timer")
LOGIN = "pilot"
SSHD = "UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n"
MADE = ".made"                       # the last file that is written
MAKE_S = 1800.0
NEEDED = ("unshare", "ip", "mount", "debootstrap", "ssh", "ssh-keygen", "systemctl")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
MAGIC = {"aarch64": r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"}
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
"""The first bytes of an ELF program of each processor, and which bits of them count: as qemu registers them."""
Progress = Callable[[str], None]
WANT = "root, with iproute2, debootstrap, systemd and openssh-client"


def check_privilege(where: str) -> None:
    """Raises: BadInput without root, namespaces or the tools."""
    if os.geteuid() != 0:
        raise BadInput(where, "boards in namespaces need root", WANT)
    for tool in NEEDED:
        if shutil.which(tool) is None:
            raise BadInput(where, f"{tool} is not installed", WANT)
    done = subprocess.run(["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "true"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise BadInput(where, f"no namespaces here: {done.stderr.strip()}", WANT)


def system(where: str, progress: Progress) -> Path:
    """The folder of the system; made by debootstrap the first time, for a minute or two. Raises: BadInput."""
    folder = bundle.cache() / "boards" / SUITE
    if (folder / MADE).exists():
        return folder
    progress("making the system of the boards, once: about two minutes")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _bootstrap(where, folder, f"--include={','.join(PACKAGES)}")
    _prepare(folder)
    (folder / MADE).touch()
    return folder


def _bootstrap(where: str, folder: Path, *options: str) -> None:
    try:
        subprocess.run(["debootstrap", "--variant=minbase", *options, SUITE, str(folder), *_mirror()],
                       capture_output=True, text=True, check=True, timeout=MAKE_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stdout", "") or str(error)).strip().splitlines()
        raise BadInput(where, f"the system of the boards cannot be made: {said[-1] if said else error}",
                       "Debian's packages") from None


def foreign_system(where: str, architecture: str, qemu: str, progress: Progress) -> Path:
    """A small system of another processor with Python, whose programs qemu runs. Raises: BadInput."""
    emulator = shutil.which(f"qemu-{qemu}-static")
    if emulator is None:
        raise BadInput(where, f"qemu-{qemu}-static is not installed", "package qemu-user-static")
    _register(where, qemu, emulator)
    folder = bundle.cache() / "boards" / f"{SUITE}-{architecture}"
    if not (folder / MADE).exists():
        progress("making a system of another processor, once: about ten minutes")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _bootstrap(where, folder, f"--arch={architecture}", f"--include={','.join(FOREIGN_PACKAGES)}")
        (folder / MADE).touch()
    return folder


def _register(where: str, qemu: str, emulator: str) -> None:
    """Let the kernel start programs of another processor with qemu. Raises: BadInput."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], capture_output=True, check=False)
    if (BINFMT / f"qemu-{qemu}").exists():
        return
    try:
        (BINFMT / "register").write_bytes(f":qemu-{qemu}:M::{MAGIC[qemu]}:{MASK}:{emulator}:F".encode())
    except OSError as error:
        raise BadInput(where, f"the kernel takes no emulator: {error.strerror}", "binfmt_misc") from None


def _mirror() -> list[str]:
    """The mirror of Debian's packages that this machine uses, if it is a Debian; empty: debootstrap's own."""
    try:
        said = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True,
                              check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []
    return said[:1]


def _prepare(folder: Path) -> None:
    """A login with sudo, a quiet sshd, and no services that a bench does not need."""
    units = folder / "etc/systemd/system"
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    for key in (folder / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (folder / "etc/ssh/sshd_config.d/bench.conf").write_text(SSHD)
    subprocess.run(["chroot", str(folder), "useradd", "--create-home", "--shell", "/bin/bash", LOGIN], check=True,
                   capture_output=True)
    (folder / "etc/sudoers.d/bench").write_text(f"{LOGIN} ALL=(ALL) NOPASSWD: ALL\n")
    for name in ("machine-id", "hostname"):
        (folder / "etc" / name).write_text("")
    for cache in (folder / "var/cache/apt/archives", folder / "var/lib/apt/lists"):
        shutil.rmtree(cache, ignore_errors=True)
