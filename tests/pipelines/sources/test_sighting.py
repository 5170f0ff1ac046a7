"""Looks at data: whether anything was written, as a whole and folder by folder, on disk and in a bucket."""

import os
import time

import pytest

from components.contract.errors import UserError
from pipelines.sources.sighting import sight, sight_folders
from pipelines.sources.snapshot import snapshot

FILES = {"a/0.png": b"0", "a/1.png": b"1", "b/0.png": b"2", "b/deep/0.png": b"3"}


class Disk:
    def __init__(self, folder):
        self.folder, self.uri = folder, str(folder)

    def write(self, name, content, at=1e9):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (at, at))

    def make(self, folder):
        (self.folder / folder).mkdir(parents=True)


class InBucket:
    def __init__(self, gcs):
        self.gcs, self.uri = gcs.storage, "gs://data/faces"

    def write(self, name, content, at=1e9):
        made = self.gcs.write("data", f"faces/{name}", content, {}, {})
        written = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
        object.__setattr__(made, "created", written)  # the imitation's clock tells seconds

    def make(self, folder):
        self.write(f"{folder}/", b"")  # as consoles make folders


@pytest.fixture(params=["directory", "bucket"])
def place(request, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if request.param == "directory":
        made = Disk(tmp_path / "data")
    else:
        gcs = request.getfixturevalue("gcs")
        gcs.bucket("data")
        made = InBucket(gcs)
    for name, content in FILES.items():
        made.write(name, content)
    return made


def test_a_folder_has_another_digest_when_something_in_it_itself_changes(place):
    before = sight_folders(place.uri).place.by_folder()
    assert set(before) == {"a", "b", "b/deep"}
    place.write("b/deep/1.png", b"new")
    after = sight_folders(place.uri).place.by_folder()
    assert {name for name in after if after[name] != before[name]} == {"b/deep"}
    place.write("a/0.png", b"overwritten", at=2e9)
    again = sight_folders(place.uri).place.by_folder()
    assert {name for name in again if again[name] != after[name]} == {"a"}


def test_a_part_is_seen_as_if_there_were_nothing_else(place):
    look = sight_folders(place.uri)
    part = look.within(frozenset(["b"]))
    assert (part.files, list(part.place.names)) == (1, ["b/0.png"])
    assert look.added_to(part.digest, frozenset(["b/0.png"]))
    place.write("a/2.png", b"elsewhere")
    assert sight_folders(place.uri).within(frozenset(["b"])).digest == part.digest
    assert sight(place.uri).digest != look.digest
    assert look.within(frozenset(["gone"])).files == 0


def test_of_a_part_nothing_else_is_read(place):
    whole = snapshot(place.uri)
    part = snapshot(place.uri, folders=frozenset(["a"]))
    assert [file.name for file in part.files] == ["a/0.png", "a/1.png"]
    assert part.digest != whole.digest
    assert part.files == tuple(file for file in whole.files if file.name.startswith("a/"))


def test_a_folder_without_a_file_is_told_and_is_no_change_of_the_data(place):
    before, digest = sight(place.uri).digest, snapshot(place.uri).digest
    folders = sight_folders(place.uri).place.by_folder()
    for name in ("c", "b/more/still", "hidden"):
        place.make(name)
    place.write("hidden/.keep", b"")
    place.write("a/upload/1.png.partial", b"half")
    place.make(".git/refs")
    if isinstance(place, InBucket):  # where a folder is an object, or files alone
        place.make("hidden")
        place.make("a/upload")
    look = sight_folders(place.uri)
    assert look.digest == sight(place.uri).digest == before, "what watches waits for files"
    assert look.place.by_folder() == folders
    assert look.within(frozenset(["a", "c"])).place.empty_folders == ()
    found = snapshot(place.uri)
    assert [(one.name, one.fault.partition(":")[0]) for one in found.files if one.is_folder] == [
        (name, "empty-folder") for name in ("a/upload/", "b/more/", "c/", "hidden/")
    ]
    assert found.digest != digest, "what ingest says of it differs"
    assert snapshot(place.uri, folders=frozenset(["a", "c"])).files == found.files[:2]


def test_a_marker_counts_for_the_folder_that_it_lies_in(place):
    place.write("_SUCCESS", b"", at=2e9)
    place.write("b/_SUCCESS", b"", at=2e9)
    assert sight_folders(place.uri).place.marked_folders("_SUCCESS") == {"b"}
    place.write("b/9.png", b"later", at=3e9)
    assert not sight_folders(place.uri).place.marked_folders("_SUCCESS")


def test_what_is_no_folders_of_images_has_no_parts(place):
    place.write("data.csv", b"1,2,3\n")
    with pytest.raises(UserError) as refused:
        sight_folders(f"{place.uri}/data.csv")
    assert refused.value.fix == "watch it with --settle all"
    assert sight(f"{place.uri}/data.csv").files == 1
