"""What ``affected`` finds, through the command line, with real images."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from components.contract.digests import file_sha256
from components.data.images import pixel_digest
from pipelines.cli.main import main
from pipelines.lineage.affected import affected
from pipelines.lineage.index.opening import open_index
from pipelines.lineage.sightings import Searched
from pipelines.stores.opening import open_store
from tests.data import histories
from tests.data.histories import History, Picture


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Photo(Picture):
    """A picture that is a real file: its digests are those of the file."""

    @property
    def sha(self) -> str:
        return SHA[self.name]

    @property
    def pixels(self) -> str:
        return PIXELS[self.name]


SHA: dict[str, str] = {}
PIXELS: dict[str, str] = {}


def photo(folder, name, shows, label="anna") -> Photo:
    rng = np.random.default_rng(shows)
    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    SHA[name], PIXELS[name] = file_sha256(path), pixel_digest(pixels)
    return Photo(name, label, shows)


def answer(capsys, *arguments, code=0):
    assert main(["affected", *map(str, arguments), "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def one(store_uri, data):
    """A store with two runs; the first trained on all, the second without ``anna/0.png``."""
    uri = store_uri("one")
    pictures = [photo(data, f"anna/{n}.png", n) for n in range(5)]
    pictures.append(photo(data, "ben/9.png", 5, "Ben"))
    history = History(open_store(uri))
    history.run(pictures)
    history.run(pictures[1:])
    return uri, history


def test_a_file_is_found_by_its_bytes_and_role(one, data, capsys):
    uri, history = one
    found = answer(capsys, data / "anna/0.png", "--store", uri)
    assert [release["run"] for release in found["releases"]] == [history.runs[0]]
    assert found["releases"][0]["roles"] == {"train": 1}
    assert found["found"][0]["by"] == "bytes"
    by_sha = answer(capsys, SHA["anna/0.png"], "--store", uri)
    assert by_sha["releases"] == found["releases"]


def test_a_copy_in_another_format_is_found_by_what_it_shows(one, data, capsys, tmp_path):
    uri, history = one
    copy = tmp_path / "copy.bmp"
    Image.open(data / "anna/4.png").save(copy)
    found = answer(capsys, copy, "--store", uri)
    assert {release["run"] for release in found["releases"]} == set(history.runs)
    assert found["releases"][0]["roles"] == {"sealed": 1}
    assert {sighting["by"] for sighting in found["found"]} == {"pixels"}
    assert answer(capsys, file_sha256(copy), "--store", uri)["releases"] == []


def test_a_person_is_found_in_any_spelling(one, capsys):
    uri, history = one
    found = answer(capsys, "--identity", " ANNA", "--store", uri)
    assert {release["run"] for release in found["releases"]} == set(history.runs)
    roles = {release["run"]: release["roles"] for release in found["releases"]}
    assert roles[history.runs[0]] == {"train": 2, "validation": 1, "selection": 1, "sealed": 1}
    assert answer(capsys, "--identity", "nobody", "--store", uri)["releases"] == []


def test_check_answers_with_4_only_where_a_champion_is_affected(one, data, capsys):
    uri, history = one
    file = data / "anna/0.png"
    answer(capsys, file, "--check", "--store", uri)
    history.promote(*history.releases[1])
    answer(capsys, file, "--check", "--store", uri)
    history.promote(*history.releases[0])
    found = answer(capsys, file, "--check", "--store", uri, code=4)
    assert [release["state"] for release in found["releases"]] == ["champion"]
    history.promote(*history.releases[1], kind="rollback")
    found = answer(capsys, file, "--check", "--store", uri)
    assert [release["state"] for release in found["releases"]] == ["rolled back"]


def test_a_duplicate_leads_to_the_image_that_stood_for_it(store_uri, data, capsys):
    uri = store_uri("one")
    first, copy = photo(data, "anna/0.png", 0), photo(data, "anna/0b.bmp", 0)
    rest = [photo(data, f"anna/{n}.png", n) for n in range(1, 5)]
    History(open_store(uri)).run([first, copy, *rest])
    found = answer(capsys, SHA[copy.name], "--store", uri)
    assert found["releases"][0]["roles"] == {"train": 1}
    assert found["found"][0]["stands_for"] == first.name


def test_what_was_quarantined_affects_nothing_and_is_told(store_uri, data, capsys):
    uri = store_uri("one")
    torn = [photo(data, "anna/0.png", 0), photo(data, "ben/0.png", 0, "ben")]
    rest = [photo(data, f"anna/{n}.png", n) for n in range(1, 6)]
    History(open_store(uri)).run([*torn, *rest])
    found = answer(capsys, SHA["ben/0.png"], "--store", uri)
    assert found["releases"] == []
    assert found["unused"] == found["sightings"] > 0
    assert {sighting["status"] for sighting in found["found"]} == {"quarantined"}


def test_what_cannot_be_searched_is_said(store_uri, data, capsys):
    uri = store_uri("one")
    pictures = [photo(data, f"anna/{n}.png", n) for n in range(5)]
    History(open_store(uri), version=1).run(pictures)
    found = answer(capsys, data / "anna/0.png", "--store", uri)
    assert found["releases"][0]["roles"] == {"train": 1}, "by bytes, also of earlier versions"
    assert any("earlier versions" in sentence for sentence in found["not_searched"])
    assert any("crops" in sentence for sentence in found["not_found_by"])
    assert found["unsearched_champions"] == []


def test_check_passes_no_champion_of_which_nobody_can_tell(store_uri, data, capsys):
    """Manifests of earlier versions name no label and no pixels."""
    uri = store_uri("one")
    history = History(open_store(uri), version=1)
    run = history.run([photo(data, f"anna/{n}.png", n) for n in range(5)])
    history.promote(*history.releases[0])
    found = answer(capsys, "--identity", "somebody", "--check", "--store", uri, code=4)
    assert found["releases"] == []
    assert [name.rpartition(" ")[2] for name in found["unsearched_champions"]] == [run]
    answer(capsys, "0" * 64, "--check", "--store", uri)


def test_an_erased_person_is_in_what_was_made_before(store_uri, data, capsys):
    """Manifests no longer name her; the certificate of the erasure still leads to her datasets."""
    uri = store_uri("one")
    history = History(open_store(uri))
    pictures = [photo(data, f"anna/{n}.png", n) for n in range(5)]
    others = [photo(data, f"ben/{n}.png", 9 + n, "ben") for n in range(5)]
    run = history.run([*pictures, *others])
    history.promote(*history.releases[0])
    after = history.run(others)
    erased = ["erase", "--identity", "anna", "--reason", "asked for it", "--store", uri]
    assert main(erased) == 0, capsys.readouterr().err
    capsys.readouterr()
    for asked in (["--identity", " Anna"], [SHA["anna/0.png"]], [data / "anna/0.png"]):
        found = answer(capsys, *asked, "--check", "--store", uri, code=4)
        assert [one["run"] for one in found["releases"]] == [run], asked
        assert found["releases"][0]["roles"].keys() == {"erased"}
        told = any("which of their datasets" in sentence for sentence in found["not_searched"])
        assert told == (asked[0] != "--identity"), asked
    assert main(["lineage", f"{histories.NAME}@{run}", "--store", uri]) == 0
    assert "note: images were erased from Dataset" in capsys.readouterr().out
    assert main(["lineage", SHA["anna/0.png"], "--store", uri]) == 2
    assert "slimline affected tells" in capsys.readouterr().err
    found = answer(capsys, SHA["ben/0.png"], "--store", uri)
    assert {one["run"] for one in found["releases"]} == {run, after}
    assert "erased" not in found["releases"][0]["roles"]


def test_bytes_pass_no_champion_whose_files_nothing_lists(store_uri, capsys):
    """Of a version that kept no listing, and whose manifest has gone, nobody can tell."""
    uri = store_uri("one")
    store = open_store(uri)
    history = History(store)
    run = history.run([Picture(f"p/{n}.png", "p", n) for n in range(5)])
    history.promote(*history.releases[0])
    answer(capsys, "0" * 64, "--check", "--store", uri)
    with open_index(store) as index:
        rows = index.execute("SELECT sha FROM file WHERE path = 'manifest.jsonl'")
        manifests = [f"cas/sha256/{sha.hex()[:2]}/{sha.hex()}" for (sha,) in rows]
        pages = [
            f"cas/sha256/{sha.hex()[:2]}/{sha.hex()}"
            for (sha,) in index.execute("SELECT sha FROM page")
        ]
    history.remove(manifests)
    answer(capsys, "0" * 64, "--check", "--store", uri)
    history.remove(pages)
    found = answer(capsys, "0" * 64, "--check", "--store", uri, code=4)
    assert [name.rpartition(" ")[2] for name in found["unsearched_champions"]] == [run]


def test_data_whose_manifest_has_gone_is_found_by_its_listing(store_uri, capsys):
    uri = store_uri("one")
    store = open_store(uri)
    history = History(store)
    pictures = [Picture(f"p/{n}.png", "p", n) for n in range(5)]
    history.run(pictures)
    with open_index(store) as index:
        rows = index.execute("SELECT sha FROM file WHERE path = 'manifest.jsonl'")
        shas = [sha.hex() for (sha,) in rows]
    history.remove([f"cas/sha256/{sha[:2]}/{sha}" for sha in shas])
    with open_index(store) as index:
        found = affected(index, Searched(pictures[0].sha))
        assert [dict(one.roles) for one in found.releases] == [{"data": 1}]
        assert any("collected" in sentence for sentence in found.not_searched)
        assert not affected(index, Searched(replace(pictures[0], coding=9).sha)).releases


def test_a_cluster_run_that_is_not_here_is_named(store_uri):
    store = open_store(store_uri("one"))
    history = History(store)
    run = history.run([Picture(f"p/{n}.png", "p", n) for n in range(5)], ends=False)
    key = f"runs/{run}/started.json"
    record = {**json.loads(store.get(key)), "engine": "kubeflow"}
    store.replace_if_match(key, json.dumps(record).encode(), store.stat(key).version)
    with open_index(store) as index:
        (sentence,) = affected(index, Searched("0" * 64)).not_searched
    assert run in sentence
    assert "slimline sync" in sentence


@pytest.mark.parametrize(
    "arguments", [[], ["nothing.png"], ["x" * 64], ["a.png", "--identity", "b"]]
)
def test_what_cannot_be_looked_for_is_refused_with_a_fix(one, arguments, capsys):
    uri, _ = one
    assert main(["affected", *arguments, "--store", uri]) == 2
    assert "fix:" in capsys.readouterr().err


def test_people_read_releases_first(one, data, capsys):
    uri, history = one
    assert main(["affected", str(data / "anna/0.png"), "--store", uri]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith(f"candidate: {histories.NAME} ")
    assert "train (1)" in printed.out
    assert "not found this way" in printed.err
    assert history.runs[0] in printed.out
