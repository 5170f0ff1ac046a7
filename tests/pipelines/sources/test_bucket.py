"""Sources in a bucket: the same as in a folder, downloaded once, and every way they can be wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.contract.source import Source as Staged
from components.data.image_list import named_images
from pipelines.sources.checksums import ChecksumCache
from pipelines.sources.snapshot import Snapshot, snapshot, snapshot_model, snapshot_weights, stage
from pipelines.stores.gcs_objects import CHUNK_BYTES
from tests.servers.gcs.server import GcsServer
from tests.servers.s3.proxy import S3Proxy
from tests.servers.s3.seaweedfs import BUCKET, SeaweedFs

LARGE = bytes(range(256)) * (CHUNK_BYTES // 256) + b"and more"
"""More than one request downloads."""

FOLDER = {"ann/1.pgm": b"a", "ann/2.pgm": b"", "bob/deep/1 ü.pgm": b"b", "large/1.pgm": LARGE}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this machine's cache lies."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home/.cache/slimline"


@pytest.fixture
def put(gcs: GcsServer, home: Path) -> Callable[..., None]:
    """Writes an object into the bucket ``data``."""
    gcs.bucket("data")

    def put(name: str, content: bytes = b"", **resource: str) -> None:
        gcs.storage.write("data", name, content, {}, resource)

    return put


@pytest.fixture
def cache(home: Path) -> Iterator[ChecksumCache]:
    with ChecksumCache(home / "checksums.sqlite") as cache:
        yield cache


@pytest.fixture
def faces(put: Callable[..., None]) -> str:
    for name, content in FOLDER.items():
        put(f"some/faces/{name}", content)
    return "gs://data/some/faces"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(source: Snapshot, folder: Path) -> dict[str, bytes]:
    """Stage a source and read it as a component does."""
    assert stage(source, folder) == (), "everything lies inside"
    staged = Staged.open(folder)
    assert staged.digest == source.digest
    for path in (folder / "files").rglob("*"):
        assert not path.is_symlink()
    return {file.name: staged.read(file) for file in staged.files if file.readable}


# the same as in a folder ------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["gs://data/some/faces", "gs://data/some/faces/"])
def test_a_folder_is_what_it_is_on_a_disk(faces: str, uri: str, tmp_path: Path) -> None:
    source = snapshot(uri)
    on_disk = snapshot(str(write(tmp_path / "faces", FOLDER)))
    assert (source.format, source.files, source.digest) == (
        "folder",
        on_disk.files,
        on_disk.digest,
    )
    assert read(source, tmp_path / "staged") == FOLDER
    assert json.loads((tmp_path / "staged/source.json").read_text())["uri"] == uri


def test_a_whole_bucket(put: Callable[..., None], tmp_path: Path) -> None:
    put("ann/1.pgm", b"a")
    on_disk = snapshot(str(write(tmp_path / "faces", {"ann/1.pgm": b"a"})))
    for uri in ("gs://data", "gs://data/"):
        assert snapshot(uri).digest == on_disk.digest


@pytest.mark.parametrize(
    ("name", "form"),
    [("x.npz", "npz"), ("d/my data.csv", "csv"), ("d/d.csv.gz", "csv"), ("X.NPZ", "npz")],
)
def test_a_file_is_what_it_is_on_a_disk(
    put: Callable[..., None], tmp_path: Path, name: str, form: str
) -> None:
    put(name, b"data")
    put(f"{name}2", b"beside it")
    source = snapshot(f"gs://data/{name}")
    assert source.format == form
    assert source.digest == snapshot(str(write(tmp_path / "d", {name: b"data"}) / name)).digest
    assert read(source, tmp_path / "staged") == {Path(name).name: b"data"}


def test_idx_files(put: Callable[..., None], tmp_path: Path) -> None:
    files = {"train-images-idx3-ubyte.gz": b"i", "train-labels-idx1-ubyte.gz": b"l"}
    for name, content in files.items():
        put(f"mnist/{name}", content)
    source = snapshot("gs://data/mnist")
    assert source.format == "idx"
    assert source.digest == snapshot(str(write(tmp_path / "mnist", files))).digest


def test_models(put: Callable[..., None], tmp_path: Path) -> None:
    saved = {"saved_model.pb": b"s", "variables/variables.index": b"v"}
    for name, content in saved.items():
        put(f"saved/{name}", content)
    given = (
        ("m.keras", snapshot_model), ("m.h5", snapshot_model), ("w.safetensors", snapshot_weights),
    )  # fmt: skip
    for name, take in given:
        put(name, b"model")
        on_disk = write(tmp_path, {name: b"model"}) / name
        assert take(f"gs://data/{name}").digest == take(str(on_disk)).digest
    source = snapshot_model("gs://data/saved")
    assert source.digest == snapshot_model(str(write(tmp_path / "saved", saved))).digest
    assert read(source, tmp_path / "staged") == saved


def test_hidden_names_junk_and_folders_of_consoles_are_no_data(
    faces: str, put: Callable[..., None]
) -> None:
    digest = snapshot(faces).digest
    for name in (
        ".git/config", "ann/.DS_Store", "ann/Thumbs.db", "__MACOSX/ann/1.pgm", "desktop.ini",
        "_SUCCESS", "ann/2.pgm.tmp", "ann/3.pgm.partial",
        "", "ann/",
    ):  # fmt: skip
        put(f"some/faces/{name}", b"junk" if name and not name.endswith("/") else b"")
    put("some/faces-of-others/1.pgm", b"beside it")
    assert snapshot(faces).digest == digest


# downloaded once --------------------------------------------------------------------------------


def test_a_second_look_and_every_step_download_nothing(
    gcs: GcsServer, faces: str, cache: ChecksumCache, tmp_path: Path
) -> None:
    first = snapshot(faces, cache)
    assert gcs.requests["download"] == len(FOLDER) + 1, "one for each, and a second large part"
    gcs.requests.clear()
    again = snapshot(faces, cache)
    assert again.digest == first.digest
    for index in range(2):
        assert read(again, tmp_path / f"{index}") == FOLDER
    assert gcs.requests["download"] == 0
    inodes = {(tmp_path / f"{index}/files/ann/1.pgm").stat().st_ino for index in range(2)}
    assert len(inodes) == 1, "links to one file, not copies"


def test_an_object_that_was_written_again_is_downloaded_again(
    gcs: GcsServer, faces: str, put: Callable[..., None], cache: ChecksumCache, tmp_path: Path
) -> None:
    first = snapshot(faces, cache)
    put("some/faces/ann/1.pgm", b"A")
    gcs.requests.clear()
    second = snapshot(faces, cache)
    assert gcs.requests["download"] == 1
    assert second.digest != first.digest
    assert read(second, tmp_path / "staged") == {**FOLDER, "ann/1.pgm": b"A"}
    put("some/faces/ann/1.pgm", b"a")
    assert snapshot(faces, cache).digest == first.digest


def test_what_left_the_cache_is_downloaded_again(
    gcs: GcsServer, faces: str, cache: ChecksumCache, home: Path, tmp_path: Path
) -> None:
    source = snapshot(faces, cache)
    shutil.rmtree(home / "cas")
    gcs.requests.clear()
    assert read(source, tmp_path / "staged") == FOLDER
    assert gcs.requests["download"] == len(FOLDER) + 1
    assert read(source, tmp_path / "again") == FOLDER
    assert gcs.requests["download"] == len(FOLDER) + 1


def test_what_is_damaged_in_the_cache_is_downloaded_again(
    faces: str, cache: ChecksumCache, home: Path, tmp_path: Path
) -> None:
    source = snapshot(faces, cache)
    for path in (home / "cas").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    assert read(source, tmp_path / "staged") == FOLDER


def test_a_snapshot_that_broke_continues_where_it_broke(
    gcs: GcsServer, put: Callable[..., None], cache: ChecksumCache
) -> None:
    for index in range(100):
        put(f"faces/ann/{index}.pgm", b"%d" % index)

    def forbid(operation: str) -> None:
        if gcs.requests["download"] > 50:
            gcs.bucket("data").forbidden = True

    gcs.before = forbid
    with pytest.raises(UserError, match="access is forbidden"):
        snapshot("gs://data/faces", cache)
    gcs.bucket("data").forbidden = False
    gcs.before = lambda _: None
    gcs.requests.clear()
    assert len(snapshot("gs://data/faces", cache).files) == 100
    assert gcs.requests["download"] <= 100 - 30


def test_faults_that_pass_do_not_show(
    gcs: GcsServer, put: Callable[..., None], cache: ChecksumCache, tmp_path: Path
) -> None:
    files = {f"{index % 7}/{index}.pgm": b"%d" % index * index for index in range(150)}
    for name, content in files.items():
        put(f"faces/{name}", content)
    put("faces/0/large.pgm", LARGE)
    gcs.faults.rate, gcs.faults.stall_s = 0.1, 0.05
    source = snapshot("gs://data/faces", cache)
    assert read(source, tmp_path / "staged") == {**files, "0/large.pgm": LARGE}
    assert gcs.faults.hit.total() > 10


# faults -----------------------------------------------------------------------------------------


def fails(match: str, fix: str, uri: str, take: Callable[..., object] = snapshot) -> None:
    with pytest.raises(UserError, match=match) as caught:
        take(uri)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "uri",
    ["gs://", "gs:///faces", "gs://ab/x", "gs://Data/x", "gs://data b/x", "gs://data/a//b",
     "gs://data/../b", "gs://data/./b", "gs://data//"],
)  # fmt: skip
def test_malformed(put: Callable[..., None], uri: str) -> None:
    fails("names nothing in a bucket", "gs://my-bucket/faces", uri)


def test_what_is_not_there(gcs: GcsServer, faces: str, put: Callable[..., None]) -> None:
    fails("there is no bucket 'nowhere'", "buckets create", "gs://nowhere/faces")
    fails(
        "nothing under gs://data/face; expected a folder", "storage ls gs://data", "gs://data/face"
    )
    fails("nothing under gs://data/some/faces/ann/1.pgm/", "ls", f"{faces}/ann/1.pgm/")
    put("empty/")
    fails("nothing under gs://data/empty", "correct the name", "gs://data/empty")
    fails("control character", "rename", "gs://data/a\nb")
    gcs.bucket("data").forbidden = True
    fails("access is forbidden", "roles/storage.objectUser", faces)


def test_what_is_not_laid_out_as_data(put: Callable[..., None]) -> None:
    put("flat/1.png")
    fails("1 files and no sub-folder", "into a sub-folder", "gs://data/flat")
    put("flat/faces.npz")
    fails("2 files and no sub-folder", "gs://data/flat/faces.npz", "gs://data/flat/")
    fails("unknown kind", "give the folder", "gs://data/flat/1.png")
    fails("has no saved_model.pb", "correct", "gs://data/flat", snapshot_model)
    fails("is no model", "correct", "gs://data/flat/1.png", snapshot_model)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a/b\x01.pgm"], {"a/b\\x01.pgm": "name: holds a control character"}),
        (["a/../b.pgm"], {"a/../b.pgm": "name: has the part '..', which no file can have"}),
        (["a/./b.pgm"], {"a/./b.pgm": "name: has the part '.', which no file can have"}),
        (["a//b.pgm"], {"a//b.pgm": "name: has the part '', which no file can have"}),
        (["ann"], {"ann": "name: is also the folder of ann/1.pgm"}),
        ([f"a/{100 * 'äöü'}"], {f"a/{100 * 'äöü'}": "name: has a part of more than 255 bytes"}),
        (["ann/"], {"ann/": "name: is like that of a folder, and the object holds 1 bytes"}),
    ],
)
def test_names_that_no_folder_could_hold(
    faces: str,
    put: Callable[..., None],
    names: list[str],
    told: dict[str, str],
    tmp_path: Path,
) -> None:
    for name in names:
        put(f"some/faces/{name}", b"x")
        put(f"alone/{name}", b"x")
    source = snapshot(faces)
    faults = {file.name: file.fault for file in source.files if file.fault}
    assert {name: fault.partition(" (")[0] for name, fault in faults.items()} == told
    stage(source, tmp_path / "staged")
    staged = Staged.open(tmp_path / "staged")
    assert {file.name: staged.read(file) for file in staged.files if file.readable} == FOLDER
    if names != ["ann"]:
        fails("1 files that cannot be read and none that can", "put regular", "gs://data/alone")


def test_an_object_that_is_also_a_folder(faces: str, put: Callable[..., None]) -> None:
    put("some/faces", b"x")
    fails("is an object and also, with 4 files, a folder", f"write {faces}/", faces)
    assert len(snapshot(f"{faces}/").files) == 4


# lists ------------------------------------------------------------------------------------------


def test_a_list_and_the_images_that_it_names(
    put: Callable[..., None], cache: ChecksumCache, tmp_path: Path
) -> None:
    files = {"a.png": b"a", "deep/b.png": b"b"}
    text = b"path,label\na.png,cat\ndeep/b.png,dog\nmissing.png,dog\n"
    for name, content in {**files, "list.csv": text, "unlisted.png": b"u"}.items():
        put(f"some/{name}", content)
    source = snapshot("gs://data/some/list.csv", cache)
    assert (source.format, source.index) == ("list", "list.csv")
    assert read(source, tmp_path / "staged") == {**files, "list.csv": text}
    others = {file.name: file.fault for file in source.files if not file.readable}
    assert others == {"unlisted.png": "unlisted: list.csv does not name it"}
    on_disk = write(tmp_path / "disk", {**files, "list.csv": text, "unlisted.png": b"u"})
    assert snapshot(str(on_disk / "list.csv")).digest == source.digest
    put("flat/list.csv", b"file,label\na.png,cat\nb.png,dog\n")
    for name in ("a", "b", "c"):
        put(f"flat/{name}.png", name.encode())
    folder, file = snapshot("gs://data/flat"), snapshot("gs://data/flat/list.csv")
    assert (folder.format, folder.digest) == ("list", file.digest)


def test_a_list_may_name_what_lies_elsewhere_in_its_bucket(
    put: Callable[..., None], tmp_path: Path
) -> None:
    text = b"image,class\n../images/a.png,cat\ngs://data/some/images/b.png,dog\ngs://x/c.png,dog"
    put("some/lists/list.csv", text)
    for name in ("a", "b", "c"):
        put(f"some/images/{name}.png", name.encode())
    source = snapshot("gs://data/some/lists/list.csv")
    assert source.index == "lists/list.csv"
    assert read(source, tmp_path / "staged") == {
        "lists/list.csv": text, "images/a.png": b"a", "images/b.png": b"b",
    }  # fmt: skip
    rows = list(named_images(Staged.open(tmp_path / "staged")))
    assert [(row.name, row.fault) for row in rows] == [
        ("images/a.png", ""),
        ("images/b.png", ""),
        ("lists/list.csv#2", "outside: 'gs://x/c.png' is not below gs://data/some"),
        ("images/c.png", "unlisted: lists/list.csv does not name it"),
    ]


def test_what_the_service_would_unpack(put: Callable[..., None]) -> None:
    put("d.csv.gz", b"packed", contentEncoding="gzip")
    fails("Content-Encoding gzip", "--clear-content-encoding", "gs://data/d.csv.gz")


@pytest.mark.parametrize("change", ["written again", "removed"])
def test_what_changes_between_snapshot_and_staging(
    gcs: GcsServer,
    faces: str,
    put: Callable[..., None],
    home: Path,
    tmp_path: Path,
    change: str,
) -> None:
    source = snapshot(faces)
    shutil.rmtree(home / "cas")  # what this machine has it need not download
    if change == "removed":
        gcs.storage.delete("data", "some/faces/ann/1.pgm", {})
    else:
        put("some/faces/ann/1.pgm", b"A")
    with pytest.raises(UserError, match=r"faces/ann/1\.pgm changed or vanished") as caught:
        stage(source, tmp_path / "staged")
    assert "run again" in caught.value.fix
    assert not (tmp_path / "staged/source.json").exists()


def test_what_changes_while_it_is_listed(
    gcs: GcsServer, faces: str, put: Callable[..., None], home: Path
) -> None:
    def swap(operation: str) -> None:
        if operation == "download":  # of whichever object comes first
            put("some/faces/large/1.pgm", LARGE)

    gcs.before = swap
    fails("faces/large/1.pgm changed or vanished since it was listed", "run again", faces)
    assert list((home / "work").iterdir()) == [], "nothing half downloaded stays"


def test_a_full_disk(faces: str, home: Path, small_disk: Path) -> None:
    home.parent.mkdir(parents=True)
    home.symlink_to(small_disk)
    with pytest.raises(UserError, match="the disk is full") as caught:
        snapshot(faces)
    assert str(home) in caught.value.what
    assert not list((home / "work").iterdir())


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_data_at_another_service(
    scheme: str, s3: S3Proxy, seaweedfs: SeaweedFs, home: Path, cache: ChecksumCache, tmp_path: Path
) -> None:
    place = f"{tmp_path.name}-{scheme}/faces"
    for name, content in FOLDER.items():
        seaweedfs.client().put_object(Bucket=BUCKET, Key=f"{place}/{name}", Body=content)
    uri = f"{scheme}://{BUCKET}/{place}"
    taken = snapshot(uri, cache)
    assert taken.digest == snapshot(str(write(tmp_path / "faces", FOLDER))).digest
    stage(taken, tmp_path / "staged")
    assert (tmp_path / "staged/files/large/1.pgm").read_bytes() == LARGE
    downloads = s3.requests["download"]
    assert snapshot(uri, cache).digest == taken.digest
    assert s3.requests["download"] == downloads, "a second look downloads nothing"
    # What changed after it was listed is said, and a look at it then is right.
    again = snapshot(uri)
    seaweedfs.client().put_object(Bucket=BUCKET, Key=f"{place}/ann/1.pgm", Body=b"other")
    shutil.rmtree(home / "cas", ignore_errors=True)
    with pytest.raises(UserError, match="changed or vanished since it was listed"):
        stage(again, tmp_path / "changed")
    assert snapshot(uri, cache).digest != taken.digest
    fails(f"there is nothing under {uri}x", f"aws s3 ls s3://{BUCKET}/", f"{uri}x")
