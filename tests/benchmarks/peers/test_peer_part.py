"""A tool's part: its files are measured as ours, its result is kept, its failure is a result."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.evaluation import Evaluation
from components.contract.errors import UserError
from components.devices.timing_plan import TimingPlan
from docs.peer_results import PartResult
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.catalog import PEERS, Peer
from tests.benchmarks.peers.conftest import Installing
from tests.benchmarks.peers.environments import Environment, PeerFailedError
from tests.benchmarks.peers.inputs import Inputs
from tests.benchmarks.peers.measuring import Made, Timer, lite_folder
from tests.benchmarks.peers.onnx_measuring import measure_onnx
from tests.benchmarks.peers.parts import make
from tests.benchmarks.peers.peer_part import make_peer
from tests.benchmarks.peers.places import Places
from tests.benchmarks.peers.stand_ins import (
    CLASSES,
    lite_file,
    weights,
    write_inputs,
    write_onnx_python,
    write_program,
)
from tests.data import patterns

QUICK = Timer(TimingPlan(processes=1, blocks=2, block_ms=1.0, warm_up_ms=1.0), (0.0,))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


def bench_in(folder: Path, installing: Installing) -> Bench:
    nowhere = Places(folder, folder, folder)
    said: list[str] = []
    return Bench(folder, nowhere, folder, installing.root, None, said.append, QUICK)


def peer_in(folder: Path, installing: Installing) -> Peer:
    """A tool that is one wheel, and whose program leaves a sound file and one that does not load."""
    files = {"sound.tflite": lite_file(), "broken.tflite": b"no file of LiteRT"}
    program = write_program(folder / "program" / "tool.py", files)
    return Peer("nncf", str(program), installing.requirements, ("standin",))


@dataclass(frozen=True)
class Ran:
    """A part that was made and measured."""

    bench: Bench
    peer: Peer
    result: PartResult


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, installing: Installing, given: Inputs) -> Ran:
    folder = tmp_path_factory.mktemp("ran")
    bench, peer = bench_in(folder, installing), peer_in(folder, installing)
    return Ran(bench, peer, make_peer(bench, peer, given))


def test_files_are_measured_and_one_that_does_not_load_is_listed(ran: Ran) -> None:
    sound, broken = ran.result.files
    assert not ran.result.error
    assert ran.result.versions == {"standin": "1.0"}
    assert (sound.name, sound.note) == ("teacher, sound", "7 steps of 0.500 s")
    assert sound.size_bytes == len(lite_file())
    images, labels = patterns.images_of(60, seed=9)
    pixels = (images.reshape(60, -1).astype(np.float32) - 127.5) / 127.5
    right = (pixels @ weights().T.astype(np.float32)).argmax(axis=1) == labels
    assert sound.accuracy
    assert sound.accuracy.value == pytest.approx(right.mean())
    assert sound.p50_ms
    assert "does not load broken.tflite" in broken.failure


def test_what_is_kept_is_made_again_only_where_it_is_of_something_else(
    ran: Ran, given: Inputs
) -> None:
    bench, peer, first = ran.bench, ran.peer, ran.result
    place = bench.result_folder("nncf")
    marked = replace(first, made_s=-1.0)
    marked.keep(place)
    assert make_peer(bench, peer, given) == marked, "kept"
    made = place / "files" / "made.json"
    written = made.stat().st_mtime_ns
    replace(marked, key="measured by other code").keep(place)
    again = make_peer(bench, peer, given)
    assert (again.key, made.stat().st_mtime_ns) == (first.key, written), "measured, not made again"
    assert PartResult.read(place) == again
    trial = make_peer(replace(bench, steps=3), peer, replace(given, digest="e" * 64))
    assert trial.files[0].note == "3 steps of 0.500 s"
    assert len({trial.key, first.key}) == 2


def test_a_tool_that_fails_has_a_result_and_is_tried_again(
    tmp_path: Path, installing: Installing, given: Inputs
) -> None:
    bench, peer = bench_in(tmp_path, installing), peer_in(tmp_path, installing)
    place = bench.result_folder("nncf")
    absent = replace(peer, requirements=("--no-index", "no-such-tool==1.0"))
    error = make_peer(bench, absent, given).error
    assert error.startswith("pip install ended with code 1: ")
    assert "No matching distribution found for no-such-tool==1.0" in error
    assert not (place / "files").exists()
    program = Path(peer.program)
    whole = program.read_text()
    program.write_text(f"{whole}\nraise SystemExit('out of memory')")
    failed = make_peer(bench, peer, given)
    assert failed.error == "tool.py ended with code 1: out of memory"
    assert PartResult.read(place) == failed
    (place / "files" / "left-over").touch()  # what it had written does not count
    program.write_text(whole)
    assert make_peer(bench, peer, given).files[0].accuracy
    assert not (place / "files" / "left-over").exists()


def test_an_onnx_file_is_measured_by_the_same_code(tmp_path: Path, given: Inputs) -> None:
    with (tmp_path / "model.onnx").open("wb") as file:
        np.save(file, weights().astype(np.float32))
    python = write_onnx_python(tmp_path / "python")
    environment = Environment(python, {"onnxruntime": "1.0"}, 0.0)
    made = Made("teacher, int8", tmp_path / "model.onnx", given.model("teacher"))
    log = tmp_path / "log.txt"
    found = measure_onnx(made, given.sealed, tmp_path / "evaluation", environment, QUICK, log)
    lite = tmp_path / "model.tflite"
    lite.write_bytes(lite_file())
    folder = lite_folder(replace(made, file=lite), CLASSES, tmp_path / "lite")
    assert found.runtime == "ONNX Runtime 1.0"
    assert found.accuracy
    assert found.accuracy.value == pytest.approx(
        np.mean(_answers(folder, given).argmax(axis=1) == patterns.images_of(60, seed=9)[1])
    )
    assert Evaluation.read(tmp_path / "evaluation").n_images == 60
    assert found.p50_ms
    made.file.write_bytes(b"damaged")
    with pytest.raises(PeerFailedError, match=r"onnx_probe.py ended with code 1"):
        measure_onnx(made, given.sealed, tmp_path / "evaluation", environment, QUICK, log)


def _answers(folder: Path, given: Inputs) -> np.ndarray:
    from components.artifacts.dataset import Dataset
    from components.devices.interpreter import LiteModel

    return LiteModel.open(folder).scores(np.asarray(Dataset.open(given.sealed).images("sealed")))


def test_a_file_of_another_shape_is_refused(tmp_path: Path, given: Inputs) -> None:
    (tmp_path / "model.tflite").write_bytes(lite_file())
    made = Made("teacher, int8", tmp_path / "model.tflite", given.model("teacher"))
    with pytest.raises(PeerFailedError, match=r"takes \[1, 8, 8, 1\] and answers \[1, 4\]"):
        lite_folder(made, CLASSES[:2], tmp_path / "lite")


def test_other_parts_ask_for_slimlines_first(tmp_path: Path, installing: Installing) -> None:
    bench = bench_in(tmp_path, installing)
    for part in ("mlperf-int8", *(one.name for one in PEERS)):
        with pytest.raises(UserError, match=r"not done\n.*make peers ONLY=slimline"):
            make(bench, part)
    write_inputs(bench.folder / "inputs")  # what the fix leaves
    (bench.folder / "theirs.tflite").write_bytes(lite_file())
    places = replace(bench.places, int8=bench.folder / "theirs.tflite")
    assert make(replace(bench, places=places), "mlperf-int8").files[0].accuracy
