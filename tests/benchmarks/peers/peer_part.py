"""The part of another tool: it is installed, its program runs, and its files are measured."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.contract.digests import digest, file_sha256
from docs.peer_results import MeasuredFile, PartResult
from tests.benchmarks.peers.bench import MEASURING, Bench, emptied, keep, kept_result
from tests.benchmarks.peers.catalog import Peer
from tests.benchmarks.peers.environments import Environment, PeerFailedError, environment, run
from tests.benchmarks.peers.inputs import Inputs
from tests.benchmarks.peers.measuring import Made, lite_folder, measure_lite
from tests.benchmarks.peers.onnx_measuring import measure_onnx

_LOG = "log.txt"


def make_peer(bench: Bench, peer: Peer, given: Inputs) -> PartResult:
    """Make and measure the files of a tool, or return the result that is kept of the same.

    What it made is kept apart from how that was measured, as trainings take long.
    """
    made_from = digest(
        "peers", [peer.name, peer.requirements, bench.steps, given.digest,
                  *map(file_sha256, peer.sources)],
    )  # fmt: skip
    key = digest("peers", [made_from, *map(file_sha256, MEASURING)])
    if kept := kept_result(bench, peer.name, key):
        return kept
    result, folder = bench.result(peer.name, key), bench.result_folder(peer.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        bench.tell(f"{peer.name}: {', '.join(peer.requirements)} are installed")
        installed = environment(bench.environments, peer.requirements)
        versions = {name: installed.versions[name] for name in peer.told}
        result = replace(result, install_s=installed.install_s, versions=versions)
        output = folder / "files"
        made_s = _run_program(bench, peer, installed, given, made_from, output)
        result = replace(result, made_s=made_s)
    except PeerFailedError as error:
        bench.tell(f"{peer.name}: {error}")
        return keep(bench, replace(result, error=str(error)))
    return measured(bench, result, _listed(output, given), given, installed)


def _run_program(
    bench: Bench, peer: Peer, installed: Environment, given: Inputs, made_from: str, output: Path
) -> float:
    """Run the program of a peer, unless its files are there, and return the seconds it took."""
    ended = output / "ended.json"
    if ended.is_file():
        told = json.loads(ended.read_bytes())
        if told["made_from"] == made_from:
            return told["made_s"]
    bench.tell(f"{peer.name}: {peer.program} runs")
    emptied(output)
    began = time.monotonic()
    trial = () if bench.steps is None else ("--steps", str(bench.steps))
    places = ("--inputs", str(given.folder), "--output", str(output))
    program = str(peer.sources[0])
    log = bench.result_folder(peer.name) / _LOG
    run([str(installed.python), program, *places, *trial], log)
    made_s = time.monotonic() - began
    ended.write_text(json.dumps({"made_from": made_from, "made_s": made_s}))
    return made_s


def _listed(output: Path, given: Inputs) -> list[Made]:
    """Return the files that a program says it made."""
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


def measured(
    bench: Bench, result: PartResult, made: list[Made], given: Inputs,
    installed: Environment | None,
) -> PartResult:  # fmt: skip
    """Measure the files of a part. One that the runtime does not take is listed with the reason."""
    folder = bench.result_folder(result.part)
    files: list[MeasuredFile] = []
    for one in made:
        bench.tell(f"{result.part}: {one.file.name} is measured")
        slug = one.file.name.replace(".", "-")
        evaluation = emptied(folder / f"evaluation-{slug}")
        try:
            if one.file.suffix == ".tflite":
                lite = lite_folder(one, given.classes, folder / f"lite-{slug}")
                found = measure_lite(
                    one.name, lite, given.sealed, evaluation, bench.timer, note=one.note
                )
            else:
                assert installed, "an ONNX file comes from an environment"
                log = folder / _LOG
                found = measure_onnx(one, given.sealed, evaluation, installed, bench.timer, log)
        except PeerFailedError as error:
            size = one.file.stat().st_size
            found = MeasuredFile(
                one.name, "", size, size, None, None, "crashed", str(error), note=one.note
            )
        files.append(found)
    return keep(bench, replace(result, files=tuple(files)))
