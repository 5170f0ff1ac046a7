"""Installing: the runtime comes to a device, whole or not at all, and stays there."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import UserError
from components.devices.device import Installed
from components.devices.remote.looking import Sight
from components.devices.remote.shell import Shell
from components.devices.remote.wheels import SiteArchive

if TYPE_CHECKING:
    # Sent as text, so never imported: but a change of it has to change what is cached.
    from components.devices.remote import unpack as unpack  # noqa: PLC0414 named, never used

UNPACK = Path(__file__).with_name("unpack.py")
_LIMIT_S = 300.0
_PROGRAM = """\
"$1" -S -s - "$2" "$3" "$4" "$5"
code=$?
[ -z "$2" ] || rm -f "$2"
exit $code
"""


def install(shell: Shell, name: str, sight: Sight, archive: SiteArchive, runtime: str) -> Installed:
    """Bring an archive to a device and unpack it there, unless that has been done.

    Either way it ends with an import there: what lies on a device may have been damaged, and a
    wheel may promise more than is true.

    Args:
        shell: Of the device.
        name: Of it.
        sight: What a look has found.
        archive: For its Python.
        runtime: Version of the runtime in it.

    Raises:
        UserError: There is no room, or the runtime cannot be loaded there.
        LostError: It went away.
    """
    start = time.monotonic()
    site = f"{sight.folder}/{archive.site}"
    there = _unpacked(shell, name, sight, archive, "")
    sent_bytes = 0
    if there == ("absent", ""):
        remote = f"{site}.part-{time.time_ns():x}.tar.gz"
        shell.push(archive.path, remote)
        sent_bytes = archive.path.stat().st_size
        there = _unpacked(shell, name, sight, archive, remote)
    _check(*there, name, site, sight)
    return Installed("wheel", runtime, archive.sha256, sent_bytes, time.monotonic() - start)


def _unpacked(
    shell: Shell, name: str, sight: Sight, archive: SiteArchive, remote: str
) -> tuple[str, str]:
    """Run the program there; return its word."""
    answer = shell.run(
        _PROGRAM,
        sight.python.path,
        remote,
        archive.sha256,
        str(archive.unpacked_bytes),
        f"{sight.folder}/{archive.site}",
        data=UNPACK.read_bytes(),
        limit_s=_LIMIT_S,
    )
    if answer.code == 0:
        told = json.loads(answer.out)
        return told["fault"], told["detail"]
    lines = answer.err.decode(errors="replace").strip().splitlines()
    return "failed", lines[-1] if lines else f"{name} ended it with {answer.code}"


def _check(fault: str, detail: str, name: str, site: str, sight: Sight) -> None:
    folder = sight.folder
    if fault == "":
        return
    if fault == "full":
        raise UserError(
            f"{name} has {detail} needed for the runtime in {folder}",
            f"free it there, or set `dir` of {name} to a folder with room",
        )
    if fault == "killed" and int(detail) == signal.SIGILL:
        raise UserError(
            f"{name}: loading the runtime ended with signal 4: this CPU lacks what it uses",
            f"remove {name} from `devices`",
        )
    if "failed to map segment" in detail:
        raise UserError(
            f"{name} runs no programs from {folder}: its disk is mounted with noexec",
            f"set `dir` of {name} to a folder on another disk",
        )
    if fault in ("refused", "killed"):
        how = f"signal {detail}" if fault == "killed" else detail
        raise UserError(
            f"{name} cannot load the runtime in {site}: {how}",
            f"if that folder was changed there: slimline devices clean {name}; if not, update the "
            f"system of {name}",
        )
    raise UserError(
        f"{name} could not unpack the runtime in {folder}: {detail or fault}",
        f"check its disk and its memory, then: slimline devices clean {name}",
    )
