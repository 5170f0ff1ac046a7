"""A process that wants this machine's lock, and tells when it has it."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from pipelines.engines.machine.machine_lock import machine_lock


def _main(kind: str, name: str, seconds: float, notes: Path, others_s: float) -> None:
    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    with machine_lock(
        alone=kind == "alone",
        run="a-run",
        step=name,
        cancelled=threading.Event(),
        waits_for=lambda what: say(f"waits {what}"),
        all_users=notes.with_name("all-users"),
        others_s=others_s,
    ):
        with notes.open("a") as file:
            file.write(f"+{name}\n")
        say("has it")
        time.sleep(seconds)
        with notes.open("a") as file:
            file.write(f"-{name}\n")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
