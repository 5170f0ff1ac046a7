"""The action cache: a hit is whole and right, or it is no hit; on a disk and in a bucket."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.results import CachedResult
from pipelines.stores.bucket import BucketStore
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key
from tests.pipelines.stores.damage import overwrite, remove

KEY = "k" * 64


@pytest.fixture(params=["directory", "bucket"])
def cache(request, tmp_path):
    if request.param == "directory":
        store = DirectoryStore(tmp_path / "store")
    else:
        request.getfixturevalue("gcs").bucket("stores")
        store = BucketStore("gs://stores/x")
    return Cache(store, tmp_path / "scratch")


@pytest.fixture
def artifact(tmp_path):
    root = tmp_path / "artifact"
    (root / "sub").mkdir(parents=True)
    (root / "a.bin").write_bytes(b"a" * 1000)
    (root / "sub/b.bin").write_bytes(b"b" * 10)
    return root


def commit(cache, artifact, key=KEY):
    tree = cache.put_tree(artifact)
    return tree, cache.commit(CachedResult(key, {"model": tree.digest}, "runs/r/steps/s.json", 1.5))


def again(cache, tmp_path):
    """The cache as another process sees it."""
    return Cache(opened(cache.store.uri), tmp_path / "other-scratch")


def opened(uri):
    """The same store, without a cache of this machine in front."""
    return BucketStore(uri) if uri.startswith("gs://") else DirectoryStore(Path(uri))


def test_what_was_committed_is_a_hit_and_comes_back_whole(cache, artifact, tmp_path):
    tree, result = commit(cache, artifact)
    other = again(cache, tmp_path)
    assert other.lookup(KEY) == result
    staged = other.stage(tree.digest, tmp_path / "staged")
    assert (staged / "sub/b.bin").read_bytes() == b"b" * 10
    assert other.read_file(tree.digest, "a.bin") == b"a" * 1000
    assert other.lookup("x" * 64) is None


def test_a_single_file_is_staged_as_a_file(cache, tmp_path):
    page = tmp_path / "page.html"
    page.write_bytes(b"<p>")
    digest = cache.put_tree(page).digest
    assert cache.stage(digest, tmp_path / "staged").read_bytes() == b"<p>"


@pytest.mark.parametrize("damage", ["delete", "truncate"])
def test_a_blob_that_is_gone_or_short_is_no_hit(cache, artifact, tmp_path, damage):
    tree, _ = commit(cache, artifact)
    key = blob_key(tree.entries[0].sha256)
    if damage == "delete":
        remove(cache.store, key)
    else:
        overwrite(cache.store, key, b"a" * 999)
    assert again(cache, tmp_path).lookup(KEY) is None


def test_a_flipped_byte_is_quarantined_and_the_rerun_repairs_it(cache, artifact, tmp_path):
    tree, result = commit(cache, artifact)
    key = blob_key(tree.entries[0].sha256)
    overwrite(cache.store, key, b"b" + b"a" * 999)
    other = again(cache, tmp_path)
    assert other.lookup(KEY) == result  # sizes agree: only reading can tell
    with pytest.raises(CorruptionError, match="cas/sha256"):
        other.stage(tree.digest, tmp_path / "staged")
    assert not (tmp_path / "staged").exists()
    assert other.lookup(KEY) is None
    assert len(list(other.store.list("quarantine/"))) == 1
    commit(other, artifact)
    assert again(cache, tmp_path).lookup(KEY) == result
    assert other.stage(tree.digest, tmp_path / "staged").is_dir()


def test_two_who_find_the_same_broken_blob_both_say_so(cache, artifact, tmp_path):
    tree, _ = commit(cache, artifact)
    key = blob_key(tree.entries[0].sha256)
    overwrite(cache.store, key, b"b" + b"a" * 999)
    other = again(cache, tmp_path)

    class SlowToRead:
        """The store; between looking at the broken blob and reading it the other one moves it."""

        def __getattr__(self, name):
            return getattr(cache.store, name)

        def get(self, wanted):
            if wanted == key:
                with pytest.raises(CorruptionError, match="cas/sha256"):
                    other.stage(tree.digest, tmp_path / "other")
            return cache.store.get(wanted)

    with pytest.raises(CorruptionError, match="cas/sha256"):
        Cache(SlowToRead(), tmp_path / "slow").stage(tree.digest, tmp_path / "staged")
    assert cache.store.stat(key) is None
    assert len(list(cache.store.list("quarantine/"))) == 1


def test_an_entry_whose_time_is_no_number_is_no_hit(cache, artifact, tmp_path):
    commit(cache, artifact)
    entry = json.loads(cache.store.get(f"ac/{KEY}.json"))
    overwrite(cache.store, f"ac/{KEY}.json", json.dumps(entry | {"function_s": "long"}).encode())
    assert again(cache, tmp_path).lookup(KEY) is None


def test_a_flipped_byte_is_found_when_one_file_is_read(cache, artifact):
    tree, _ = commit(cache, artifact)
    overwrite(cache.store, blob_key(tree.entries[0].sha256), b"b" + b"a" * 999)
    with pytest.raises(CorruptionError):
        cache.read_file(tree.digest, "a.bin")


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"entries": []}', b'{"entries": [["../x", 1, "00"]]}', b"[]"]
)
def test_a_broken_tree_is_no_hit_and_is_replaced(cache, artifact, tmp_path, data):
    tree, result = commit(cache, artifact)
    overwrite(cache.store, f"trees/{tree.digest}.json", data)
    other = again(cache, tmp_path)
    assert other.lookup(KEY) is None
    commit(other, artifact)
    assert again(cache, tmp_path).lookup(KEY) == result


def test_a_broken_tree_is_replaced_by_whoever_makes_the_same(cache, artifact, tmp_path):
    """Another step may come to the same output, without having looked at this tree before."""
    tree, result = commit(cache, artifact)
    overwrite(cache.store, f"trees/{tree.digest}.json", b"{")
    again(cache, tmp_path).put_tree(artifact)
    assert again(cache, tmp_path).lookup(KEY) == result


@pytest.mark.parametrize("data", [b"", b"nonsense", b"{}", b"[]"])
def test_a_broken_entry_is_no_hit_and_is_replaced(cache, artifact, tmp_path, data):
    _, result = commit(cache, artifact)
    overwrite(cache.store, f"ac/{KEY}.json", data)
    other = again(cache, tmp_path)
    assert other.lookup(KEY) is None
    assert commit(other, artifact)[1] == result
    assert again(cache, tmp_path).lookup(KEY) == result


def test_a_dead_entry_is_replaced_by_one_that_stands(cache, artifact, tmp_path):
    tree, _ = commit(cache, artifact)
    remove(cache.store, blob_key(tree.entries[0].sha256))
    (artifact / "a.bin").write_bytes(b"c" * 1000)  # a measurement differs when it is made again
    _, second = commit(again(cache, tmp_path), artifact)
    assert again(cache, tmp_path).lookup(KEY) == second


def test_who_loses_the_race_adopts_the_winner(cache, tmp_path):
    def one(number):
        root = tmp_path / f"r{number}"
        root.mkdir()
        (root / "x").write_text(str(number))
        mine = Cache(opened(cache.store.uri), tmp_path / f"scratch{number}")
        return commit(mine, root)[1]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(16)))
    assert len({json.dumps(asdict(result)) for result in results}) == 1
    assert cache.lookup(KEY) == results[0]


@pytest.mark.parametrize(
    "damage",
    [
        b"[1]",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"key": "k", "record": "r", "function_s": 1, "outputs": ["x"]}',
        b'{"key": "k", "record": "r", "function_s": 1, "outputs": {"model": 5}}',
        b'{"key": "k", "record": "r", "function_s": 1, "outputs": {"model": "../../x"}}',
        b'{"key": "k", "record": "r", "function_s": NaN, "outputs": {}}',
    ],
)
def test_an_entry_of_wrong_types_is_a_miss(cache: Cache, damage: bytes) -> None:
    cache.store.put_if_absent(f"ac/{KEY}.json", damage)
    assert cache.lookup(KEY) is None


@pytest.mark.parametrize("damage", [b"[1]", b"null", b"[" * 100_000 + b"]" * 100_000])
def test_a_tree_of_wrong_types_is_damaged(cache: Cache, damage: bytes) -> None:
    cache.store.put_if_absent(f"trees/{KEY}.json", damage)
    with pytest.raises(CorruptionError):
        cache.tree(KEY)
    assert list(cache.store.list("quarantine/"))
