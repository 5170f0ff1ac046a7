"""What a signature vouches for beside the files of a release: the log entry, and all records.

Digests of files and of records chain everything else: a record names its inputs by digest, down to
the listing of the user's files. Who may write the store can make all of that anew, and consistent;
what was signed stays what it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from components.contract.digests import canonical_json
from pipelines.runs.releases.release_log_entries import ReleaseLog
from pipelines.stores.layout import run_key
from pipelines.stores.store import KeyMissing, Store, is_key

FILE = "provenance.json"
"""What it is called among the files that are signed."""

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Provenance:
    """The content of ``provenance.json``.

    Attributes:
        name: Of the releases.
        seq: Number of the entry of the log.
        entry: The sha256 of the bytes of that entry, which chains all entries before it.
        release: Tree digest of the release.
        run: The run that published it.
        records: By store key the sha256 of the run's record and of every step's.
        schema: Version of this file.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, allow_inf_nan=False)

    name: str
    seq: int
    entry: _Digest
    release: _Digest
    run: str
    records: Mapping[str, _Digest]
    schema: Literal[1] = 1

    def to_text(self) -> str:
        """Return the text of the file."""
        return canonical_json(asdict(self)).decode()


_PROVENANCE = TypeAdapter(Provenance)


def parse_provenance(text: str) -> Provenance:
    """Return what ``to_text`` wrote.

    Raises:
        ValueError: It is something else.
    """
    return _PROVENANCE.validate_json(text)


def provenance_of(store: Store, log: ReleaseLog, seq: int) -> Provenance:
    """Return what there is to sign of an entry of a log."""
    entry = log.entries[seq - 1]
    return Provenance(
        name=log.name,
        seq=seq,
        entry=log.digests[seq - 1],
        release=entry.release,
        run=entry.run,
        records=_records(store, entry.run),
    )


def _records(store: Store, run: str) -> dict[str, str]:
    """Return the digests of the records of a run; nothing of a run whose record is gone."""
    data = held(store, run_key(run))
    if data is None:
        return {}
    found = {run_key(run): sha256(data).hexdigest()}
    try:
        steps = json.loads(data)["steps"].values()
        keys = sorted({str(step["record"]) for step in steps if step.get("record")})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return found  # a damaged record: signed as it is, and `slimline verify` names it
    values = {key: held(store, key) for key in keys}
    return found | {key: sha256(value).hexdigest() for key, value in values.items() if value}


def held(store: Store, key: str) -> bytes | None:
    """Return a value, or None where there is none."""
    try:
        return store.get(key) if is_key(key) else None
    except KeyMissing:
        return None
