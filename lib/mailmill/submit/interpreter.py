"""A Python interpreter in a folder that can be moved: to another path, another machine, a YARN container.

A virtual environment cannot be moved: it points at the interpreter that made it. uv's standalone builds can; where
they cannot be fetched, the interpreter that runs this is copied with the shared libraries that it needs. A copy
asks for a C library at least as new as the one here, so build it on the cluster's own system (see `glibc`).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from mailmill.errors import ConfigError

#: Of the standard library, what no job needs.
_LEFT_OUT = (
    "test",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "__pycache__",
    "site-packages",
    "dist-packages",
)
#: Part of every Linux with glibc; a second copy beside the system's own would break it.
_SYSTEM = re.compile(r"(ld-linux|libc|libm|libdl|libpthread|librt|libutil|libstdc\+\+|libgcc_s|libresolv|libnsl)[.\-]")
_WRAPPER = """#!/bin/sh
here="$(cd "$(dirname "$0")" && pwd)"
LD_LIBRARY_PATH="$here/../lib/bundled${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
exec "$here/%s" "$@"
"""


def name() -> str:
    """python3.11: of the interpreter that is put into environments, the one that runs this."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def glibc() -> str:
    """The C library's version here, which a copied interpreter needs at least; "" where it is none of GNU's."""
    library, version = platform.libc_ver()
    return version if library == "glibc" else ""


def place(folder: Path, uv: str) -> str:
    """Put an interpreter into `folder` (bin/, lib/); bin/python starts it. Returns "standalone" or "copy".

    Raises ConfigError where this machine's interpreter can be neither fetched nor copied.
    """
    if _fetched(folder, uv):
        return "standalone"
    if sys.platform != "linux":
        raise ConfigError(
            "an environment for a cluster is built on Linux", hint="build it where the cluster's nodes run"
        )
    _copy(Path(sys.base_prefix), folder)
    return "copy"


def _fetched(folder: Path, uv: str) -> bool:
    """Whether uv could fetch a standalone build of this very version."""
    version = platform.python_version()
    fetched = folder.with_name(folder.name + "-fetched")
    command = [uv, "python", "install", version, "--install-dir", str(fetched), "--no-bin", "--quiet"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"UV_HTTP_RETRIES": "0"})  # noqa: S603
    try:
        found = [
            path for path in fetched.glob("cpython-*") if (path / "bin" / name()).exists() and not path.is_symlink()
        ]
        if done.returncode or not found:
            return False
        shutil.copytree(found[0], folder, symlinks=True)
        (folder / "bin" / "python").unlink(missing_ok=True)
        (folder / "bin" / "python").symlink_to(name())
        for marker in (folder / "lib" / name()).glob("EXTERNALLY-MANAGED"):
            marker.unlink()
        return True
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def _copy(prefix: Path, folder: Path) -> None:
    """The interpreter of `prefix` with its standard library, and the libraries that both are linked with."""
    binary, library = prefix / "bin" / name(), prefix / "lib" / name()
    if not binary.exists() or not library.is_dir():
        raise ConfigError(
            f"no interpreter to copy in {prefix}", hint="use a Python with bin/ and lib/ under one folder"
        )
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(binary.resolve(), folder / "bin" / name())
    ignore = shutil.ignore_patterns(*_LEFT_OUT, "config-*", "*.a")
    shutil.copytree(library, folder / "lib" / name(), ignore=ignore, symlinks=False)
    (folder / "lib" / name() / "site-packages").mkdir()
    debian = folder / "lib" / name() / "dist-packages"  # where Debian's Python looks, and no other
    if not debian.exists():
        debian.symlink_to("site-packages")
    bundled = folder / "lib" / "bundled"
    bundled.mkdir()
    linked = [folder / "bin" / name(), *(folder / "lib" / name() / "lib-dynload").glob("*.so")]
    for found in sorted({library for file in linked for library in _libraries(file)}):
        shutil.copy2(found, bundled / found.name)
    wrapper = folder / "bin" / "python"
    wrapper.write_text(_WRAPPER % name())
    wrapper.chmod(0o755)


def _libraries(file: Path) -> list[Path]:
    """The shared libraries that the loader finds for `file`, without the system's own."""
    done = subprocess.run(["ldd", str(file)], capture_output=True, text=True)  # noqa: S603, S607
    found = [Path(path) for path in re.findall(r"=> (/\S+)", done.stdout)]
    return [path for path in found if not _SYSTEM.match(path.name)]
