"""What a text names, over both stores; and what one is told whose text names nothing."""

import re
import sqlite3

import pytest

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from pipelines.lineage.naming import (
    DigestNamed,
    FileNamed,
    ReleaseNamed,
    RunNamed,
    StepNamed,
    resolve,
)
from pipelines.runs.records import RunRecord, put_finished, put_started
from pipelines.runs.releases.registry import register_release
from pipelines.runs.releases.release_log import append, read_log
from pipelines.stores.layout import blob_key, release_log_key, result_key, tree_key
from pipelines.stores.opening import open_store
from tests.data.releases import entry_of

RELEASE, LATER, DATASET, KEY = "a1" * 32, "a2" * 32, "ab" * 32, "c0" * 32
IMAGE = "ee" * 32


def record(run, steps=("ingest", "publish"), finished="2026-11-25T00:00:00.000+00:00"):
    return RunRecord(
        run=run, name="faces", config_digest="c" * 64, graph_digest="d" * 64, engine="local",
        started=f"2026-11-25T00:00:0{run[-1]}.000+00:00", finished=finished, outcome="done",
        budgets={}, steps={name: {"state": "done", "outputs": {}} for name in steps}, sources={},
        wall_s=1.0, critical_path_s=1.0,
    )  # fmt: skip


@pytest.fixture
def store(store_uri):
    made = open_store(store_uri("one"))
    put_finished(made, record("faces-1"))
    put_finished(made, record("faces-2"))
    put_started(made, record("faces-3", steps=(), finished=None))
    register_release(made, "faces", "faces-1", RELEASE)
    register_release(made, "faces", "faces-2", LATER)
    for tree in (RELEASE, LATER, DATASET):
        made.put_if_absent(tree_key(tree), b"{}")
    made.put_if_absent(blob_key("abcdef0" + "1" * 57), b"")
    made.put_if_absent(
        result_key(KEY),
        canonical_json(
            {"key": KEY, "outputs": {}, "record": "runs/faces-1/steps/ingest.json", "function_s": 1}
        ),
    )
    return made


@pytest.fixture
def index():
    """The tables of the index that naming asks, with the release, and an image of the data."""
    made = sqlite3.connect(":memory:")
    made.executescript(
        "CREATE TABLE artifact(id, digest); CREATE TABLE source(digest);"
        "CREATE TABLE release(name, run, artifact, at); CREATE TABLE file(sha);"
        "CREATE TABLE page_file(sha); CREATE TABLE fate(sha, pixels); CREATE TABLE execution(key);"
    )
    made.execute("INSERT INTO artifact VALUES (1, ?)", [bytes.fromhex(RELEASE)])
    made.execute("INSERT INTO release VALUES ('faces', 'faces-2', 1, '2026-11-26')")
    made.execute("INSERT INTO release VALUES ('faces', 'faces-1', 1, '2026-11-25')")
    made.execute("INSERT INTO page_file VALUES (?)", [bytes.fromhex(IMAGE)])
    made.execute("INSERT INTO fate VALUES (?, ?)", [bytes.fromhex(IMAGE), bytes.fromhex("ef" * 32)])
    return made


NAMES = {
    "faces-1": RunNamed("faces-1"),
    "latest": RunNamed("faces-3"),
    "faces-1/ingest": StepNamed("faces-1", "ingest"),
    "faces@latest": ReleaseNamed("faces", "faces-2", LATER),
    "faces@faces-1": ReleaseNamed("faces", "faces-1", RELEASE),
    RELEASE[:8]: ReleaseNamed("faces", "faces-1", RELEASE),
    RELEASE.upper(): ReleaseNamed("faces", "faces-1", RELEASE),
    f"sha256:{DATASET[:9]}": DigestNamed(DATASET),
    "f" * 64: DigestNamed("f" * 64),
    KEY[:10]: StepNamed("faces-1", "ingest"),
}


@pytest.mark.parametrize("text", NAMES)
def test_a_text_names_one_thing(store, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve(store, None, text) == NAMES[text]


def test_the_champion_is_what_the_log_names_last(store):
    log = read_log(store, "faces")
    for run, release in (("faces-2", LATER), ("faces-1", RELEASE)):
        log = append(store, log, entry_of(release, run=run))
    assert resolve(store, None, "faces@champion") == ReleaseNamed("faces", "faces-1", RELEASE)


def test_a_file_is_named_by_its_bytes(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo@2x.png").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    named = resolve(store, None, "photo@2x.png")
    assert isinstance(named, FileNamed)
    assert named.sha256 == empty
    assert resolve(store, None, str(tmp_path / "photo@2x.png")).sha256 == empty


def test_the_index_knows_digests_that_no_key_has(store, index):
    assert resolve(store, index, IMAGE[:8]) == DigestNamed(IMAGE)
    assert resolve(store, index, "ef" * 5) == DigestNamed("ef" * 32)
    first = resolve(store, index, RELEASE[:12])
    assert first == ReleaseNamed("faces", "faces-1", RELEASE), "the run that published it"


def test_a_text_that_names_two_things_lists_them_and_each_is_one(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces-1").write_bytes(b"a file that is called as the run is")
    with pytest.raises(UserError, match="may be any of") as caught:
        resolve(store, None, "faces-1")
    listed = caught.value.what.partition("any of ")[2].split(", ")
    assert listed == ["./faces-1", "faces-1"]
    assert isinstance(resolve(store, None, "./faces-1"), FileNamed)
    (tmp_path / "faces-1").unlink()

    store.put_if_absent(tree_key("ab" * 4 + "0" * 56), b"{}")
    with pytest.raises(UserError, match="may be any of") as caught:
        resolve(store, None, "ab" * 4)
    for digest in caught.value.what.partition("any of ")[2].split(", "):
        assert resolve(store, None, digest) == DigestNamed(digest)


FAULTS = {
    "faces": ("is what releases are called", "faces@latest"),
    "faces@champion": ("was promoted yet", "faces@latest"),
    "faces@faces-9": ("is of the run faces-9", "faces@faces-1"),
    "face@latest": ("no release called face", "faces@latest"),
    "faces-9": ("no file faces-9", "faces-1"),
    "faces-1/ingset": ("has no step ingset", "faces-1/ingest"),
    "a1a1a1a": ("too short for a digest", "a1a1a1a1"),
    "01234567": ("no digest in the store", "faces-1/ingest"),
    "folder": ("is a folder", "folder/model.tflite"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_names_nothing_is_said_with_what_does(store, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.tflite").write_bytes(b"")
    what, instead = FAULTS[text]
    with pytest.raises(UserError, match=what) as caught:
        resolve(store, None, text)
    if text == "a1a1a1a":
        assert caught.value.fix == "give at least 8 digits"
    elif text == "01234567":
        assert "RUN/STEP" in caught.value.fix
    else:
        assert any(word in caught.value.fix for word in (instead, *re.split("[@/]", instead)[1:]))
    resolve(store, None, instead)


def test_a_folder_that_is_called_as_releases_are_hides_no_fix(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()  # the data, as in docs/lineage.md
    with pytest.raises(UserError, match="is what releases are called") as caught:
        resolve(store, None, "faces")
    assert "faces@latest" in caught.value.fix


def test_a_damaged_log_names_no_champion(store):
    store.put_if_absent(release_log_key("faces", 1), b"[]")
    with pytest.raises(UserError, match="log of the releases of faces is not what was written"):
        resolve(store, None, "faces@champion")


@pytest.mark.parametrize("text", ["nosuch", "nobody@latest"])
def test_where_nothing_is_there_yet_the_fix_is_a_run(store_uri, text):
    with pytest.raises(UserError) as caught:
        resolve(open_store(store_uri("empty")), None, text)
    assert caught.value.fix == "slimline run CONFIG"
