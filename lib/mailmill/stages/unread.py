"""Objects that could not be read at all, being gone or not ours to read: no ledger has them, so later runs try again.

Where nothing that is new can be read, the night has failed. Where it is the same objects again on a later one, it has
not: one that stays for ever stops no night. So raw mail's statistics say which were unread, and since when in vain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mailmill.errors import InfrastructureError
from mailmill.storage import loading
from mailmill.storage.fragments import Written, rows_of
from mailmill.storage.sources import SourceObject, fingerprint_objects
from mailmill.storage.tables import Stage

#: After so long, runs that find the same objects alone are no retries of one night any more.
NIGHT = timedelta(hours=12)
#: Statistics of raw mail: how many objects were unread; where there are any, which, and since when (`Unread.in_vain`).
COUNT, WHICH = "unread", "untaken"


@dataclass(frozen=True)
class Unread:
    """Unread objects, one of them and why. `in_vain`: when a run first found these and could read nothing, or ""."""

    objects: frozenset[SourceObject] = frozenset()
    example: str = ""
    in_vain: str = ""

    @property
    def fingerprint(self) -> str:
        """See `fingerprint_objects`."""
        return fingerprint_objects(list(self.objects))

    @property
    def statistics(self) -> dict[str, Any]:
        """What raw mail says of them."""
        which = {WHICH: {"objects": self.fingerprint, "in_vain": self.in_vain}} if self.objects else {}
        return {COUNT: len(self.objects), **which}

    def stand(self, stage: Stage) -> bool:
        """Whether what is published is what would be again, with these objects unread."""
        return stage.unchanged and _published(stage).get("objects", Unread().fingerprint) == self.fingerprint

    @property
    def fails(self) -> bool:
        """Whether they are all that is new, and the night that found them first may still go on."""
        return self.in_vain != "" and now() - datetime.fromisoformat(self.in_vain) < NIGHT

    def failure(self) -> InfrastructureError:
        """What a night ends with that could read nothing else."""
        return InfrastructureError(
            f"none of {len(self.objects)} objects could be read, e.g. {self.example}",
            hint="check who may read them; the same command then takes them",
        )


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def of(stage: Stage, written: Sequence[Written], new: Sequence[SourceObject]) -> Unread:
    """Those of the new objects that the tasks of a run could not read."""
    if not rows_of(written, "unread"):
        return Unread()
    scans = stage.draft("unread", written, loading.UNREAD).scans()
    why = {row["source"]: row["why"] for scan in scans for row in scan.read().to_pylist()}
    name, objects = min(why), frozenset(found for found in new if found.name in why)
    found = Unread(objects, f"{name} ({why[name]})", now().isoformat() if len(objects) == len(new) else "")
    known = _published(stage)
    again = found.in_vain and known.get("objects") == found.fingerprint
    return replace(found, in_vain=known["in_vain"]) if again else found


def _published(stage: Stage) -> Mapping[str, str]:
    raw = stage.previous["raw"]
    return raw.statistics.get(WHICH, {}) if raw else {}
