"""Probing a service: whether one of several writers wins, which a store cannot do without."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.contract.errors import UserError
from pipelines.disk.files import beside, disk_faults
from pipelines.stores.objects import ABSENT, CONDITIONS, Objects, OtherVersion
from pipelines.stores.store import TEMPORARY

_ROUNDS = 3
"""Times that two writers meet: a service that looks first and writes then may be lucky once."""


def probe(objects: Objects, uri: str, prefix: str) -> None:
    """Let two writers meet at the service, and leave nothing there.

    Args:
        objects: The bucket.
        uri: What the user wrote.
        prefix: Where in the bucket, empty or ending in ``/``.

    Raises:
        UserError: The service lets both through, or cannot be used.
    """
    for _ in range(_ROUNDS):
        name = f"{prefix}{TEMPORARY}/probe-{secrets.token_hex(8)}"
        try:
            _round(objects, uri, name)
        finally:
            if left := objects.look(name):
                objects.delete(name, left.version)


def _round(objects: Objects, uri: str, name: str) -> None:
    def written(version: str) -> bool:
        nonce = secrets.token_hex(16)
        try:
            objects.write(name, nonce.encode(), version, nonce)
        except OtherVersion:
            return False
        return True

    service = objects.service
    if _both(lambda: written(ABSENT)) or written(ABSENT):
        raise UserError(
            f"{uri}: {service} lets two writers create the same object (PUT with If-None-Match: *),"
            " so two engines could take the same step, and one record could overwrite another",
            CONDITIONS,
        )
    first = objects.look(name)
    if first is None:
        raise UserError(
            f"{uri}: {service} does not find what was written to it a moment ago",
            "use a service that shows a write as soon as it is answered, or a folder",
        )
    if _both(lambda: written(first.version)) or written(first.version):
        raise UserError(
            f"{uri}: {service} lets two writers replace the same version of an object (PUT with "
            "If-Match), so one of two changes would be lost",
            CONDITIONS,
        )
    if objects.delete(name, first.version):
        raise UserError(
            f"{uri}: {service} removes an object that has another version than was said (DELETE "
            "with If-Match), so what was just written could vanish",
            CONDITIONS,
        )


def _both(write: Callable[[], bool]) -> bool:
    """Whether two writers that begin at the same moment both hear that they wrote."""
    barrier = threading.Barrier(2)

    def begun(_: int) -> bool:
        barrier.wait()
        return write()

    with ThreadPoolExecutor(2) as pool:
        return all(pool.map(begun, range(2)))


def probe_once(objects: Objects, uri: str, prefix: str, memory: Path) -> None:
    """Do ``probe`` if this machine has not done so for this place and this service.

    Args:
        objects: The bucket.
        uri: What the user wrote.
        prefix: Where in the bucket.
        memory: The folder in which this machine remembers what it probed.

    Raises:
        UserError: See ``probe``, or the folder cannot be written.
    """
    place = f"{uri}\0{objects.service}"
    mark = memory / hashlib.sha256(place.encode()).hexdigest()
    if mark.is_file():
        return
    probe(objects, uri, prefix)
    with disk_faults(mark):
        memory.mkdir(parents=True, exist_ok=True)
        with beside(mark) as unfinished:
            unfinished.write_text(f"{place}\n")
            unfinished.replace(mark)
