"""Any sequence of commits, losses and damage: the action cache answers what a model answers.

The model knows for every step key which result counts, and what is in it. The store may lose or
change any byte at any time: a result is then made again, and nothing but what was committed is ever
handed out.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from components.contract.tree import Tree
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.results import CachedResult
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key
from pipelines.stores.read_through import ReadThroughStore
from pipelines.stores.retrying import RetryPolicy
from pipelines.stores.store import KeyMissing, Store
from tests.pipelines.stores.damage import overwrite, remove
from tests.servers.gcs.server import GcsServer

CONTENTS: tuple[dict[str, bytes], ...] = (
    {"x": b"one"},
    {"x": b"one", "sub/y": b"two"},  # shares a blob with the first
    {"x": b"two", "empty": b""},
)
ATTEMPTS = 6
"""A result has at most a tree and two blobs that can be found broken one after the other."""

engines = st.sampled_from((0, 1))
keys = st.sampled_from([letter * 64 for letter in "abc"])
contents = st.integers(0, len(CONTENTS) - 1)


class AgainstModel(RuleBasedStateMachine):
    """Two engines with an action cache each, on one store, against a dictionary."""

    def __init__(self, reopen: Callable[[int | None], Store], folder: Path) -> None:
        super().__init__()
        self.reopen = reopen
        self.folder = folder
        self.numbers = itertools.count()
        self.counting: dict[str, tuple[CachedResult, int]] = {}
        """By step key the result that counts, and which of ``CONTENTS`` is in it."""
        self.restart()

    @rule()
    def restart(self) -> None:
        """New engines remember nothing but what is in the store and on their machines."""
        self.store = self.reopen(None)  # without a cache in front
        self.engines = [
            Cache(self.reopen(index), self.folder / f"scratch-{index}") for index in (0, 1)
        ]

    @rule(engine=engines, key=keys)
    def look(self, engine: int, key: str) -> None:
        found = self.engines[engine].lookup(key)
        if found is None:
            assert not self.stands(key), "a miss where all of it is there"
        else:
            assert key in self.counting, "a hit that nobody committed"
            assert found == self.counting[key][0]

    @rule(engine=engines, key=keys, content=contents)
    def commit(self, engine: int, key: str, content: int) -> None:
        """An engine ends a step that it began when there was no result, or thought so."""
        cache, number = self.engines[engine], next(self.numbers)
        made = self.folder / f"made-{number}"
        for name, data in CONTENTS[content].items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(data)
        mine = CachedResult(key, {"model": cache.put_tree(made).digest}, f"runs/{number}", 1.0)
        before, stood = self.counting.get(key), self.stands(key)
        counting = cache.commit(mine)
        if before and counting == before[0]:
            return
        assert counting == mine
        assert not stood, "it replaced a result that stood"
        self.counting[key] = (mine, content)

    @rule(engine=engines, key=keys)
    def read(self, engine: int, key: str) -> None:
        if found := self.engines[engine].lookup(key):
            stood = self.stands(key)
            assert self.staged(engine, key, found) or not stood, "found broken, and is whole"

    @rule(engine=engines, key=keys, content=contents)
    def run(self, engine: int, key: str, content: int) -> None:
        """What an engine does with a step that another one waits for: it ends with a result."""
        for _ in range(ATTEMPTS):
            found = self.engines[engine].lookup(key)
            if found and self.staged(engine, key, found):
                return
            if not found:
                self.commit(engine, key, content)
        raise AssertionError("the result stays broken")

    @rule(engine=engines, key=keys)
    def forget(self, engine: int, key: str) -> None:
        self.engines[engine].forget(key)
        self.counting.pop(key, None)
        assert self.engines[engine].lookup(key) is None

    @rule(
        key=keys, index=st.integers(0, 2), how=st.sampled_from(("gone", "cut", "flipped", "empty"))
    )
    def damage(self, key: str, index: int, how: str) -> None:
        """Break the tree or a blob of a result."""
        if key not in self.counting or not (names := self.names(key)):
            return
        name = names[index % len(names)]
        if self.store.stat(name) is None:
            return
        data = self.store.get(name)
        if how == "gone" or not data:
            remove(self.store, name)
        else:
            flipped = bytes([data[0] ^ 1]) + data[1:]
            overwrite(self.store, name, {"cut": data[:-1], "flipped": flipped, "empty": b""}[how])

    def staged(self, engine: int, key: str, found: CachedResult) -> bool:
        """Bring a result to an engine: its bytes are those that were committed, or there are none."""
        folder = self.folder / f"staged-{next(self.numbers)}"
        try:
            self.engines[engine].stage(found.outputs["model"], folder)
        except CorruptionError:
            assert not folder.exists()
            return False
        files = (path for path in folder.rglob("*") if path.is_file())
        there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        assert there == CONTENTS[self.counting[key][1]]
        return True

    def names(self, key: str) -> list[str]:
        """Where the tree and the blobs of a result lie."""
        result, content = self.counting[key]
        blobs = (blob_key(hashlib.sha256(data).hexdigest()) for data in CONTENTS[content].values())
        return [f"trees/{result.outputs['model']}.json", *blobs]

    def stands(self, key: str) -> bool:
        """Whether a result counts and every byte of it is in the store, as the model sees it."""
        if key not in self.counting:
            return False
        tree, *blobs = self.names(key)
        try:
            digest = Tree.from_json(json.loads(self.store.get(tree))).digest
            whole = all(
                blob_key(hashlib.sha256(self.store.get(blob)).hexdigest()) == blob for blob in blobs
            )
        except (KeyMissing, ValueError, KeyError, TypeError):
            return False
        return whole and digest == self.counting[key][0].outputs["model"]


def check(
    reopener: Callable[[Path], Callable[[int | None], Store]], folder: Path, examples: int
) -> None:
    """Let hypothesis try sequences, each on a store of its own."""
    run_state_machine_as_test(
        lambda: (
            (place := Path(tempfile.mkdtemp(dir=folder))) and AgainstModel(reopener(place), place)
        ),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
            phases=(Phase.generate,),
        ),
    )


def test_on_a_disk(fast_disk: Path) -> None:
    check(lambda place: lambda _: DirectoryStore(place / "store"), fast_disk, 100)


@pytest.mark.parametrize("through", [False, True])
def test_in_a_bucket_with_faults(gcs: GcsServer, fast_disk: Path, through: bool) -> None:
    gcs.faults.rate, gcs.faults.stall_s = 0.05, 0.01
    numbers = itertools.count()

    def reopener(place: Path) -> Callable[[int | None], Store]:
        number = next(numbers)
        gcs.bucket(f"bucket-{number}")
        gcs.faults.repeat(number)

        def opened(index: int | None) -> Store:
            store = BucketStore(f"gs://bucket-{number}/x", RetryPolicy(wait_s=0.01))
            if not through or index is None:
                return store
            return ReadThroughStore(store, place / f"cache-{index}", 8000)

        return opened

    check(reopener, fast_disk, 10)
    assert gcs.faults.hit.total() > 20


@pytest.fixture
def machine(fast_disk: Path) -> AgainstModel:
    """The machine before its first rule: mutations are noticed in few steps, not when found."""
    return AgainstModel(lambda _: DirectoryStore(fast_disk / "store"), fast_disk)


def test_the_model_notices_a_skipped_hash(
    machine: AgainstModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(self: Cache, tree: Tree, root: Path) -> None:
        for entry in tree.entries:
            path = root / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.get(blob_key(entry.sha256)))

    key, blob = "a" * 64, 1
    machine.commit(0, key, 0)
    machine.damage(key, blob, "flipped")
    with monkeypatch.context() as mutation:
        mutation.setattr(Cache, "_fetch", trusting)
        with pytest.raises(AssertionError):
            machine.read(1, key)
    machine.read(1, key)


def test_the_model_notices_a_winner_that_is_overwritten(
    machine: AgainstModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Cache.commit

    def overwriting(self: Cache, result: CachedResult) -> CachedResult:
        self.forget(result.key)
        return commit(self, result)

    key = "a" * 64
    machine.commit(0, key, 0)
    with monkeypatch.context() as mutation:
        mutation.setattr(Cache, "commit", overwriting)
        with pytest.raises(AssertionError, match="replaced a result that stood"):
            machine.commit(1, key, 1)
