"""Watched processes: a probe on a device that ends with whoever has asked for it."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.isolated import crash_of
from components.devices.remote.shell import Shell, ShellAnswer

_DAMAGED, _RESTARTED = 97, 98  # a probe ends with 0, 1 or 2
_SIGNALLED = 128
_ANSWER_S = 30.0  # on top of the probe's own limit, for an answer to come

_HASH = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"

# The probe is a direct child: an exec would make its signal the connection's, which ssh tells as
# 255. It is ended by what stands beside it when our end of the connection closes; without that, it
# would run on. No output goes there, and it is killed itself, or some shells wait for it. Nothing
# stands before the probe, such as timeout: a kill would hit that and not the probe.
_SCRIPT = f"""\
run=$1 site=$2 python=$3 sh=$4 sha256=$5 boot=$6 hash=$7
shift 7
clean() {{ rm -rf "$run"; }}
read -r booted </proc/sys/kernel/random/boot_id
[ "$booted" = "$boot" ] || {{ clean; exit {_RESTARTED}; }}
found=$(${{sh:+"$sh"}} "$python" -S -s -c "$hash" "$run/model.tflite" </dev/null)
[ "$found" = "$sha256" ] || {{ clean; exit {_DAMAGED}; }}
exec 3<&0
env -i PYTHONPATH="$site" PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 \\
    ${{sh:+"$sh"}} "$python" -S -s -X faulthandler "$run/probe.py" "$run/model.tflite" "$@" \\
    </dev/null 3<&- &
probe=$!
{{ cat <&3; kill -9 $probe; rm -rf "$run"; }} >/dev/null 2>&1 &
watch=$!
wait $probe
code=$?
{{ kill -9 $watch; wait $watch; }} 2>/dev/null
clean
exit $code
"""


@dataclass(frozen=True)
class ProbeFolder:
    """A folder on a device with a probe and a model in it.

    Attributes:
        folder: It; gone when the probe has ended.
        site: Folder of the packages that the probe imports.
        python: That runs it.
        shell: What starts that, where it is a script; else empty.
        sha256: Of the model.
        boot_id: Of the device when it was looked at.
    """

    folder: str
    site: str
    python: str
    shell: str
    sha256: str
    boot_id: str


def run_watched(
    shell: Shell, name: str, place: ProbeFolder, arguments: Sequence[str], limit_s: float
) -> Process | Crash:
    """Run a probe, and return what it measured or how it died.

    Args:
        shell: Of the device.
        name: Of it.
        place: What is run.
        arguments: Of the probe.
        limit_s: What the probe may take.

    Raises:
        LostError: The device went away, or was restarted.
        UserError: The model is not there as it was sent.
    """
    answer = shell.run(
        _SCRIPT,
        place.folder,
        place.site,
        place.python,
        place.shell,
        place.sha256,
        place.boot_id,
        _HASH,
        *arguments,
        *("--limit-s", str(round(limit_s) or 1)),
        hold=True,
        limit_s=limit_s + _ANSWER_S,
    )
    if answer.code == _RESTARTED:
        raise LostError(f"{name} was restarted in between")
    if answer.code == _DAMAGED:
        raise UserError(
            f"{name}: the model that lies there is not the one that was sent",
            f"check the disk of {name}, and run again",
        )
    return _outcome(answer, limit_s)


def _outcome(answer: ShellAnswer, limit_s: float) -> Process | Crash:
    said = answer.err.decode(errors="replace")
    if answer.code == 0:
        document = answer.out.splitlines()[-1]  # before it, whatever the runtime had to say
        return Process.from_json(cast("dict[str, Any]", json.loads(document)))
    if answer.code == _SIGNALLED + signal.SIGALRM:
        return Crash(None, f"time limit of {limit_s:g} s", said, outside=True)
    signalled = answer.code > _SIGNALLED
    return crash_of(_SIGNALLED - answer.code if signalled else answer.code, said)
