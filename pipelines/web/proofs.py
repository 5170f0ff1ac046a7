"""Proofs that go on behind the pages: from a released file up to the user's files, link by link.

A proof takes as long as there is to hash, so no request waits for its end; how far it is can be
asked at any time, and its result is kept until the store changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from components.contract.errors import UserError
from pipelines.lineage.naming import Named
from pipelines.lineage.proof.chain import Extent
from pipelines.lineage.proof.links import Chain
from pipelines.lineage.proof.verifying import verify_chain
from pipelines.releases.signature_link import with_signature
from pipelines.stores.opening import open_store

QUICK = Extent(files=False)
"""Records, logs and the files of the release."""
DEEP = Extent(deep=True)
"""Every file of every step, and the user's own files where the run found them."""

_KEPT = 100
_WAITING_MAX = 8
_FRESH_S = 60.0
_AT_ONCE = {False: 2, True: 1}


@dataclass(frozen=True)
class Proof:
    """One proof, and how far it is.

    Attributes:
        what: What is proved, as a person names it.
        deep: Whether every file is hashed.
        of: What the store was when it began; another one where it has changed.
        done: How many links of steps are checked.
        all: How many there are; 0 as long as nobody knows.
        now: What is checked at this moment.
        ended: When, or None.
        chain: The result, or None.
        fault: Why there is none, or None.
    """

    what: str
    deep: bool
    of: str
    done: int = 0
    all: int = 0
    now: str = "the records of the run"
    ended: datetime | None = None
    chain: Chain | None = None
    fault: UserError | None = None


class Proofs:
    """Starts proofs, and keeps their results.

    Args:
        uri: Of the store, which is read without a cache before it.
        clock: Tells the time.
    """

    def __init__(self, uri: str, clock: Callable[[], datetime]) -> None:
        self._uri = uri
        self._clock = clock
        self._proofs: OrderedDict[tuple[str, bool], Proof] = OrderedDict()
        self._changing = threading.Condition()
        self._room = {deep: threading.Semaphore(count) for deep, count in _AT_ONCE.items()}

    def find(self, named: Named, *, deep: bool) -> Proof | None:
        """Return the latest proof of something, or None."""
        with self._changing:
            return self._proofs.get((str(named), deep))

    def start(self, named: Named, of: str, *, deep: bool, again: bool = False) -> Proof:
        """Begin a proof where none goes on, and none of the store as it is was made a moment ago.

        Args:
            named: What is proved.
            of: What the store is now: equal for an unchanged one.
            deep: Whether every file is hashed.
            again: Also where one is kept.

        Raises:
            UserError: Too many wait already.
        """
        key = (str(named), deep)
        with self._changing:
            known = self._proofs.get(key)
            if known and (known.ended is None or not (again or self._is_old(known, of))):
                return known
            going = [one for one in self._proofs.values() if one.ended is None]
            if len(going) >= _WAITING_MAX:
                raise UserError(
                    f"{len(going)} proofs go on or wait already",
                    f"wait for one of them, or run slimline verify {named}",
                )
            self._proofs[key] = proof = Proof(str(named), deep, of)
            self._proofs.move_to_end(key)
            ended = [one for one, held in self._proofs.items() if held.ended]
            for old in ended[: max(0, len(self._proofs) - _KEPT)]:
                del self._proofs[old]
        threading.Thread(
            target=self._work, args=(named, key), name=f"proof of {named}", daemon=True
        ).start()
        return proof

    def _is_old(self, proof: Proof, of: str) -> bool:
        """Whether the store has changed since; a busy one has news all the time."""
        assert proof.ended
        return proof.of != of and (self._clock() - proof.ended).total_seconds() > _FRESH_S

    def wait(self, named: Named, *, deep: bool, at_most_s: float) -> Proof:
        """Return a proof that was begun when it has ended, or after some seconds."""
        key = (str(named), deep)
        with self._changing:
            self._changing.wait_for(lambda: self._proofs[key].ended is not None, at_most_s)
            return self._proofs[key]

    def _work(self, named: Named, key: tuple[str, bool]) -> None:
        def told(done: int, every: int, now: str) -> None:
            self._update(key, done=done, all=every, now=now)

        with self._room[key[1]]:
            try:
                store = open_store(self._uri, direct=True)
                chain = verify_chain(store, named, DEEP if key[1] else QUICK, told)
                chain = with_signature(store, chain, None)
                self._update(key, chain=chain, ended=self._clock())
            except UserError as error:
                self._update(key, fault=error, ended=self._clock())
            except Exception as error:  # noqa: BLE001 the page says it; the service goes on
                fault = UserError(
                    f"the proof was broken off: {error!r}", f"slimline verify {named}"
                )
                self._update(key, fault=fault, ended=self._clock())

    def _update(self, key: tuple[str, bool], **changed: object) -> None:
        with self._changing:
            self._proofs[key] = replace(self._proofs[key], **changed)  # pyright: ignore[reportArgumentType]
            self._changing.notify_all()
