"""Running: a ``benchmark_model`` brought to a device, asked for its help, and run once.

It is watched as a probe is: what stands beside it ends it when our end of the connection closes.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.artifacts.measurement import Crash
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.isolated import crash_of
from components.devices.remote.shell import Shell, ShellAnswer

_NO_TASKSET, _NO_HASH, _DAMAGED, _RESTARTED = 95, 96, 97, 98
_NOT_EXECUTED, _NOT_FOUND, _SIGNALLED = 126, 127, 128
_HELP_LIMIT_S = 60.0
_SHORT_S = 15.0
_UNCONSUMED = "Unconsumed cmdline flags:"
_FOREIGN = r"not executable: .*ELF|syntax error|Exec format error"
"""What shells say of a program for other processors; busybox takes it for a script."""
_UNLINKED = "CANNOT LINK EXECUTABLE|error while loading shared libraries"
"""What Android's linker and glibc's say."""

# The permission is set there, whatever the user's own file has. What is left when it is not
# executable then, is the disk.
_READY = """\
[ -f "$1" ] || exit 1
command -v sha256sum >/dev/null || exit 96
found=$(sha256sum <"$1")
[ "${found%% *}" = "$2" ] || exit 1
chmod 755 "$1" 2>/dev/null
[ -x "$1" ] || exit 126
"""
_HELP = """\
[ -z "$2" ] || { LD_LIBRARY_PATH=$2; export LD_LIBRARY_PATH; }
"$1" --help </dev/null 2>&1
"""
# Its environment stays what it is there: drivers of phones look into it. The program is a direct
# child, with nothing before it that a kill would hit in its place; taskset becomes the program.
_SCRIPT = f"""\
run=$1 sha256=$2 boot=$3 mask=$4 libraries=$5
shift 5
clean() {{ cd /; rm -rf "$run"; }}
read -r booted </proc/sys/kernel/random/boot_id
[ "$booted" = "$boot" ] || {{ clean; exit {_RESTARTED}; }}
found=$(sha256sum <"$run/model.tflite")
[ "${{found%% *}}" = "$sha256" ] || {{ clean; exit {_DAMAGED}; }}
if [ -n "$mask" ]; then
    command -v taskset >/dev/null || {{ clean; exit {_NO_TASKSET}; }}
    set -- taskset "$mask" "$@"
fi
cd "$run" || exit
exec 3<&0
[ -z "$libraries" ] || {{ LD_LIBRARY_PATH=$libraries; export LD_LIBRARY_PATH; }}
"$@" >out 2>&1 </dev/null 3<&- &
program=$!
{{ cat <&3; kill -9 $program; rm -rf "$run"; }} >/dev/null 2>&1 &
watch=$!
wait $program
code=$?
{{ kill -9 $watch; wait $watch; }} 2>/dev/null
[ -f result ] || : >result
wc -c <out
cat out result
clean
exit $code
"""


@dataclass(frozen=True)
class RunnerOutput:
    """What one process of a runner left.

    Attributes:
        text: All that it printed.
        result: Its file of results; empty where it wrote none.
    """

    text: str
    result: bytes


@dataclass(frozen=True)
class RunnerPlace:
    """Where it runs.

    Attributes:
        folder: Of this process alone; gone when it has ended.
        program: Path of the runner there.
        sha256: Of the model.
        boot_id: Of the device when it was looked at.
        mask: Of the cores that it is bound to, hexadecimal; empty: of none.
        libraries: Folder there that libraries are looked for in; empty: none.
    """

    folder: str
    program: str
    sha256: str
    boot_id: str
    mask: str
    libraries: str


def bring(shell: Shell, name: str, program: Path, sha256: str, remote: str) -> int:
    """Bring a runner to a device, unless it is there, and make it executable.

    Args:
        shell: Of the device.
        name: Of it.
        program: The file here.
        sha256: Of it.
        remote: Its path there.

    Returns:
        How many bytes went over.

    Raises:
        UserError: There is no room, or the disk there runs no programs.
        LostError: It went away.
    """
    sent = 0
    code = shell.run(_READY, remote, sha256).code
    if code == 1:
        shell.push(program, remote)
        sent = program.stat().st_size
        code = shell.run(_READY, remote, sha256).code
    if code == _NOT_EXECUTED:
        raise _not_executable(name, remote)
    if code == _NO_HASH:
        raise UserError(
            f"{name} has no sha256sum, so that nobody can say whether files arrive whole",
            f"install coreutils, busybox or toybox on {name}",
        )
    if code:
        raise UserError(
            f"{name}: the runner that lies there is not the one that was sent",
            f"check the disk of {name}, and run again",
        )
    return sent


def help_of(shell: Shell, name: str, remote: str, libraries: str) -> str:
    """Return what a runner prints of its flags.

    Args:
        shell: Of the device.
        name: Of it.
        remote: Path of the runner there.
        libraries: Folder that libraries are looked for in; empty: none.

    Raises:
        UserError: It cannot be executed there.
        LostError: The device went away.
    """
    answer = shell.run(_HELP, remote, libraries, limit_s=_HELP_LIMIT_S)
    said = (answer.out + answer.err).decode(errors="replace")
    if fault := _start_fault(answer.code, said, name, remote):
        raise fault
    return said


def _start_fault(code: int, said: str, name: str, remote: str) -> UserError | None:
    """Say why a program did not begin, or None if it did."""
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    if code and re.search(_UNLINKED, said):
        return UserError(
            f"{name} cannot execute the runner: {last.strip()[:200]}",
            f"put its libraries into a folder on {name}, and write libraries: that folder",
        )
    if code == _NOT_EXECUTED and "ermission denied" in said:
        return _not_executable(name, remote)
    foreign = 0 < code < _NOT_EXECUTED and re.search(_FOREIGN, said)
    if code in (_NOT_EXECUTED, _NOT_FOUND) or foreign:
        return UserError(
            f"{name} cannot execute the runner: {last.strip()[:200] or f'exit code {code}'}",
            f"give the benchmark_model for the processor and the system of {name}: for phones "
            "android_arm64",
        )
    if code == _SIGNALLED + signal.SIGILL:
        return UserError(
            f"the runner of {name} ended with signal 4: this CPU lacks what it uses",
            f"give a benchmark_model that was built for older processors, or remove {name}",
        )
    return None


def _not_executable(name: str, remote: str) -> UserError:
    folder = remote.rpartition("/")[0].rpartition("/")[0]
    return UserError(
        f"{name} runs no programs from {folder}: its disk is mounted with noexec, or keeps no "
        "permission to execute",
        f"set `dir` of {name} to a folder on another disk, such as /data/local/tmp/slimline on a "
        "phone",
    )


def run_runner(
    shell: Shell, name: str, place: RunnerPlace, arguments: Sequence[str], limit_s: float
) -> RunnerOutput | Crash:
    """Run it once, and return what it left or how it died.

    Args:
        shell: Of the device.
        name: Of it.
        place: Where it runs.
        arguments: Its command line.
        limit_s: What it may take.

    Raises:
        LostError: The device went away, or was restarted.
        UserError: It cannot be started, or does not know a flag; or the model was damaged there.
    """
    start = time.monotonic()
    try:
        answer = shell.run(
            _SCRIPT,
            place.folder,
            place.sha256,
            place.boot_id,
            place.mask,
            place.libraries,
            place.program,
            *arguments,
            hold=True,
            limit_s=limit_s,
        )
    except LostError:
        # Nobody told it its time: with our end of the connection gone, it has been ended there.
        if time.monotonic() - start < limit_s:
            raise
        shell.run(":", limit_s=_SHORT_S)
        return Crash(None, f"time limit of {limit_s:g} s", "", outside=True)
    _check(answer, name)
    size, _, rest = answer.out.partition(b"\n")
    said = rest[: int(size or b"0")].decode(errors="replace")
    if answer.code == 0:
        if _UNCONSUMED in said:
            unknown = said.partition(_UNCONSUMED)[2].splitlines()[0].strip()
            raise UserError(
                f"the runner of {name} does not know {unknown}, and measured something else",
                "take a newer benchmark_model",
            )
        return RunnerOutput(said, rest[int(size or b"0") :])
    if fault := _start_fault(answer.code, said, name, place.program):
        raise fault
    if answer.code > _SIGNALLED:
        return crash_of(_SIGNALLED - answer.code, said)
    errors = [line.partition("ERROR: ")[2] for line in said.splitlines() if "ERROR: " in line]
    first = next((line for line in errors if line != "Benchmarking failed."), None)
    died = crash_of(answer.code, said)
    return died if first is None else Crash(None, first[:200], died.stderr, outside=died.outside)


def _check(answer: ShellAnswer, name: str) -> None:
    if answer.code == _RESTARTED:
        raise LostError(f"{name} was restarted in between")
    if answer.code == _DAMAGED:
        raise UserError(
            f"{name}: the model that lies there is not the one that was sent",
            f"check the disk of {name}, and run again",
        )
    if answer.code == _NO_TASKSET:
        raise UserError(
            f"{name} has no taskset, which binds a runner to its cores",
            f"write cores: any for {name}",
        )
