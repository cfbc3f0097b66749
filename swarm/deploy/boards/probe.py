# What a board is: run there by `python3 -I -`, on any Python 3; it changes nothing, and prints one line of JSON.
import glob
import json
import os
import platform
import sys


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def jetpack():
    """JetPack's major version by the release of its Linux (L4T)."""
    line = text("/etc/nv_tegra_release")
    if not line:
        return ""
    release = line.partition("# R")[2].partition(" ")[0]
    return {"32": "4", "34": "5", "35": "5", "36": "6", "38": "7", "39": "7"}.get(release, "L4T " + release)


def libraries():
    """GPU libraries by their files, where JetPack, Debian and NVIDIA's own packages put them."""
    folders = (f"/usr/lib/{platform.machine()}-linux-gnu", "/usr/local/cuda/lib64")
    files = (("CUDA", "libcudart.so.*"), ("cuDNN", "libcudnn.so.*"), ("TensorRT", "libnvinfer.so.*"))
    return [name for name, file in files if any(glob.glob(folder + "/" + file) for folder in folders)]


def free_bytes():
    path = "/opt/swarm" if os.path.exists("/opt/swarm") else "/opt" if os.path.exists("/opt") else "/"
    at = os.statvfs(path)
    return at.f_bavail * at.f_frsize


print(json.dumps({
    "machine": platform.machine(), "python": "{}.{}".format(*sys.version_info[:2]), "glibc": platform.libc_ver()[1],
    "system": text("/etc/os-release").partition('PRETTY_NAME="')[2].partition('"')[0], "jetpack": jetpack(),
    "gpu": [name for name in ("nvhost-gpu", "nvgpu", "nvidia0") if os.path.exists("/dev/" + name)],
    "libraries": libraries(),
    "free_bytes": free_bytes(), "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    "power_mode": text("/var/lib/nvpmodel/status") or text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    "unix_s": int(float(os.stat("/proc/self").st_mtime)), "systemd": os.path.isdir("/run/systemd/system"),
    "keeper": os.path.exists("/opt/swarm/keeper.pyz"),
}))
