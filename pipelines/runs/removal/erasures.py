"""Erasures: the plan of one, and the certificate that it becomes when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from components.contract.digests import canonical_json
from pipelines.runs.records import damaged_record
from pipelines.stores.layout import ERASURES, erasure_key
from pipelines.stores.store import KeyMissing, Store

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Many = Field(strict=False)


@dataclass(frozen=True)
class Concerned:
    """A release that rests on what was erased: it has to be trained anew.

    Attributes:
        name: The configuration's name.
        run: The run that published it.
        release: Its tree digest.
        champion: Whether apps install it.
    """

    name: str
    run: str
    release: str
    champion: bool


@dataclass(frozen=True)
class Erasure:
    """The content of ``erasures/<id>.json``: first the plan, with ``finished`` the certificate.

    It names nobody: people and files stand in it by their digests, values by their keys.

    Attributes:
        id: Its name.
        at: When it was begun: ISO 8601, UTC.
        actor: Who asked for it.
        reason: Why, in the words of who asked.
        subject: ``identity`` or ``file``.
        digest: Of the identity, or the sha256 of the file.
        excluded: By digest the kind of what enters no dataset any more.
        datasets: By tree digest of each Dataset that held it, how many of its images did.
        results: Step keys whose results go.
        removed: Keys of values that go.
        replaced: By sha256 of each document that goes, that of what is left of it.
        folders: Folders in buckets that go whole: ``gs://bucket/prefix``.
        model_folders: Folders in buckets of which arrays and pages go.
        models: How many Models and LiteModels were made from these Datasets, and have to be
            trained anew.
        releases: The releases that rest on them.
        unreached: What it cannot reach, each a sentence.
        finished: When all of it was done; None before.
        removed_elsewhere: How many values went on this machine, and in buckets.
        schema: Version of the certificate.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True)

    id: str
    at: str
    actor: str
    reason: str
    subject: Literal["identity", "file"]
    digest: _Digest
    excluded: Mapping[str, Literal["identity", "file", "pixels"]]
    datasets: Mapping[str, int]
    results: Annotated[tuple[str, ...], _Many] = ()
    removed: Annotated[tuple[str, ...], _Many] = ()
    replaced: Mapping[str, str] = field(default_factory=dict[str, str])
    folders: Annotated[tuple[str, ...], _Many] = ()
    model_folders: Annotated[tuple[str, ...], _Many] = ()
    models: int = 0
    releases: Annotated[tuple[Concerned, ...], _Many] = ()
    unreached: Annotated[tuple[str, ...], _Many] = ()
    finished: str | None = None
    removed_elsewhere: int = 0
    schema: Literal[1] = 1

    def to_bytes(self) -> bytes:
        """Return the value under its key."""
        return canonical_json(asdict(self))


_ERASURE = TypeAdapter(Erasure)


def parse_erasure(data: bytes) -> Erasure:
    """Return the erasure that these bytes are.

    Raises:
        ValueError: They are something else.
    """
    return _ERASURE.validate_json(data)


def erasures(store: Store) -> list[Erasure]:
    """Return every erasure of a store, oldest first.

    Raises:
        UserError: One of them is damaged.
    """
    found: list[Erasure] = []
    for key in store.list(ERASURES):
        try:
            found.append(parse_erasure(store.get(key)))
        except KeyMissing:
            continue
        except ValueError as error:
            raise damaged_record(store, key) from error
    return sorted(found, key=lambda one: (one.at, one.id))


def put_erasure(store: Store, erasure: Erasure) -> None:
    """Keep a plan, or the certificate in its place."""
    key, data = erasure_key(erasure.id), erasure.to_bytes()
    while not store.put_if_absent(key, data):
        stat = store.stat(key)
        if stat and (store.get(key) == data or store.replace_if_match(key, data, stat.version)):
            return
