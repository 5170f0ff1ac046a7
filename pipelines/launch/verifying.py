"""Verifying what a person names: a store, what one run left in it, or the folder of a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.launch.release_folder import differences, examine
from pipelines.runs.cache import Cache
from pipelines.runs.verifying import ObjectFault
from pipelines.runs.workspace import workspace_root
from pipelines.stores.store import Store


@dataclass(frozen=True)
class FolderVerified:
    """What a folder of a release holds.

    Attributes:
        objects: How many files.
        findings: Each file that is damaged, missing or foreign.
        unknown: The run whose release it is, if the store knows nothing of it: the files were then
            held against ``files.json`` alone. Else None.
    """

    objects: int
    findings: list[ObjectFault]
    unknown: str | None


def verify_folder(folder: Path, store: Store | None) -> FolderVerified:
    """Hold the folder of a release against its list, and both against the store.

    Args:
        folder: Which one; it is there.
        store: Where its run is, if it is there.

    Raises:
        UserError: The folder cannot be read.
    """
    cache = Cache(store, workspace_root(store)) if store else None
    listed, faults = examine(folder, cache, (folder.name,))
    unknown = None
    if listed:
        changed = differences(listed, cache) if cache else None
        unknown = listed.run if changed is None else None
        named = {fault.name for fault in faults}
        faults += [fault for fault in changed or () if fault.name not in named]
    findings = [ObjectFault(str(folder / fault.name), fault.state, fault.what) for fault in faults]
    return FolderVerified(sum(1 for _ in folder.iterdir()), findings, unknown)
