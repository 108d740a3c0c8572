"""What no current manifest names: versions before, kept for readers, and what models and vectors before them needed.

Once mail was forgotten and every later table is made without it, these are the last to hold it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from mailmill.docs import versions
from mailmill.errors import DataError, InfrastructureError
from mailmill.features import vectors
from mailmill.job import Job
from mailmill.stages import own_vectors
from mailmill.stages.scorer import vectors_in_use, weights_in_use
from mailmill.storage import forgotten, manifests
from mailmill.storage.filesystems import join
from mailmill.storage.manifests import Manifest
from mailmill.storage.tables import Workspace

log = logging.getLogger("mailmill")
#: Tables of figures alone, that no run makes anew: settings that were tried.
_OF_NOBODY = frozenset({"search"})
_DOCS = "docs"
_OF_A_DISK = "lost+found"  # the system's, and not ours to read
_OF_RUN = re.compile(r"run_id=\d{8}T\d{6}-[0-9a-f]{8}/")


def sweep(job: Job) -> int:
    """Delete what no current manifest names, in every table and in those that were never published; how many files.

    Raises DataError where mail was forgotten, and a table is not of the tables as they are now: it may still hold it.
    """
    workspace = job.workspace
    found = published(workspace)
    if stale := outlived(found):
        raise DataError(
            f"mail was forgotten, and these are not made of the tables as they are since: {', '.join(stale)}",
            hint=f"run `mailmill run`; what it does not make any more, delete in {workspace.root}; then this again",
        )
    gone = 0
    # Weights last: which of them models need tells when the models before are gone.
    for name in sorted(_names(workspace), key=lambda name: name == "weights"):
        gone += erase(workspace, name, weights_in_use(workspace) if name == "weights" else ())
    own_vectors.abandon(job)
    if features := found.get("features"):
        current = vectors.find(job.storage, workspace.root, features.inputs["vectors"])
        if current:
            vectors.sweep(job.storage, workspace.root, current, vectors_in_use(workspace))
    versions.forget(workspace)
    return gone


def erase(workspace: Workspace, name: str, in_use: Collection[str] = ()) -> int:
    """Delete the files of a table that its manifest does not name; how many. Raises InfrastructureError where some
    stay."""
    manifest, uri = workspace.find(name), workspace.uri_of(name)
    before = _unnamed(workspace, name, manifest, in_use)
    if before or manifest:
        manifests.sweep(workspace.storage, uri, [manifest] if manifest else [], in_use)
    if left := _unnamed(workspace, name, manifest, in_use) if before else []:
        raise InfrastructureError(
            f"{len(left)} files of runs before cannot be deleted, e.g. {join(uri, left[0])}",
            hint="check whose they are; the same command then deletes them",
        )
    return len(before)


def _unnamed(workspace: Workspace, name: str, manifest: Manifest | None, in_use: Collection[str]) -> list[str]:
    named = {file.path for file in manifest.files} if manifest else set()
    there = manifests.paths(workspace.storage, workspace.uri_of(name))
    if manifest is None and not all(_OF_RUN.match(path) for path in there):
        return []  # another's folder
    runs = (path for path in there if path.startswith("run_id=") and path not in named)
    return sorted(path for path in runs if path.partition("/")[0] not in in_use)


def published(workspace: Workspace) -> dict[str, Manifest]:
    """The tables of a workspace, by name."""
    return {name: manifest for name in _names(workspace) if (manifest := workspace.find(name))}


def _names(workspace: Workspace) -> list[str]:
    """What may be a table, published or not."""
    names = [name for name in workspace.storage.children(workspace.root) if name != _OF_A_DISK]
    for folder in ("models", "profiles", "vectors"):
        names += [f"{folder}/{name}" for name in workspace.storage.children(workspace.uri_of(folder))]
    return names


def outlived(found: dict[str, Manifest]) -> list[str]:
    """The tables that are not of their inputs as published, or of such a table, where mail was forgotten.

    Whenever they were made: one that was made since, of one of before, holds it as well. Documents: by their date.
    """
    if (last := found.get(forgotten.TABLE)) is None:
        return []
    stale = {_DOCS} if _DOCS in found and found[_DOCS].created <= last.created else set[str]()
    size = -1
    while size < len(stale):
        size = len(stale)
        for name, manifest in found.items():
            inputs = {of: fingerprint for of, fingerprint in manifest.inputs.items() if of in found}
            if any(found[of].fingerprint != value or of in stale for of, value in inputs.items()):
                stale.add(name)
    return sorted(stale - _OF_NOBODY)
