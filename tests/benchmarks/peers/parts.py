"""The parts of the comparison: each is made and measured for itself, and its result is kept."""

from __future__ import annotations

import time

from components.contract.digests import digest, file_sha256
from components.contract.errors import UserError
from docs.peer_results import PUBLISHED, SLIMLINE, MeasuredFile, PartResult
from pipelines.runs.ledger import open_sealed
from tests.benchmarks.peers import inputs as peer_inputs
from tests.benchmarks.peers import run_of_slimline
from tests.benchmarks.peers.bench import MEASURING, Bench, emptied, keep, kept_result
from tests.benchmarks.peers.catalog import PEERS
from tests.benchmarks.peers.inputs import Inputs
from tests.benchmarks.peers.measuring import Made, measure_lite
from tests.benchmarks.peers.peer_part import make_peer, measured
from tests.benchmarks.peers.run_of_slimline import SlimlineRun

_ONLY_SLIMLINE = f"make peers ONLY={SLIMLINE} DATA=DIR"


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
    return make_peer(bench, next(peer for peer in PEERS if peer.name == part), given)


def _slimline(bench: Bench) -> PartResult:
    began = time.monotonic()
    bench.tell(f"{SLIMLINE}: {bench.config}")
    ran = run_of_slimline.launched(bench.config, bench.folder / "release")
    made_s = time.monotonic() - began
    given = peer_inputs.prepare(ran, bench.folder / "inputs")
    variants = [(one.name, one.sha256) for one in ran.variants]
    key = digest("peers", [SLIMLINE, variants, given.digest, *map(file_sha256, MEASURING)])
    if kept := kept_result(bench, SLIMLINE, key):
        return kept
    sealed = ran.record.steps["ingest"]["outputs"]["sealed"]
    open_sealed(ran.cache.store, sealed, ran.record.run, "peers")
    files = [_variant(bench, ran, one.name, given) for one in ran.variants]
    result = bench.result(SLIMLINE, key, made_s=made_s, files=tuple(files))
    return keep(bench, result)


def _variant(bench: Bench, ran: SlimlineRun, name: str, given: Inputs) -> MeasuredFile:
    """Measure a variant of the run on the test images, which only its winner has seen so far."""
    bench.tell(f"{SLIMLINE}: {name} is measured")
    folder = bench.result_folder(SLIMLINE)
    lite = ran.stage(f"convert-{name}", "lite", emptied(folder / "files" / name))
    told = next(one for one in ran.variants if one.name == name)
    return measure_lite(
        name, lite, given.sealed, emptied(folder / f"evaluation-{name}"), bench.timer,
        winner=told.verdict == "winner", on_front=told.on_front and told.candidate,
    )  # fmt: skip


def _published(bench: Bench, given: Inputs) -> PartResult:
    sources = (bench.places.int8, *MEASURING)
    key = digest("peers", [PUBLISHED, given.digest, *map(file_sha256, sources)])
    if kept := kept_result(bench, PUBLISHED, key):
        return kept
    made = Made("their int8 file", bench.places.int8, given.model("teacher"))
    return measured(bench, bench.result(PUBLISHED, key), [made], given, None)
