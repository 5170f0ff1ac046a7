"""Every command that takes a store answers in s3:// what it answers in a folder."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.live.events import Event, StepStarted
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import KINDS, kind_of
from pipelines.stores.opening import open_store
from tests.servers.kfp.cluster import LocalRun
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"
QUESTIONS = (
    ("runs",),
    ("runs", "--json"),
    ("show",),
    ("show", "--json"),
    ("data",),
    ("logs", "latest", "train"),
    ("releases",),
    ("verify",),
    ("verify", "tiny@latest", "--deep"),
    ("why-changed", "tiny@latest", "tiny@latest"),
    ("lineage", "tiny@latest", "--up"),
    ("affected", "0" * 64),
    ("index", "rebuild"),
    ("index", "export"),
    ("gc", "--dry-run"),
)


@pytest.fixture
def both(
    s3: S3Proxy, tiny_run: LocalRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """The same finished run in a folder and in a bucket."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run.store, tmp_path / "store")
    folder, bucket = str(tmp_path / "store"), f"s3://{BUCKET}/{secrets.token_hex(8)}"
    source = DirectoryStore(Path(folder))
    keys = list(source.list(""))
    assert all(open_store(bucket).put_many((key, Path(folder, key)) for key in keys))
    return folder, bucket


def answer(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], store: str
) -> tuple[int, str, str]:
    code = main([*words, "--store", store])
    said = capsys.readouterr()
    return code, without_times(said.out, store), without_times(said.err, store)


def without_times(text: str, store: str) -> str:
    text = text.replace(store, "STORE")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00|Z)?", "TIME", text)
    text = re.sub(r"\b\d{8}-\d{6}-[0-9a-f]{4,8}\b", "IDENTIFIER", text)
    text = re.sub(r"\b[0-9a-f]{64}\.sqlite", "INDEX", text)
    return re.sub(r"\d+(\.\d+)? (s|ms|min)\b", "DURATION", text)


@pytest.mark.slow
def test_questions(both: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in QUESTIONS:
        in_folder, in_bucket = (answer(capsys, words, store) for store in both)
        assert in_bucket == in_folder, words
        assert in_bucket[0] in (0, 1), (words, in_bucket)


def left(store: str) -> dict[str, int]:
    """Return how many values there are of each kind."""
    kinds = [kind_of(key) for key in open_store(store).list("")]
    assert None not in kinds
    return {kind: kinds.count(kind) for kind in KINDS}


def test_releases_and_what_removes(
    both: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("promote", "tiny@latest", "--config", str(TINY), "--force", "because"),
        ("releases",),
        ("gc", "--keep", "0s", "--wait", "0s"),
        ("gc", "--keep", "0s", "--wait", "0s"),
        ("verify",),
        ("erase", "--identity", "3", "--reason", "asked"),
        ("verify",),
        ("show",),
    ):
        in_folder, in_bucket = (answer(capsys, words, store) for store in both)
        assert in_bucket[0] == in_folder[0], (words, in_bucket, in_folder)
        if words[0] != "erase":  # it says of a bucket that it may keep what was deleted
            assert in_bucket[1:] == in_folder[1:], words
        assert left(both[1]) == left(both[0]), words


def test_a_run_takes_what_is_there_and_makes_the_rest(
    both: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, bucket = both
    store = open_store(bucket)
    results = {key: json.loads(store.get(key)) for key in store.list("ac/")}
    (selected,) = (key for key, value in results.items() if "release" in json.dumps(value))
    found = store.stat(selected)
    assert found
    assert store.delete_if_match(selected, found.version)
    events: list[Event] = []
    launched = launch(load(TINY), store=bucket, output=tmp_path / "out", on_event=events.append)
    assert launched.outcome == "done"
    started = [event.step for event in events if isinstance(event, StepStarted)]
    assert started == ["publish"]
    assert (tmp_path / "out" / "model.tflite").read_bytes()
    assert main(["verify", launched.run, "--store", bucket]) == 0
    assert list(store.list("claims/")) == []
