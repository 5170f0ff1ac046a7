"""Renew the lock of the bundle from what Debian's mirror has signed: ``make bundle-lock``."""

from __future__ import annotations

import sys

from components.contract.errors import UserError
from components.devices.remote.bundle.lock import LOCK
from components.devices.remote.bundle.mirrors import Mirrors
from components.devices.remote.bundle.signed_list import lock_of


def main() -> int:
    """Write the lock; exit code 2 where that cannot be done."""
    try:
        lock = lock_of(Mirrors.of_this_machine(moment=None))
    except UserError as error:
        sys.stderr.write(f"error: {error.what}\nfix: {error.fix}\n")
        return 2
    lock.write(LOCK)
    sys.stdout.write(f"{LOCK.name}: {len(lock.packages)} packages of Debian {lock.codename}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
