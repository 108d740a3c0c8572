"""What this machine has: cores and memory, as the container or the batch system allows."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes that can still be taken without swapping: the free memory, or the container's limit where lower."""
    limits = [_meminfo("MemAvailable")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(name)
        if path.exists() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def _meminfo(name: str) -> int:
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        match = None
    if match:
        return int(match[1]) * 1024
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@cache
def java_version() -> int | None:
    """The major version of the Java that Spark would start, or None where there is none."""
    home = os.environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else "java"
    try:
        output = subprocess.run(  # noqa: S603 - fixed arguments
            [command, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(\d+)(?:\.(\d+))?', output.stderr + output.stdout)
    if not match:
        return None
    return int(match[2]) if match[1] == "1" and match[2] else int(match[1])
