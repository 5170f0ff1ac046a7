"""Runner device: a board or a phone on which the user's ``benchmark_model`` times models.

It gives summaries and no samples, so what counts are the medians of many fresh processes.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from components.artifacts.measurement import Crash, Process
from components.artifacts.operators import OperatorTimes
from components.artifacts.runner_summary import RunnerSummary
from components.contract.errors import UserError
from components.devices.device import Installed, LostError, Seen
from components.devices.power import PowerMeter
from components.devices.probing import check_time
from components.devices.remote.cores import cores_for
from components.devices.remote.device import RemoteDevice
from components.devices.remote.runner.architecture import check_architecture
from components.devices.remote.runner.delegation import Computed, computed_in
from components.devices.remote.runner.looking import RunnerSight, look_for_runner
from components.devices.remote.runner.operator_table import operators_in
from components.devices.remote.runner.printed import MICROSECOND_MS, Printed, printed_in
from components.devices.remote.runner.program import NAME, RUNS, RunnerProgram
from components.devices.remote.runner.result_file import numbers_in
from components.devices.remote.runner.running import (
    RunnerOutput,
    RunnerPlace,
    bring,
    help_of,
    run_runner,
)
from components.devices.remote.settings import RemoteSettings
from components.devices.remote.shell import Shell
from components.devices.timing_plan import TimingPlan

_KB, _MB = 1024, 1024 * 1024
_OF_FILE = {
    "num_runs": "runs",
    "num_warmup_runs": "warmups",
    "avg_ms": "mean_ms",
    "stddev_ms": "std_ms",
    "init_ms": "load_ms",
    "first_inference_ms": "first_ms",
}


class RunnerDevice(RemoteDevice):
    """A device behind a shell, with a program of the user's that measures there.

    Args:
        kind: As in the configuration.
        name: There, too.
        shell: The way to it.
        settings: What it measures with.
        runner: The program's file here.
        operators: Whether it is to time operators, too.
        transport: How it is reached, for people.
        address: Where it is: stands in for a serial number where it knows none.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        shell: Shell,
        settings: RemoteSettings,
        runner: Path,
        *,
        operators: bool = False,
        transport: str,
        address: str,
    ) -> None:
        super().__init__(kind, name, shell, settings, transport=transport, address=address)
        self._runner, self._profiled = runner, operators
        self._looked: RunnerSight | None = None
        self._program: RunnerProgram | None = None

    @property
    def accelerator(self) -> str:
        """What is to compute."""
        return self._settings.accelerator

    def check(self, plan: TimingPlan) -> None:
        """Refuse a plan that cannot be kept.

        Raises:
            UserError: More threads than cores, or a plan longer than its limit.
        """
        check_time(plan)
        self._cores(plan)

    def look(self) -> Seen:
        """Contact it and say what it is; changes nothing on it.

        Raises:
            UserError: It cannot be reached, or is not what the runner was built for.
        """
        self._looked = look_for_runner(
            self._shell, self._settings, transport=self._transport, address=self._address
        )
        if self._settings.libraries and not self._looked.libraries:
            raise UserError(
                f"{self.name} has no *.so files in {self._settings.libraries}",
                f"put the libraries of the runner there, or remove libraries from {self.name}",
            )
        if self._runner.is_file():  # in a bucket it is looked at later
            check_architecture(self._runner, self._looked.seen.fingerprint["arch"], self.name)
        return self._looked.seen

    def install(self) -> Installed:
        """Bring the runner there, unless it is there, and read its help.

        Raises:
            UserError: It cannot be executed there, or is none that can measure this.
        """
        start, sha256 = time.monotonic(), self._sha256()
        check_architecture(self._runner, self._sees().seen.fingerprint["arch"], self.name)
        sent = bring(self._shell, self.name, self._runner, sha256, self._path())
        told = help_of(self._shell, self.name, self._path(), self._libraries())
        self._program = RunnerProgram.of_help(
            told, self.name, self._settings.accelerator, profiled=self._profiled
        )
        return Installed("runner", self._program.kind, sha256, sent, time.monotonic() - start)

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        """Time a ``.tflite`` in one fresh process there, or say how that process died.

        Its folder goes with it. A process in which something else than what was asked for computed
        is refused as one that the runtime refuses.

        Raises:
            UserError: It prints no result, or does not say who computed.
            LostError: The device went away.
        """
        del seed  # the program draws its own inputs
        ran = self._run(model, plan, profiled=False)
        if isinstance(ran, Crash):
            return ran
        computed = computed_in(ran.text, self._settings.accelerator)
        if fault := self._fallback(computed, ran.text):
            return fault
        return self._process(ran, computed, self._cores(plan) or ())

    def operators(self, model: Path, plan: TimingPlan, p50_ms: float | None) -> OperatorTimes:
        """Return what the operators take, in a process that tells nothing else.

        Raises:
            LostError: The device went away.
        """
        ran = self._run(model, plan, profiled=True)
        kind = self._kind().kind
        if isinstance(ran, Crash):
            return OperatorTimes(
                f"benchmark_model ({kind}) with its profiler",
                why_not=f"that process ended with {ran.cause}",
            )
        printed = printed_in(ran.text)
        runs = int(printed.values["runs"]) if printed else RUNS
        return operators_in(ran.text, kind, runs, p50_ms)

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        """Return nothing: a runner runs no reference loop."""
        del cores, found_ms
        return None

    def meter(self) -> PowerMeter | str:
        """Return why no energy is measured: that is done around slimline's own probe."""
        return "not available: energy is measured around slimline's own probe, not around a runner"

    def _run(self, model: Path, plan: TimingPlan, *, profiled: bool) -> RunnerOutput | Crash:
        self._keep(plan.limit_s)
        folder = f"{self._folder()}/run-{secrets.token_hex(6)}"
        cores = self._cores(plan)
        place = RunnerPlace(
            folder=folder,
            program=self._path(),
            sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
            boot_id=self._sees().boot_id,
            mask=f"{sum(1 << core for core in cores):x}" if cores else "",
            libraries=self._libraries(),
        )
        arguments = self._kind().arguments(
            f"{folder}/model.tflite",
            f"{folder}/result",
            plan,
            self._settings.accelerator,
            libraries=self._settings.libraries,
            profiled=profiled,
        )
        try:
            self._shell.push(model, f"{folder}/model.tflite")
            return run_runner(self._shell, self.name, place, arguments, plan.limit_s)
        except BaseException:
            with suppress(LostError, UserError):
                self._shell.run('rm -rf "$1"', folder)
            raise

    def _fallback(self, computed: Computed, text: str) -> Crash | None:
        """Return what is said of a model that something else computed; None if nothing else did.

        Raises:
            UserError: The program does not say who computed.
        """
        asked = self._settings.accelerator
        if computed.got is None:
            raise UserError(
                f"the runner of {self.name} does not say whether the {asked} computed",
                "take a benchmark_model that prints which delegate replaced how many nodes: on "
                "Android each does; elsewhere, TensorFlow Lite's does",
            )
        if computed.got == asked and computed.whole:
            return None
        name = f"not all of it ran on the {asked}: {computed.evidence}"
        return Crash(None, name, text[-2000:])

    def _process(self, ran: RunnerOutput, computed: Computed, cores: tuple[int, ...]) -> Process:
        printed = self._numbers(ran)
        told = printed.values
        assert computed.got is not None
        return Process(
            load_ms=told["load_ms"],
            first_ms=told["first_ms"],
            warmups=int(told.get("warmups", 0)),
            warmups_ms=(),
            samples_ms=(),
            blocks=(),
            machine={},
            baseline_memory_bytes=None,
            peak_memory_bytes=None,
            peak_was_reset=False,
            delegate_partitions=None,
            imported=(),
            python="",
            cores=cores,
            runner=RunnerSummary(
                program=self._kind().kind,
                runs=int(told["runs"]),
                mean_ms=told["mean_ms"],
                median_ms=told.get("median_ms"),
                p5_ms=told.get("p5_ms"),
                p95_ms=told.get("p95_ms"),
                min_ms=told.get("min_ms", told["mean_ms"]),
                max_ms=told.get("max_ms", told["mean_ms"]),
                std_ms=told.get("std_ms", 0.0),
                resolution_ms=printed.resolution_ms,
                footprint_bytes=_footprint(told),
                accelerator=computed.got,
                evidence=computed.evidence,
            ),
        )

    def _numbers(self, ran: RunnerOutput) -> Printed:
        """Return the result of a process: of its file where it wrote one, and what it printed.

        Raises:
            UserError: There is none, or the file is damaged.
        """
        printed = printed_in(ran.text)
        if ran.result:
            try:
                told = numbers_in(ran.result)
            except ValueError as error:
                raise UserError(
                    f"the runner of {self.name} wrote a file of results that is damaged: {error}",
                    f"check the room on the disk of {self.name}, and run again",
                ) from None
            if told.get("num_runs") and told.get("avg_ms"):
                values = {_OF_FILE.get(name, name): value for name, value in told.items()}
                return Printed({**(printed.values if printed else {}), **values}, MICROSECOND_MS)
        if printed is None or not {"load_ms", "first_ms"} <= printed.values.keys():
            last = next((line for line in reversed(ran.text.splitlines()) if line.strip()), "")
            raise UserError(
                f"the runner of {self.name} ended without a result"
                + (f"; its last line is {last[:80]!r}" if last else " and printed nothing"),
                f"run {self._path()} on {self.name} by hand with a model, and see what it says",
            )
        return printed

    def _cores(self, plan: TimingPlan) -> tuple[int, ...] | None:
        there = self._sees().cores
        if not there and self._settings.cores in ("big", "little", "any"):
            return None  # it does not say which there are
        return cores_for(self._settings.cores, there, plan.threads, self.name)

    def _path(self) -> str:
        return f"{self._folder()}/runner-{self._sha256()[:16]}/{NAME}"

    def _sha256(self) -> str:
        return hashlib.sha256(self._runner.read_bytes()).hexdigest()

    def _libraries(self) -> str:
        return self._settings.libraries or ""

    def _folder(self) -> str:
        return self._sees().folder

    def _sees(self) -> RunnerSight:
        if self._looked is None:
            self.look()
        assert self._looked is not None
        return self._looked

    def _kind(self) -> RunnerProgram:
        assert self._program is not None, "it is installed before"
        return self._program


def _footprint(told: Mapping[str, float]) -> int | None:
    """Return by how much memory grew, in bytes."""
    if "overall_footprint_kb" in told:
        return int(told["overall_footprint_kb"] * _KB)
    return int(told["footprint_mb"] * _MB) if "footprint_mb" in told else None
