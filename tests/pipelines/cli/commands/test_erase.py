"""``slimline erase``: what it says and writes, and how what it is given is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.digests import file_sha256
from pipelines.cli.main import main
from pipelines.runs.cache import Cache
from pipelines.stores.directory import DirectoryStore
from tests.data import images
from tests.pipelines.retention.test_erased_data import folder_of_faces, ingested
from tests.pipelines.retention.test_erasing import ANNA, FILES, faces


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a run on pictures of people."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLIMLINE_ACTOR", "officer")
    cache = Cache(DirectoryStore(tmp_path / "store", durable=False), tmp_path / "scratch")
    faces(cache, "faces-1")
    return str(tmp_path / "store")


def test_the_certificate_in_words_and_that_verify_calls_it_erased(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", "--store", store, "--identity", ANNA, "--dry-run"]) == 0
    would = capsys.readouterr().out
    assert main(["erase", "--store", store, "--identity", ANNA, "--reason", "asked"]) == 0
    done = capsys.readouterr().out
    assert "would be erased: identity" in would
    assert "erased: identity" in done
    assert "2 images in" in done
    assert "concerned: release faces of faces-1" in done
    assert "not reached: backups" in done
    assert "Anna" not in done
    assert main(["verify", "--store", store]) == 0
    assert "was erased by officer on" in capsys.readouterr().out
    assert main(["erase", "--store", store, "--resume"]) == 0
    assert "no erasure was begun and not ended" in capsys.readouterr().out


def test_the_document_is_the_certificate(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--store", store, "--file", FILES[f"{ANNA}/1.png"], "--json"]) == 0
    (document,) = json.loads(capsys.readouterr().out)["erasures"]
    kept = json.loads((Path(store) / "erasures" / f"{document['id']}.json").read_bytes())
    assert document == kept
    assert (document["subject"], document["actor"]) == ("file", "officer")


def test_an_image_by_its_place_and_a_copy_by_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cache = Cache(DirectoryStore(tmp_path / "store", durable=False), tmp_path / "scratch")
    data = folder_of_faces(tmp_path / "data")
    ingested(cache, data, "faces-1")
    erase = ("erase", "--store", str(tmp_path / "store"), "--json", "--file")
    first, second = data / "ben" / "0.png", data / "ben" / "1.png"
    copy = tmp_path / "copy.bmp"
    copy.write_bytes(images.encoded(images.random_image(101), "BMP"))
    capsys.readouterr()
    for given, erased in ((first, first), (copy, second)):
        assert main([*erase, str(given)]) == 0
        (done,) = json.loads(capsys.readouterr().out)["erasures"]
        assert max(done["datasets"].values()) == 1
        assert file_sha256(erased) in done["excluded"]
        assert done["digest"] == file_sha256(given)
    copy.write_bytes(images.encoded(images.random_image(9999), "BMP"))
    assert main([*erase, str(copy)]) == 2
    assert file_sha256(copy) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--identity", " "], "names nobody"),
        (["--identity", "Dora"], "holds the identity 'Dora'"),
        (["--file", "no/such.png"], "is no file here, and no sha256"),
        (["--resume", "--dry-run"], "has no --dry-run"),
    ],
)
def test_what_cannot_be_used(
    store: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path(store).rglob("*.json"))
    assert main(["erase", "--store", store, *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "fix: " in error
    assert sorted(Path(store).rglob("*.json")) == before
