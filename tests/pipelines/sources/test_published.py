"""Weights that keras.applications publishes: whole and checked, or an error that says all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.model import ImageInput, ModelInfo, Scores
from components.contract.errors import UserError
from components.ml import imagenet
from components.ml.formats import pretrained
from components.ml.imagenet import Published
from components.ml.networks.building import build
from components.ml.runtime import configure, tf_keras
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.config.sections import TrainedTeacher
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.runs.listing import listed_sources
from pipelines.sources.published import MIRROR, fetched
from pipelines.sources.snapshot import WEIGHTS, snapshot_model, stage
from tests.servers.weights import WeightsServer, weights_server

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 5000
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"

CONFIG = """\
name: own
task: classification
data: ./data
image: {height: 96, width: 96}
teacher: {backbone: mobilenet_v2, alpha: 0.35, epochs: 1, weights: imagenet}
variants: {int8: [{quantize: {scheme: int8}}]}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WeightsServer]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with weights_server() as served:
        monkeypatch.setenv(MIRROR, f"{served.url}/mirror/")
        served.files[f"/mirror/nets/{GIVEN.file}"] = CONTENT
        served.files[f"/mirror/mobilenet_v2/{FILE}"] = CONTENT
        yield served


GIVEN = Published(
    "net_notop.h5", "https://example.org/nets/net_notop.h5", hashlib.md5(CONTENT).hexdigest()
)
UNHASHED = Published(GIVEN.file, GIVEN.address)


def refused(folder: Path, given: Published = GIVEN) -> UserError:
    """The error; nothing of the file is left behind."""
    with pytest.raises(UserError) as caught:
        fetched(given, folder)
    assert not [path for path in folder.rglob("*") if path.is_file()]
    for part in (given.file, given.address, given.md5 or "no hash", f"weights: ./{given.file}"):
        assert part in caught.value.fix
    return caught.value


def test_a_file_is_downloaded_once(server: WeightsServer, tmp_path: Path) -> None:
    paths = {fetched(GIVEN, tmp_path / "weights") for _ in range(2)}
    (path,) = paths
    assert path.name == GIVEN.file
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    left = {item.name for item in (tmp_path / "weights").rglob("*") if item.is_file()}
    assert left == {GIVEN.file, "sha256"}


@pytest.mark.parametrize("given", [GIVEN, UNHASHED])
def test_what_was_damaged_since_is_fetched_again(
    given: Published, server: WeightsServer, tmp_path: Path
) -> None:
    path = fetched(given, tmp_path / "weights")
    path.write_bytes(CONTENT[:-1])
    assert fetched(given, tmp_path / "weights").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_other_bytes_than_published_are_refused(server: WeightsServer, tmp_path: Path) -> None:
    server.files[f"/mirror/nets/{GIVEN.file}"] = CONTENT + b"more"
    error = refused(tmp_path / "weights")
    assert hashlib.md5(CONTENT + b"more").hexdigest() in error.what
    assert f"{GIVEN.md5} is published" in error.what


def test_where_no_hash_is_published_that_of_the_service_counts(
    server: WeightsServer, tmp_path: Path
) -> None:
    server.damage = True
    assert "is damaged" in refused(tmp_path / "weights", UNHASHED).what
    server.damage = False
    assert fetched(UNHASHED, tmp_path / "weights").read_bytes() == CONTENT


def test_a_page_in_place_of_the_file_is_refused(server: WeightsServer, tmp_path: Path) -> None:
    server.files[f"/mirror/nets/{GIVEN.file}"] = b"<html>log in first</html>"
    server.hashes = False
    assert "no HDF5 file" in refused(tmp_path / "weights", UNHASHED).what


def test_what_is_not_there_is_said(server: WeightsServer, tmp_path: Path) -> None:
    server.files.clear()
    assert f"{server.url}/mirror/nets/{GIVEN.file} answers with status 404" in (
        refused(tmp_path / "weights").what
    )
    assert len(server.asked) == 1, "asking again does not help"


def test_what_cannot_be_reached_is_said(
    server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, "http://127.0.0.1:9/mirror")
    assert "http://127.0.0.1:9/mirror/nets/net_notop.h5 cannot be read" in (
        refused(tmp_path / "weights").what
    )
    monkeypatch.setenv(MIRROR, "mirror")
    with pytest.raises(UserError, match="expected an address") as caught:
        fetched(GIVEN, tmp_path / "weights")
    assert f"unset {MIRROR}" in caught.value.fix
    monkeypatch.setenv(MIRROR, f"{server.url}/mirror")
    assert fetched(GIVEN, tmp_path / "weights").read_bytes() == CONTENT


def test_a_download_that_breaks_off_is_continued(server: WeightsServer, tmp_path: Path) -> None:
    server.cuts = [700_000]
    assert fetched(GIVEN, tmp_path / "weights").read_bytes() == CONTENT
    begins = [begin for _, begin in server.asked]
    assert begins == ["", f"bytes={700_000 // 65_536 * 65_536}-"]


def test_a_download_that_cannot_go_on_begins_anew(server: WeightsServer, tmp_path: Path) -> None:
    server.cuts, server.ranges = [700_000], False
    assert fetched(GIVEN, tmp_path / "weights").read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_file_that_changes_amid_a_download_is_not_mixed(
    server: WeightsServer, tmp_path: Path
) -> None:
    address = f"/mirror/nets/{GIVEN.file}"
    server.files[address] = bytes(len(CONTENT))
    server.cuts = [700_000]
    asked = iter([None, CONTENT])

    class Changing(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            return next(asked) or super().__getitem__(key)

    server.files = Changing(server.files)
    assert fetched(UNHASHED, tmp_path / "weights").read_bytes() == CONTENT


def test_a_file_that_is_always_cut_is_refused(server: WeightsServer, tmp_path: Path) -> None:
    server.cuts, server.ranges = [700_000] * 3, False
    assert "cannot be read" in refused(tmp_path / "weights").what


def test_a_service_that_is_busy_is_asked_again(server: WeightsServer, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    assert fetched(GIVEN, tmp_path / "weights").read_bytes() == CONTENT


# as a configuration asks for them ---------------------------------------------------------------


def written(folder: Path, text: str = CONFIG) -> Path:
    data = folder / "data" / "one"
    data.mkdir(parents=True, exist_ok=True)
    (data / "image.png").write_bytes(b"listed, not read")
    path = folder / "own.yaml"
    path.write_text(text)
    return path


def test_the_weights_are_a_source_of_the_graph(server: WeightsServer, tmp_path: Path) -> None:
    graph = graph_of(load(written(tmp_path)))
    source = listed_sources(graph)[WEIGHTS]
    assert [(file.name, file.sha256) for file in source.files] == [
        (FILE, hashlib.sha256(CONTENT).hexdigest())
    ]
    (tmp_path / FILE).write_bytes(CONTENT)
    assert snapshot_model(str(tmp_path / FILE)).digest == source.digest
    listed_sources(graph)
    assert len(server.asked) == 1


def test_the_fix_of_a_closed_network_works(server: WeightsServer, tmp_path: Path) -> None:
    content = server.files.pop(f"/mirror/mobilenet_v2/{FILE}")
    path = written(tmp_path)
    with pytest.raises(UserError, match="status 404") as caught:
        listed_sources(graph_of(load(path)))
    edit = re.search(r"weights: \./\S+", caught.value.fix)
    assert edit
    (tmp_path / FILE).write_bytes(content)
    path.write_text(CONFIG.replace("weights: imagenet", edit[0]))
    source = listed_sources(graph_of(load(path)))[WEIGHTS]
    assert source.files[0].sha256 == hashlib.sha256(content).hexdigest()


def test_the_other_fix_of_a_closed_network_works(
    server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = f"{server.url}/mirror"
    monkeypatch.setenv(MIRROR, "http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        listed_sources(graph_of(load(written(tmp_path))))
    variable = re.search(r"set (\w+) to a mirror of (\S+)", caught.value.fix)
    assert variable
    monkeypatch.setenv(variable[1], good)
    assert WEIGHTS in listed_sources(graph_of(load(written(tmp_path))))
    address = imagenet.published(FILE).address
    assert address.startswith(variable[2]), "a mirror has the folders of the original"


def test_pods_get_the_weights_from_a_bucket(server: WeightsServer, tmp_path: Path) -> None:
    kubeflow = "kubeflow: {pipeline_root: gs://bucket/runs, images: registry.local/x}\n"
    config = load(written(tmp_path, CONFIG.replace("./data", "gs://bucket/data") + kubeflow))
    with pytest.raises(UserError, match="pods cannot read") as caught:
        check(config, graph_of(config))
    command, _, edit = caught.value.fix.partition(", then write ")
    path = Path(command.split()[4])
    assert path.read_bytes() == CONTENT
    assert edit == f"teacher.weights: gs://bucket/runs/uploads/{FILE}"


FAULTS = {
    "backbone": ("backbone: mobilenet_v2, alpha: 0.35", "backbone: conv", "not for conv"),
    "alpha": ("alpha: 0.35", "alpha: 0.4", r"alpha 0\.35, 0\.5, .* \(got 0\.4\)"),
    "size": ("{height: 96, width: 96}", "{height: 28, width: 64}", "image is 28 x 64"),
    "mean": ("epochs: 1", "epochs: 1, mean: 0", "mean is 0"),
    "scale": ("epochs: 1", "epochs: 1, scale: 255", "scale is 255"),
}


def test_a_real_net_begins_with_what_was_downloaded(server: WeightsServer, tmp_path: Path) -> None:
    configure(2, 0)
    original = tf_keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(96, 96, 3), alpha=0.35
    )
    original.save_weights(tmp_path / FILE)  # the form of what is published
    server.files[f"/mirror/mobilenet_v2/{FILE}"] = (tmp_path / FILE).read_bytes()
    config = load(written(tmp_path))
    stage(listed_sources(graph_of(config))[WEIGHTS], tmp_path / "source")
    assert isinstance(config.teacher, TrainedTeacher)
    info = ModelInfo("classification", ImageInput(96, 96, 3), Scores(("one", "two")), parameters=0)
    network = build(config.teacher.network, info)
    note = pretrained.load(network, tmp_path / "source")
    sha256 = hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    assert note == f"backbone from {FILE} (sha256 {sha256[:12]})"
    images = np.random.default_rng(0).normal(size=(1, 96, 96, 3)).astype(np.float32)
    pooled = tf_keras.Model(network.inputs, network.get_layer("pool").output)(images)
    np.testing.assert_allclose(pooled, original(images).numpy().mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_weights_do_not_fit_is_said_and_the_fix_works(name: str, tmp_path: Path) -> None:
    old, new, what = FAULTS[name]
    text = CONFIG.replace(old, new)
    with pytest.raises(UserError, match=what) as caught:
        load(written(tmp_path, text))
    edit = re.match(r"write (\w+): ({.*?}|\S+?),? or ", caught.value.fix)
    assert edit, caught.value.fix
    key, value = edit.groups()
    fixed = re.sub(rf"\b{key}: ({{.*?}}|[\w.]+)", f"{key}: {value}", text)
    assert fixed != text
    load(written(tmp_path, fixed))
    assert "or leave" in caught.value.fix
