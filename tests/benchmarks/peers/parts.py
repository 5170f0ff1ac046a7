"""The parts of the comparison: each is made and measured for itself, and its result is kept."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.contract.digests import digest, file_sha256
from components.contract.errors import UserError
from components.devices.fingerprint import fingerprint
from docs.peer_results import PARTS, PUBLISHED, RESULTS, SLIMLINE, MeasuredFile, PartResult
from pipelines.runs.ledger import open_sealed
from tests.benchmarks.peers import inputs as peer_inputs
from tests.benchmarks.peers import run_of_slimline
from tests.benchmarks.peers.catalog import PEERS, Peer
from tests.benchmarks.peers.environments import Environment, PeerFailedError, environment, run
from tests.benchmarks.peers.inputs import Inputs
from tests.benchmarks.peers.measuring import Made, lite_folder, measure_lite, measure_onnx
from tests.benchmarks.peers.places import Places
from tests.benchmarks.peers.run_of_slimline import SlimlineRun

ROOT = Path(__file__).parents[3]
_MEASURING = (
    Path(__file__).with_name("measuring.py"), Path(__file__).with_name("environments.py"),
)  # fmt: skip
_ONLY_SLIMLINE = f"make peers ONLY={SLIMLINE} DATA=DIR"


@dataclass(frozen=True)
class Bench:
    """Where the comparison is made.

    Attributes:
        folder: Of everything that is kept.
        places: Where data and model are.
        store: Where slimline's run is kept.
        environments: Of the other tools; of a trial, too, so that nothing is installed twice.
        steps: Of each training, for a short trial; None for the whole.
        tell: Takes what is going on.
    """

    folder: Path
    places: Places
    store: Path
    environments: Path
    steps: int | None
    tell: Callable[[str], None]

    @property
    def config(self) -> Path:
        """The configuration that slimline runs."""
        return run_of_slimline.configured(self.places, self.steps, self.store, self.folder)

    def result_folder(self, part: str) -> Path:
        """Where the result of a part is kept."""
        return self.folder / RESULTS / part

    def result(self, part: str, key: str, **more: Any) -> PartResult:
        """Return a result of a part, made here and now."""
        cpu = fingerprint().get("cpu", platform.machine())
        today = datetime.now(UTC).date().isoformat()
        given = {"error": "", **more}
        return PartResult(
            part=part,
            title=PARTS[part],
            key=key,
            steps=self.steps,
            date=today,
            machine=cpu,
            **given,
        )


def make(bench: Bench, part: str) -> PartResult:
    """Make and measure a part, or return the result that is kept of the same.

    A part that failed is tried again.

    Raises:
        UserError: slimline's own part failed, or was not made yet.
    """
    if part == SLIMLINE:
        return _slimline(bench)
    given = peer_inputs.read(bench.folder / "inputs")
    if given is None:
        raise UserError(
            f"{part} takes teacher, student and splits of slimline's own part, which is not done",
            _ONLY_SLIMLINE,
        )
    if part == PUBLISHED:
        return _published(bench, given)
    return _peer(bench, next(peer for peer in PEERS if peer.name == part), given)


def _kept(bench: Bench, part: str, key: str) -> PartResult | None:
    """Return the result that is there, where it is of the same and no failure."""
    kept = PartResult.kept(bench.result_folder(part))
    if kept is None or kept.key != key or kept.error:
        return None
    bench.tell(f"{part}: kept of {kept.date}")
    return kept


def _slimline(bench: Bench) -> PartResult:
    began = time.monotonic()
    bench.tell(f"{SLIMLINE}: {bench.config}")
    ran = run_of_slimline.launched(bench.config, bench.folder / "release")
    made_s = time.monotonic() - began
    given = peer_inputs.prepare(ran, bench.folder / "inputs")
    variants = [(one.name, one.sha256) for one in ran.variants]
    key = digest("peers", [SLIMLINE, variants, given.digest, *map(file_sha256, _MEASURING)])
    if kept := _kept(bench, SLIMLINE, key):
        return kept
    sealed = ran.record.steps["ingest"]["outputs"]["sealed"]
    open_sealed(ran.cache.store, sealed, ran.record.run, "peers")
    files = [_variant(bench, ran, one.name, given) for one in ran.variants]
    result = bench.result(SLIMLINE, key, made_s=made_s, files=tuple(files))
    return _keep(bench, result)


def _variant(bench: Bench, ran: SlimlineRun, name: str, given: Inputs) -> MeasuredFile:
    """Measure a variant of the run on the test images, which only its winner has seen so far."""
    bench.tell(f"{SLIMLINE}: {name} is measured")
    folder = bench.result_folder(SLIMLINE)
    lite = ran.stage(f"convert-{name}", "lite", _emptied(folder / "files" / name))
    told = next(one for one in ran.variants if one.name == name)
    return measure_lite(
        name, lite, given.sealed, _emptied(folder / f"evaluation-{name}"),
        winner=told.verdict == "winner", on_front=told.on_front and told.candidate,
    )  # fmt: skip


def _published(bench: Bench, given: Inputs) -> PartResult:
    sources = (bench.places.int8, *_MEASURING)
    key = digest("peers", [PUBLISHED, given.digest, *map(file_sha256, sources)])
    if kept := _kept(bench, PUBLISHED, key):
        return kept
    made = Made("their int8 file", bench.places.int8, given.model("teacher"))
    return _measured(bench, bench.result(PUBLISHED, key), [made], given, None)


def _peer(bench: Bench, peer: Peer, given: Inputs) -> PartResult:
    sources = map(file_sha256, (*peer.sources, *_MEASURING))
    key = digest("peers", [peer.name, peer.requirements, bench.steps, given.digest, *sources])
    if kept := _kept(bench, peer.name, key):
        return kept
    folder = bench.result_folder(peer.name)
    result = bench.result(peer.name, key)
    log = _emptied(folder / "log.txt")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        bench.tell(f"{peer.name}: {', '.join(peer.requirements)} are installed")
        installed = environment(bench.environments, peer.requirements)
        versions = {name: installed.versions[name] for name in peer.told}
        result = replace(result, install_s=installed.install_s, versions=versions)
        began = time.monotonic()
        bench.tell(f"{peer.name}: {peer.program} runs")
        made = _program(bench, peer, installed, given, log)
        result = replace(result, made_s=time.monotonic() - began)
    except PeerFailedError as error:
        bench.tell(f"{peer.name}: {error}")
        return _keep(bench, replace(result, error=str(error)))
    return _measured(bench, result, made, given, installed)


def _program(
    bench: Bench, peer: Peer, installed: Environment, given: Inputs, log: Path
) -> list[Made]:
    """Run the program of a peer and return the files that it made."""
    output = _emptied(bench.result_folder(peer.name) / "files")
    program = str(peer.sources[0])
    trial = () if bench.steps is None else ("--steps", str(bench.steps))
    places = ("--inputs", str(given.folder), "--output", str(output))
    run([str(installed.python), program, *places, *trial], log)
    listed = json.loads((output / "made.json").read_bytes())["files"]
    return [
        Made(f"{one['model']}, {one['kind']}", output / one["file"], given.model(one["model"]),
             _note(one))
        for one in listed
    ]  # fmt: skip


def _note(told: dict[str, Any]) -> str:
    if "steps" not in told:
        return ""
    return f"{told['steps']:,} steps of {told['step_s']:.3f} s"


def _measured(
    bench: Bench, result: PartResult, made: list[Made], given: Inputs,
    installed: Environment | None,
) -> PartResult:  # fmt: skip
    """Measure the files of a part. One that the runtime does not take is listed with the reason."""
    folder = bench.result_folder(result.part)
    files: list[MeasuredFile] = []
    for one in made:
        bench.tell(f"{result.part}: {one.file.name} is measured")
        slug = one.file.name.replace(".", "-")
        evaluation = _emptied(folder / f"evaluation-{slug}")
        try:
            if one.file.suffix == ".tflite":
                lite = lite_folder(one, given.classes, folder / f"lite-{slug}")
                found = measure_lite(one.name, lite, given.sealed, evaluation, note=one.note)
            else:
                assert installed, "an ONNX file comes from an environment"
                log = folder / "log.txt"
                found = measure_onnx(one, given.sealed, evaluation, installed, log)
        except PeerFailedError as error:
            size = one.file.stat().st_size
            found = MeasuredFile(
                one.name, "", size, size, None, None, "crashed", str(error), note=one.note
            )
        files.append(found)
    return _keep(bench, replace(result, files=tuple(files)))


def _keep(bench: Bench, result: PartResult) -> PartResult:
    result.keep(bench.result_folder(result.part))
    return result


def _emptied(path: Path) -> Path:
    """Return a path where nothing lies any more."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path
