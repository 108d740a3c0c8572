"""A lease on a workspace: of two runs on one output the second stops at once, and a dead run's lease expires.

One small file, `_lease.json`, names its holder. On S3 it is made by a conditional PUT (`If-None-Match: *`) and
replaced only where it is still the one that was read (`If-Match`), so of many runs that race one wins. A run that ends
lets go of it: on S3 by replacing it once more, because not every server knows a conditional DELETE. On a local disk a
lock on a file beside it does the same. A thread renews the lease; a lease that was not renewed for its time to live,
which it names, or whose process is gone from this very machine, is taken over. Age is told by the storage's own clock.
A scheduler tries a dead driver again within seconds, on another machine and under the same run's name: such a second
attempt waits for the first one's lease to expire, and stops where it is renewed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from mailmill.errors import ConfigError, InfrastructureError, MailmillError
from mailmill.storage.clients import code_of
from mailmill.storage.filesystems import Storage, is_s3, join
from mailmill.storage.holder import Holder

log = logging.getLogger("mailmill")
NAME, LOCK = "_lease.json", ".lease.lock"
#: What S3 says where the condition does not hold (412), or another conditional write is under way (409).
_CONFLICT = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_LET_GO = b'{"holder": null}'  # a lease on S3 that nobody holds; a counter follows in it


@dataclass(frozen=True, slots=True)
class Found:
    """A lease file as read: its holder (None: damaged, or let go), version, and age in seconds (let go: infinite)."""

    holder: Holder | None
    version: str
    age: float


class Place(Protocol):
    """Where a lease file lies: three operations, each atomic."""

    def read(self) -> Found | None:
        """The file, or None."""

    def write(self, content: bytes, version: str | None) -> str | None:
        """Make it (`version` None: there must be none) or replace that version; its new version, None if beaten."""

    def let_go(self, version: str) -> None:
        """Make it nobody's, if it is still that version."""


class Lease:
    """The lease on the workspace `work` for one run; a context manager. `seconds`: its time to live."""

    def __init__(self, storage: Storage, work: str, run: str, seconds: float = 60.0) -> None:
        self._work, self._run, self._seconds = work, run, seconds
        self._place: Place = _OnS3(storage, join(work, NAME)) if is_s3(work) else _OnDisk(storage, work)
        self.reached = False  # whether the workspace could be read, whoever's the lease is
        self._version: str | None = None
        self._content, self._renewed = b"", 0.0
        self._failure: MailmillError | None = None  # of the renewals since the last that did not fail
        self._stop, self._renewing = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        """Take the lease. Raises InfrastructureError where another run holds it, or this one's first attempt lives."""
        self._holder = Holder.of_this_process(self._run, self._seconds)
        self._content = json.dumps(asdict(self._holder), sort_keys=True).encode()
        for _ in range(3):  # a rival may let go, or be beaten, between a look and a write
            found = self._place.read()
            self.reached = True
            found = self._awaited(found)
            mine = found is not None and found.holder == self._holder  # a write whose answer was lost
            if found is not None and not mine and not self._dead(found):
                raise self._in_use(found)
            self._renewed = time.monotonic()
            self._version = self._place.write(self._content, found.version if found else None)
            if self._version is not None:
                if found is not None and not mine and found.age < math.inf:
                    log.warning("lease taken over from run=%s", found.holder.run if found.holder else "unknown")
                self._stop.clear()
                self._thread = threading.Thread(target=self._renew, name="mailmill-lease", daemon=True)
                self._thread.start()
                return self
        raise InfrastructureError(f"{self._work} is wanted by several runs at once", hint="start this one again later")

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._seconds)
        if self._version is not None:
            with contextlib.suppress(InfrastructureError):  # it expires
                self._place.let_go(self._version)
            self._version = None

    def check(self) -> None:
        """Raise InfrastructureError where the lease was taken and is lost: what follows must not be published.

        It is lost where another run took it over, or may have: where it was not renewed for its time to live.
        """
        if self._thread is None:
            return
        self._try_to_renew()  # asks the storage: by the clock of a machine that was suspended nothing is late
        late = time.monotonic() - self._renewed
        if self._version is not None and late > self._seconds and self._failure is not None:
            raise InfrastructureError(
                f"the lease on {self._work} could not be renewed for {late:.0f} s, and nothing more is published: "
                f"{self._failure.message}",
                hint=self._failure.hint or "start the same command again",
            ) from self._failure
        if self._version is None or late > self._seconds:
            raise InfrastructureError(
                f"the lease on {self._work} was lost: another run may have taken over; nothing more is published",
                hint="start the same command again; see that no two schedules write to one run.work",
            )

    def _renew(self) -> None:
        while not self._stop.wait(self._seconds / 4):
            self._try_to_renew()
            if self._version is None:
                return

    def _try_to_renew(self) -> None:
        with self._renewing:  # a write has to know the version that the one before it made
            try:
                for _ in range(2):
                    if self._version is None:
                        return
                    began = time.monotonic()
                    written = self._place.write(self._content, self._version)
                    if written is not None:
                        self._version, self._renewed, self._failure = written, began, None
                        return
                    found = self._place.read()  # beaten; or by an own write, whose answer was lost
                    self._version = found.version if found is not None and found.holder == self._holder else None
            except MailmillError as error:
                self._failure = error
                log.warning("lease not renewed: %s", error.message)

    def _awaited(self, found: Found | None) -> Found | None:
        """The lease, after a wait while an earlier attempt of this run holds it and does not renew it."""
        seen = ""
        while found is not None and found.holder is not None and found.holder.run == self._run:
            if found.holder == self._holder or seen not in ("", found.version) or self._dead(found):
                break
            left = self._lives(found) - found.age
            if not seen:
                log.warning(
                    "%s is held by an earlier attempt of this run (process %d on %s); waiting, it expires in %d s",
                    self._work, found.holder.pid, found.holder.host, left + 1,
                )  # fmt: skip
            seen = found.version
            time.sleep(min(left + 0.5, self._lives(found) / 4))
            found = self._place.read()
        return found

    def _dead(self, found: Found) -> bool:
        return found.age > self._lives(found) or (found.holder is not None and found.holder.gone)

    def _lives(self, found: Found) -> float:
        """The time to live of the lease that was found: its holder's, who may run with other settings."""
        return (found.holder.seconds if found.holder else None) or self._seconds

    def _in_use(self, found: Found) -> InfrastructureError:
        holder = found.holder
        who = f"run {holder.run} (process {holder.pid} on {holder.host}, since {holder.since})" if holder else "a run"
        left = max(1, round(self._lives(found) - found.age + 0.5))
        return InfrastructureError(
            f"{self._work} is in use by {who}",
            hint=f"wait for it to end; if it is dead, its lease expires in {left} s, and the same command then works",
        )


class _OnDisk:
    """A lease file on a disk: each operation under a lock that the system lets go when its process dies."""

    def __init__(self, storage: Storage, work: str) -> None:
        self._storage, self._folder = storage, Path(work.removeprefix("file://"))
        self._path = self._folder / NAME

    def read(self) -> Found | None:
        with self._locked() as now:
            return self._read(now)

    def write(self, content: bytes, version: str | None) -> str | None:
        with self._locked() as now:
            found = self._read(now)
            if (found.version if found else None) != version:
                return None
            if version is None:  # also where locks are not honoured, of two that make the file one wins
                try:
                    with self._path.open("xb") as file:
                        file.write(content)
                except FileExistsError:
                    return None
                except OSError:
                    self._path.unlink(missing_ok=True)  # half of one, on a full disk, would count as a lease
                    raise
            else:
                temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
                try:
                    temporary.write_bytes(content)
                    temporary.replace(self._path)
                finally:
                    temporary.unlink(missing_ok=True)
            made = self._read(now)
            return made.version if made else None

    def let_go(self, version: str) -> None:
        with self._locked() as now:
            found = self._read(now)
            if found is not None and found.version == version:
                self._path.unlink()

    def _read(self, now: float) -> Found | None:
        try:
            content, state = self._path.read_bytes(), self._path.stat()
        except FileNotFoundError:
            return None
        tag = hashlib.blake2b(content + f"{state.st_mtime_ns} {state.st_ino}".encode(), digest_size=16).hexdigest()
        free = content.startswith(_LET_GO[:-1])  # in a workspace that was copied from S3
        return Found(Holder.told_by(content), tag, math.inf if free else now - state.st_mtime)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[float]:
        """Holds the lock; gives the time as the storage tells it, whose clock need not be this machine's."""
        with self._storage.translated(str(self._folder)):
            try:
                self._folder.mkdir(0o700, parents=True, exist_ok=True)  # it will hold mail
            except (FileExistsError, NotADirectoryError):
                for each in (self._folder, *self._folder.parents):
                    if each.is_file():
                        raise ConfigError(f"{each} is a file", hint="set run.work to a folder") from None
                    if each.is_symlink() and not each.exists():
                        raise InfrastructureError(f"{each} is a link that leads nowhere", hint="mount it") from None
                raise
            with (self._folder / LOCK).open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                os.utime(file.fileno())
                yield os.fstat(file.fileno()).st_mtime


class _OnS3:
    """A lease file on S3, by conditional requests."""

    def __init__(self, storage: Storage, uri: str) -> None:
        self._storage, self._uri = storage, uri
        bucket, _, key = uri.split("://", 1)[1].partition("/")
        self._where = {"Bucket": bucket, "Key": key}

    def read(self) -> Found | None:
        answer = self._call("get_object", missing_ok=True)
        if answer is None:
            return None
        found, content = answer
        if content.startswith(_LET_GO[:-1]):
            return Found(None, str(found["ETag"]), math.inf)
        asked = found["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = datetime.strptime(asked, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC) if asked else datetime.now(UTC)
        return Found(Holder.told_by(content), str(found["ETag"]), (now - found["LastModified"]).total_seconds())

    def write(self, content: bytes, version: str | None) -> str | None:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        # The same words have the same ETag: a counter makes each version its own.
        unique = content[:-1] + f', "renewed": {time.time_ns()}}}'.encode()
        answer = self._call("put_object", Body=unique, **condition)
        return str(answer[0]["ETag"]) if answer else None

    def let_go(self, version: str) -> None:
        self.write(_LET_GO, version)

    def _call(self, method: str, missing_ok: bool = False, **arguments: Any) -> tuple[dict[str, Any], bytes] | None:
        """The answer and its body; None where a condition did not hold, or (`missing_ok`) nothing is there."""
        with self._storage.translated(self._uri):
            try:
                return self._storage.request(method, **self._where, **arguments)
            except FileNotFoundError:
                if missing_ok or "IfMatch" in arguments:
                    return None
                raise
            except Exception as error:
                if code_of(error) in _CONFLICT:
                    return None
                if code_of(error) == "NotImplemented":
                    raise ConfigError(
                        f"the S3 server of {self._uri} knows no conditional requests",
                        hint="without them two runs could write to one workspace: use a server that has If-None-Match",
                    ) from error
                raise
