"""A process of its own that takes a lease and holds it: to be stopped, killed, and let go on."""

from __future__ import annotations

import sys

from pipelines.stores.leases import Lease, Leases
from pipelines.stores.opening import open_store


def _main(uri: str, key: str, length_s: float) -> None:
    leases = Leases(open_store(uri), length_s)
    lease: Lease | None = None
    _say("ready")
    for line in sys.stdin:
        match line.strip():
            case "take":
                lease = leases.take(key, {"engine": "other"})
                _say(str(lease.epoch if lease else None))
            case "held":
                _say(str(bool(lease and lease.held())))
            case "regain":
                _say(str(bool(lease and lease.regain())))
            case _:
                if lease:
                    lease.release()
                _say("released")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
