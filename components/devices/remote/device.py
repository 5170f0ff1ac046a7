"""Remote device: a board or a phone behind a shell, whatever that goes through."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.device import Installed, LostError, Seen, State
from components.devices.fingerprint import runtime_version
from components.devices.power import PowerMeter
from components.devices.probing import PROBE, check_time, probe_arguments
from components.devices.remote.best_loop import best_loop_ms
from components.devices.remote.bringing import RuntimeThere, bring_runtime
from components.devices.remote.cores import cores_for
from components.devices.remote.lock import DeviceLock, holder_here
from components.devices.remote.looking import Sight, look_at
from components.devices.remote.meter import meter_of
from components.devices.remote.raw_files import RawFiles
from components.devices.remote.settings import RemoteSettings
from components.devices.remote.shell import Shell
from components.devices.remote.states import SCRIPT, fault_of, is_hot, state_of, waited_s
from components.devices.remote.watched import ProbeFolder, run_watched
from components.devices.timing_plan import TimingPlan

if TYPE_CHECKING:
    # Sent and started there, so never imported: but a change of it has to change what is cached.
    from components.devices import probe as probe  # noqa: PLC0414 named, never used

_STATE_LIMIT_S = 30.0
_LEASE_S = 900.0  # on top of what a step may take
_LOOK_S = 0.3  # between two looks whether it is cool and quiet
_FRESH_S = 5.0  # a look is not repeated that is younger
_MOST_WAITED = 0.25  # of the time, for anything there for a processor
_QUIET_S = 3.0  # for a quiet moment
_COOL_S = 60.0  # to come down to the temperature of the first attempt
_WARMER_K = 3.0  # than then
_FOLDER = """\
case $1 in "~/"*) set -- "$HOME/${1#"~/"}"; esac
[ ! -d "$1" ] || printf %s "$1"
"""
_CLEANING = """\
cd "$1" && rm -rf site-* root-* runner-* run-* best.json*
"""
_LEAVING = """\
rmdir "$1/lock"
rmdir "$1"
"""


class RemoteDevice:
    """A device that is reached through a shell.

    Args:
        kind: As in the configuration.
        name: There, too.
        shell: The way to it.
        settings: What it measures with.
        transport: How it is reached, for people.
        address: Where it is: stands in for a serial number where it knows none.
        sysfs: Where its kernel shows sensors of energy.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        shell: Shell,
        settings: RemoteSettings,
        *,
        transport: str,
        address: str,
        sysfs: str = "/sys",
    ) -> None:
        self.kind, self.name = kind, name
        self._sysfs = sysfs
        self._shell, self._settings = shell, settings
        self._transport, self._address = transport, address
        self._sight: Sight | None = None
        self._looked_s = -_FRESH_S
        self._there: RuntimeThere | None = None
        self._first: State | None = None
        self._lock: DeviceLock | None = None

    @property
    def waits_s(self) -> tuple[float, ...]:
        """How long each of three attempts waits."""
        return (self._settings.cooldown_s,) * 3

    def check(self, plan: TimingPlan) -> None:
        """Refuse a plan that cannot be kept.

        Raises:
            UserError: More threads than cores, or a plan longer than its limit.
        """
        check_time(plan)
        cores_for(self._settings.cores, self._seen().cores, plan.threads, self.name)

    def look(self) -> Seen:
        """Contact it and say what it is; changes nothing on it.

        Who asks again within seconds gets the same answer: taking a device looks at it, too.

        Raises:
            UserError: It cannot be reached, or cannot run the runtime; says why.
        """
        now_s = time.monotonic()
        if self._sight is None or now_s - self._looked_s > _FRESH_S:
            self._sight = look_at(
                self._shell,
                self.name,
                self._settings,
                runtime_version(),
                transport=self._transport,
                address=self._address,
            )
            self._looked_s = now_s
        return self._sight.seen

    @contextmanager
    def take(self, wait_s: float) -> Generator[None]:
        """Have it for oneself alone, among all engines and machines.

        Raises:
            UserError: Somebody else has it, or it is in no state to measure.
            LostError: It went away.
        """
        folder = self._folder()
        with DeviceLock(self._shell, self.name, folder, holder_here(), wait_s=wait_s) as lock:
            if fault := fault_of(self.state()):
                raise UserError(f"{self.name} {fault[0]}: it would be slower than usual", fault[1])
            self._lock, self._first = lock, None
            try:
                yield
            finally:
                self._lock = None

    def install(self) -> Installed:
        """Bring the runtime there, unless it is there.

        Raises:
            UserError: It cannot be fetched, or cannot be loaded there.
        """
        installed, self._there = bring_runtime(
            self._shell, self.name, self._seen(), runtime_version()
        )
        return installed

    def settle(self, wait_s: float) -> bool:
        """Wait until it is cool and quiet, ``wait_s`` at most; False if it never was.

        The first attempt since it was taken begins without a quiet moment, too, where none comes
        soon: what else runs on a device may always run there.
        """
        self._keep(wait_s)
        first, quiet_s = self._first is None, min(_QUIET_S, wait_s)
        start = time.monotonic()
        while True:
            busy, state = self._look_around()
            waited = time.monotonic() - start
            warm = self._is_warmer(state) and waited < _COOL_S
            if not is_hot(state) and not warm:
                if not busy or (first and waited > quiet_s):
                    self._first = self._first or state
                    return True
                if waited > quiet_s:
                    return False
            if waited > wait_s:
                return False

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        """Time a ``.tflite`` in one fresh process there, or say how that process died.

        Its folder goes with it.

        Raises:
            UserError: There is no room for the model, or it was damaged there.
            LostError: The device went away.
        """
        sight, there = self._seen(), self._there
        assert there is not None, "it is installed before"
        self._keep(plan.limit_s)
        cores = cores_for(self._settings.cores, sight.cores, plan.threads, self.name)
        bound = ("--cores", ",".join(map(str, cores))) if cores else ()
        place = ProbeFolder(
            folder=f"{sight.folder}/run-{secrets.token_hex(6)}",
            site=there.site,
            python=there.python,
            shell=there.shell,
            sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
            boot_id=sight.boot_id,
        )
        try:
            self._shell.push(PROBE, f"{place.folder}/probe.py")
            self._shell.push(model, f"{place.folder}/model.tflite")
            arguments = (*probe_arguments(plan, seed), *bound)
            return run_watched(self._shell, self.name, place, arguments, plan.limit_s)
        except BaseException:
            with suppress(LostError, UserError):
                self._shell.run('rm -rf "$1"', place.folder)
            raise

    def state(self) -> State:
        """Return how it is at the moment."""
        return state_of(self._raw())

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        """Return the fastest reference loop on these cores since it was started.

        A process that was bound to none may run on any, fast or slow: nothing is known of it.
        """
        if not cores:
            return found_ms
        sight = self._seen()
        runs_on = f"{sight.python.path} on {','.join(map(str, cores))}"
        return best_loop_ms(self._shell, sight.folder, sight.boot_id, runs_on, found_ms)

    def meter(self) -> PowerMeter | str:
        """Return what measures the energy that it takes, or why nothing does.

        Raises:
            LostError: It went away.
        """
        assert self._there is not None, "it is installed before"
        return meter_of(self._shell, self._there, self._sysfs)

    def clean(self) -> None:
        """Remove all that was ever put there.

        Raises:
            UserError: Somebody measures there; or the folder holds something else, which stays.
            LostError: It went away.
        """
        folder = self._shell.run(_FOLDER, self._settings.dir).out.decode()
        if not folder:
            return
        with DeviceLock(self._shell, self.name, folder, holder_here()):
            self._shell.run(_CLEANING, folder)
        if self._shell.run(_LEAVING, folder).code:
            raise UserError(
                f"{self.name}: {self._settings.dir} holds files that are not ours, and stays",
                f"remove it there by hand, or set `dir` of {self.name} to a folder of its own",
            )

    def close(self) -> None:
        """End the connection."""
        self._shell.close()

    def _keep(self, for_s: float) -> None:
        """Keep others away for as long as the next step takes, and what goes with it."""
        if self._lock is not None and self._lock.left_s < for_s + _LEASE_S / 2:
            self._lock.renew(for_s + _LEASE_S)

    def _folder(self) -> str:
        """Return where is written to there, absolute."""
        return self._seen().folder

    def _seen(self) -> Sight:
        if self._sight is None:
            self.look()
        assert self._sight is not None
        return self._sight

    def _look_around(self) -> tuple[bool, State]:
        """Return whether anything there waits for a processor, and its state."""
        before, began = waited_s(self._raw()), time.monotonic()
        time.sleep(_LOOK_S)
        raw = self._raw()
        after, took_s = waited_s(raw), time.monotonic() - began
        if before is None or after is None:
            return False, state_of(raw)
        return after - before > _MOST_WAITED * took_s, state_of(raw)

    def _raw(self) -> RawFiles:
        return RawFiles.parse(self._shell.run(SCRIPT, limit_s=_STATE_LIMIT_S).out)

    def _is_warmer(self, state: State) -> bool:
        """Whether it is clearly warmer than when the first attempt began."""
        if self._first is None:
            return False
        was, now = self._first.get("temperature_c"), state.get("temperature_c")
        return isinstance(was, float) and isinstance(now, float) and now > was + _WARMER_K
