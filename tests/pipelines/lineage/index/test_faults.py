"""Damage in the store is named and hides nothing; damage of the index costs time alone."""

import json

import pytest

from pipelines.cli.main import main
from pipelines.disk.cache_folder import CacheWarning
from pipelines.lineage.index.database import index_path
from pipelines.lineage.index.opening import open_index, rebuild
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key, records_key, release_key, run_key, source_key
from pipelines.stores.opening import open_store
from tests.data.histories import NAME, History, Picture


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def history(store_uri):
    made = History(open_store(store_uri("one")))
    for seed in range(2):
        made.run([Picture(f"p/{n}.png", "p", n) for n in range(6 + seed)], seed=seed)
    return made


def replaced(store, key, data: bytes | None):
    """Put other bytes under a key, or nothing."""
    stat = store.stat(key)
    if data is None:
        assert store.delete_if_match(key, stat.version)
    else:
        assert store.replace_if_match(key, data, stat.version)


def counts(store):
    """Problems by key, and how many runs and releases are found beside them."""
    with open_index(store) as index:
        problems = dict(index.execute("SELECT key, what FROM problem"))
        (runs,) = index.one("SELECT count(*) FROM run WHERE outcome = 'done'")
        (releases,) = index.one("SELECT count(DISTINCT release) FROM release_dataset")
    return problems, runs, releases


def newer(data: bytes) -> bytes:
    value = json.loads(data)
    value["predicate"]["buildDefinition"]["buildType"] = "urn:slimline:step:3"
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _: b"not JSON", "no record of an execution"),
        (newer, "later slimline"),
        (lambda data: data.replace(b'"slimlineTree":"', b'"slimlineTree":"x'), "no record"),
        (lambda _: None, "not there"),
    ],
)
def test_a_damaged_record_of_a_step_is_named_and_hides_nothing(history, change, told):
    store, run = history.store, history.runs[0]
    key = f"runs/{run}/steps/train-0.json"
    replaced(store, records_key(run), None)
    replaced(store, key, change(store.get(key)))
    problems, runs, releases = counts(store)
    assert told in problems.pop(key)
    assert (problems, runs, releases) == ({}, 2, 2)


@pytest.mark.parametrize("data", [b"not JSON", b"{}", b"[]"])
def test_a_damaged_record_of_a_run_hides_no_other(history, data):
    store = history.store
    replaced(store, run_key(history.runs[1]), data)
    problems, runs, releases = counts(store)
    assert set(problems) == {run_key(history.runs[1])}
    assert runs == 1
    assert releases == 2, "its steps still tell of what its release was made"


def test_damaged_records_together_are_read_one_by_one(history):
    store = history.store
    replaced(store, records_key(history.runs[0]), b'{"key": "runs/x/steps/y.json"\n')
    problems, runs, releases = counts(store)
    assert set(problems) == {records_key(history.runs[0])}
    assert (runs, releases) == (2, 2)


def test_damaged_manifests_listings_and_notes_are_named(history):
    store = history.store
    with open_index(store) as index:
        (manifest,) = index.one("SELECT sha FROM file WHERE path = 'manifest.jsonl'")
        (source,) = index.one("SELECT digest FROM source")
    note = release_key(NAME, history.runs[1])
    keys = [blob_key(manifest.hex()), source_key(source.hex()), note]
    for key in keys:
        replaced(store, key, b"not JSON")
    index_path(store.uri).unlink()
    problems, runs, _ = counts(store)
    assert set(problems) == set(keys)
    assert runs == 2
    assert "sha256" in problems[keys[0]]


def test_what_is_put_right_is_no_problem_any_more(history):
    store, run = history.store, history.runs[0]
    key = f"runs/{run}/steps/train-0.json"
    whole = store.get(key)
    replaced(store, records_key(run), None)
    replaced(store, key, b"not JSON")
    assert set(counts(store)[0]) == {key}
    replaced(store, key, whole)
    rebuild(store)
    assert counts(store)[0] == {}


def test_an_edited_log_counts_up_to_the_edit(history):
    store = history.store
    for run, release in history.releases:
        history.promote(run, release)
    history.promote(*history.releases[0])
    key = f"releases/{NAME}/log/00000002.json"
    replaced(store, key, store.get(key).replace(b"anna", b"eve!"))
    with open_index(store) as index:
        assert [seq for (seq,) in index.execute("SELECT seq FROM release_log")] == [1]
        states = dict(index.execute("SELECT run, state FROM release"))
        (problem,) = [key for (key,) in index.execute("SELECT key FROM problem")]
    assert states[history.runs[0]] == "champion"
    assert problem.startswith(f"releases/{NAME}/log/")


def test_an_index_of_another_version_is_made_anew(history):
    import sqlite3

    path = rebuild(history.store)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
        database.execute("DROP TABLE run")
    assert counts(history.store)[1] == 2


def test_a_damaged_page_of_the_index_is_made_anew(history):
    path = rebuild(history.store)
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    assert counts(history.store)[1] == 2


def test_a_full_disk_is_told_and_the_question_answered(small_disk, tmp_path, monkeypatch):
    history = History(DirectoryStore(tmp_path / "store", durable=False))
    history.run([Picture(f"p/{n}.png", "p", n) for n in range(6)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(small_disk))
    (small_disk / "filler").write_bytes(bytes(900 << 10))
    with pytest.warns(CacheWarning, match="free some space"):
        assert counts(history.store)[1] == 1
    (small_disk / "filler").unlink()
    assert counts(history.store)[1] == 1


def test_the_command_line_names_problems_and_exports(history, capsys):
    store = history.store
    replaced(store, release_key(NAME, history.runs[0]), b"not JSON")
    assert main(["index", "rebuild", "--store", store.uri, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == 2
    assert [problem["key"] for problem in document["problems"]] == [
        release_key(NAME, history.runs[0])
    ]
    assert main(["index", "export", "--store", store.uri]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {json.loads(line)["table"] for line in lines} >= {"run", "fate", "release_dataset"}


def test_two_damaged_values_of_equal_bytes_are_each_named_once(tmp_path):
    """A decision and the manifest of a release that are both ``{}`` share a blob."""
    store = DirectoryStore(tmp_path / "store", durable=False)
    history = History(store)
    history.run([Picture(f"p/{n}.png", "p", n) for n in range(6)])
    record = f"runs/{history.runs[0]}/steps/select.json"
    manifest = json.loads(store.get(f"runs/{history.runs[0]}/steps/publish.json"))
    shas = {one["name"]: one["digest"].get("sha256") for one in manifest["subject"]}
    other = shas["release/manifest.json"]
    told = json.loads(store.get(record))
    for subject in told["subject"]:
        if subject["name"] == "decision/decision.json":
            subject["digest"]["sha256"] = other
    replaced(store, records_key(history.runs[0]), None)
    replaced(store, record, json.dumps(told).encode())
    replaced(store, blob_key(other), b"{}")
    problems, runs, _ = counts(store)
    assert set(problems) == {blob_key(other)}
    assert runs == 1
