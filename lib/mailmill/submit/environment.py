"""The environment that a cluster's workers run: an archive of interpreter and libraries, and the code as a wheel.

The archive is built once per lock file and named by a hash of all that it is made from; the wheel is named by a
hash of the code. So a changed line of code ships a few hundred kilobytes, and an archive that lies there is the
right one. It is verified by running it unpacked elsewhere, with everything of this machine's Python hidden.

Python imports no compiled module from a wheel as it stands: with --compiled the archive holds the code as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailmill.errors import ConfigError, InfrastructureError, is_of_the_disk
from mailmill.submit import interpreter
from mailmill.submit.request import Request

VERSION = 1  # raised by every change to how an archive is made
NAME = "environment"
#: Spark brings these to its own workers, in its own version.
_SPARKS_OWN = ("pyspark", "py4j")
#: Folders below site-packages that no job reads: a fifth of the archive.
_UNUSED = ("**/tests", "pyarrow/include", "bin")
_CHECK = """
import json, sys
import numpy, numba, pandas, pyarrow.parquet, pydantic, rich, s3fs, selectolax, fast_mail_parser, click
import mailmill
from mailmill.email import clean_message, cleaner
from mailmill.storage.manifests import code_version
text = clean_message(b"From: a@b.example\\r\\nSubject: x\\r\\n\\r\\nDear Ms Smith,\\r\\n\\r\\nIt works.\\r\\n").text
files = {line.split()[-1] for line in open("/proc/self/maps") if "/" in line}
print(json.dumps({"path": sys.path, "prefix": sys.prefix, "text": text, "files": sorted(files),
                  "code": code_version(), "python": sys.version.split()[0],
                  "compiled": cleaner.__file__.endswith(".so")}))
"""


@dataclass(frozen=True)
class Environment:
    """Where the parts are, or will be once built. `unpacked` is the verified copy, which a driver here runs.

    `wheel`: None where the archive holds the code.
    """

    archive: Path
    wheel: Path | None
    unpacked: Path

    @property
    def python(self) -> Path:
        """The unpacked interpreter."""
        return self.unpacked / "bin" / "python"


def plan(request: Request) -> Environment:
    """The names of the parts; nothing is built."""
    folder = request.root / "build" / "submit"
    key = environment_key(request)
    wheel = None if request.compiled else folder / f"mailmill-{code_key(request.root)}.zip"
    return Environment(folder / f"{NAME}-{key}.tar.gz", wheel, folder / key / NAME)


def environment_key(request: Request) -> str:
    """16 hex digits over all that decides the archive: lock file, extras, interpreter, machine, and this builder."""
    lock = request.root / "uv.lock"
    if not lock.is_file():
        raise ConfigError(f"{lock} does not exist: no environment can be built without a lock file")
    python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    parts = [str(VERSION), python, request.extras, hashlib.sha256(lock.read_bytes()).hexdigest()]
    parts += [code_key(request.root)] if request.compiled else []
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def code_key(root: Path) -> str:
    """16 hex digits over all files that a wheel holds."""
    state = hashlib.blake2b(digest_size=8)
    for folder in (root / "lib" / "mailmill", root / "data_docs" / "expectations"):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            state.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return state.hexdigest()


def build(request: Request, say: Callable[[str], None]) -> Environment:
    """Make what is missing of the environment, and verify it; what is there is checked against its checksum.

    One process of this checkout builds an archive at a time: another that wants it waits, and then finds it. Raises
    InfrastructureError where a disk is full.
    """
    parts = plan(request)
    folder = parts.archive.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(parts.archive, say):
            return _build(request, parts, say)
    except OSError as error:
        if not is_of_the_disk(error):
            raise
        raise InfrastructureError(
            f"the environment cannot be built in {folder}: {error}", hint="building and checking it takes about 2 GB"
        ) from error


@contextlib.contextmanager
def _alone(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One process at a time makes the file `path`. The lock ends with the process, however that ends."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another submission builds {path.name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(request: Request, parts: Environment, say: Callable[[str], None]) -> Environment:
    uv = _uv(request)
    if parts.wheel is not None:
        with _alone(parts.wheel, say):  # archives of other extras have the same
            if not parts.wheel.exists():
                _make_wheel(request, uv, parts.wheel)
    fresh = not _sound(parts.archive)
    if fresh:
        once = "change" if request.compiled else "lock file"
        say(f"building {parts.archive.name} (once per {once}; a minute or two)")
        _build_archive(request, uv, parts.archive)
    if fresh or not parts.python.exists():
        say(f"verifying {parts.archive.name}, {parts.archive.stat().st_size / 2**20:.0f} MiB, unpacked elsewhere")
        try:
            verify(parts.archive, parts.wheel, parts.unpacked)
        except InfrastructureError:
            parts.archive.unlink()
            raise
        _checksum_file(parts.archive).write_text(sha256(parts.archive) + "\n")
    return parts


def _make_wheel(request: Request, uv: str, wheel: Path) -> None:
    # A wheel is a zip, and Spark takes Python files of that ending alone; copied half, it must not have it.
    with tempfile.TemporaryDirectory() as folder, _replacing(wheel) as half:
        shutil.copy2(build_wheel(request, uv, Path(folder)), half)


def sha256(path: Path) -> str:
    """The file's SHA-256, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(archive: Path, wheel: Path | None, unpacked: Path) -> None:
    """Unpack the archive into a new folder and clean a mail there; nothing outside may be imported or mapped.

    Without a `wheel` it must hold the code, compiled. The folder becomes `unpacked`. Raises InfrastructureError saying
    what is missing or leaks in.
    """
    parent = unpacked.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        elsewhere = Path(folder, NAME)
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "tar_filter", None)  # Debian's 3.11.2 has none
            tar.extractall(elsewhere)  # noqa: S202 - it was made here
        code = [str(wheel.resolve())] if wheel else []
        bare = {"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8", "PYTHONPATH": ":".join(code)}
        command = [str(elsewhere / "bin" / "python"), "-s", "-c", _CHECK]
        done = subprocess.run(command, capture_output=True, text=True, env=bare, cwd=folder)  # noqa: S603
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1][:300]
            raise InfrastructureError(f"the environment does not run where it is unpacked: {last}")
        found = json.loads(done.stdout)
        foreign = [path for path in found["path"] if path and not path.startswith((folder, *code))]
        own = (sys.base_prefix, sys.prefix)
        foreign += [path for path in found["files"] if path.startswith(tuple(f"{p}/" for p in own if p != "/usr"))
                    and not path.startswith(folder)]  # fmt: skip
        if foreign:
            raise InfrastructureError(f"the environment still uses this machine's own files: {', '.join(foreign[:3])}")
        if found["text"] != "It works.":
            raise InfrastructureError("the environment cleans a mail otherwise than expected")
        if not (wheel or found["compiled"]):
            raise InfrastructureError("the environment's cleaning is not compiled")
        shutil.rmtree(unpacked, ignore_errors=True)
        elsewhere.rename(unpacked)


def _build_archive(request: Request, uv: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        tree, wanted = Path(folder, NAME), Path(folder, "requirements.txt")
        kind = interpreter.place(tree, uv)
        extras = [part for name in ("spark", *filter(None, request.extras.split(","))) for part in ("--extra", name)]
        pruned = [part for name in _SPARKS_OWN for part in ("--prune", name)]
        _run(
            [uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--quiet", *extras, *pruned, "-o", str(wanted)],
            request.root,
        )
        site = tree / "lib" / interpreter.name() / "site-packages"
        _run(
            [uv, "pip", "install", "--quiet", "--require-hashes", "--link-mode", "copy", "--python", sys.executable,
             "--target", str(site), "-r", str(wanted)],
            request.root,
        )  # fmt: skip
        if request.compiled:
            wheel = build_wheel(request, uv, Path(folder))
            _run([uv, "pip", "install", "--quiet", "--no-deps", "--link-mode", "copy", "--python", sys.executable,
                  "--target", str(site), str(wheel)], request.root)  # fmt: skip
        for unused in [path for name in _UNUSED for path in site.glob(name)]:
            shutil.rmtree(unused, ignore_errors=True)
        (tree / "environment.json").write_text(
            json.dumps({"version": VERSION, "interpreter": kind, "glibc": interpreter.glibc(),
                        "machine": platform.machine(), "python": platform.python_version()}, indent=1)
        )  # fmt: skip
        compiling = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(tree)]
        _run([str(tree / "bin" / "python"), "-I", *compiling, str(site.parent)], request.root, check=False)
        _pack(tree, archive)


def _pack(tree: Path, archive: Path) -> None:
    """The tree as .tar.gz: the same tree gives the same bytes."""
    with (
        _replacing(archive) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(tree.rglob("*")):
            info = tar.gettarinfo(path, str(path.relative_to(tree)))
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            if info.isreg():
                with path.open("rb") as stream:
                    tar.addfile(info, stream)
            else:
                tar.addfile(info)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` for a file that takes its place when the block ends well; else it goes."""
    temporary = path.with_suffix(".partial")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def build_wheel(request: Request, uv: str, folder: Path) -> Path:
    """The code as a wheel in `folder`, through an sdist: nothing that was compiled stays beside the source."""
    asked = {"HATCH_BUILD_HOOKS_ENABLE": "1"} if request.compiled else {}
    _run(
        [uv, "build", "--quiet", "--python", sys.executable, "--out-dir", str(folder), str(request.root)],
        request.root, asked,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def _sound(archive: Path) -> bool:
    """Whether a verified archive is there; one that has changed since is an error."""
    checksum = _checksum_file(archive)
    if not archive.exists() or not checksum.exists():
        return False
    if sha256(archive) != checksum.read_text().strip():
        raise InfrastructureError(
            f"{archive} is not what was built: its checksum differs", hint="delete it; it is then built again"
        )
    return True


def _checksum_file(archive: Path) -> Path:
    return archive.with_name(archive.name + ".sha256")


def _uv(request: Request) -> str:
    beside = [Path(sys.executable).with_name("uv"), request.root / ".venv" / "bin" / "uv"]
    found = next((str(path) for path in beside if path.exists()), None) or shutil.which("uv")
    if not found:
        raise ConfigError("uv is needed to build the environment", hint="pip install uv, or give --no-environment")
    return found


def _run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, check: bool = True) -> None:
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ, **(variables or {})}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603
    if check and done.returncode:
        last = " ".join(done.stderr.split())[-400:]
        raise InfrastructureError(f"{Path(command[0]).name} {command[1]} failed: {last}")
