"""Promoting a release to champion, and rolling back to one that was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from components.contract.errors import UserError, suggest
from pipelines.config.releases import GateSection, ReleasesSection
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.people import check_two_people
from pipelines.releases.published import PublishedRelease, check_bytes, read_published
from pipelines.releases.settings import stricter
from pipelines.releases.signing import Signer
from pipelines.runs.cache import Cache
from pipelines.runs.moments import now
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog
from pipelines.stores.addresses import public_address
from pipelines.stores.layout import public_key, signature_key

Judge = Callable[[PublishedRelease, PublishedRelease | None, GateSection], GateFinding]
"""The gate: takes challenger and champion, and what has to be shown."""


@dataclass(frozen=True)
class Promoted:
    """What came of a wish to change the champion.

    Attributes:
        outcome: ``promoted``, ``rolled back``, ``unchanged`` (it is the champion already) or
            ``refused`` (the gate does not say yes).
        published: The release in question.
        entry: The last entry of the log; None where nothing was ever promoted.
        finding: What the gate found; None where it was not asked.
        signed_by: Fingerprint of the key that signed the entry; None where none did.
    """

    outcome: Literal["promoted", "rolled back", "unchanged", "refused"]
    published: PublishedRelease
    entry: LogEntry | None
    finding: GateFinding | None = None
    signed_by: str | None = None


def promote(
    cache: Cache,
    published: PublishedRelease,
    settings: ReleasesSection,
    *,
    actor: str,
    judge: Judge,
    reason: str | None = None,
    force: str | None = None,
    signer: Signer | None = None,
) -> Promoted:
    """Make a release the champion if the gate says yes, or somebody answers for it.

    Who is overtaken by another promotion decides anew, against the new champion.

    Args:
        cache: The store.
        published: The challenger.
        settings: The section ``releases`` that counts; where the champion's asks for more, that.
        actor: Who promotes.
        judge: The gate.
        reason: Why, in the words of who promotes; None: the log keeps what the gate says. Where the
            gate does not say yes, it is no reason to promote all the same.
        force: Why it becomes the champion although the gate does not say yes. The rule of two
            people holds all the same.
        signer: Signs the entry.

    Raises:
        UserError: The log is not what was written, the release is damaged, or ``two_people``
            forbids it.
    """
    store = cache.store
    while True:
        log = read_log(store, published.name).check()
        champion = log.champion
        if champion and (champion.release, champion.run) == (published.release, published.run):
            check_bytes(cache, published)
            signed = _finish(cache, log, signer)
            return Promoted("unchanged", published, champion, signed_by=signed)
        before = _champion(cache, log)
        rules = stricter(settings, store, before) if before else settings
        if rules.two_people:
            check_two_people(actor, published)
        finding = judge(published, before, rules.gate)
        if finding.verdict != "yes" and force is None:
            return Promoted("refused", published, champion, finding)
        check_bytes(cache, published)
        why = next((one for one in (force, reason) if one is not None), "; ".join(finding.reasons))
        entry = _entry(
            cache, published, "promote",
            settings=settings,
            actor=actor,
            reason=why,
            forced=finding.verdict != "yes",
            gate=finding,
        )  # fmt: skip
        _open_to_apps(cache, entry)
        if longer := append(store, log, entry):
            signed = _finish(cache, longer, signer)
            return Promoted("promoted", published, longer.champion, finding, signed)


def roll_back(
    cache: Cache,
    name: str,
    settings: ReleasesSection,
    *,
    actor: str,
    reason: str,
    to: PublishedRelease | None = None,
    signer: Signer | None = None,
) -> Promoted:
    """Make an earlier champion the champion again, once every byte of it was read.

    Args:
        cache: The store.
        name: Of the releases.
        settings: The section ``releases`` that counts; its gate is not asked.
        actor: Who does it.
        reason: Why.
        to: Which one; None is the champion before.
        signer: Signs the entry.

    Raises:
        UserError: The log is not what was written, nothing was the champion before, or the release
            is damaged.
    """
    while True:
        log = read_log(cache.store, name).check()
        target = _target(cache, log, to)
        check_bytes(cache, target)
        entry = _entry(
            cache, target, "rollback",
            settings=settings, actor=actor, reason=reason, forced=False, gate=None,
        )  # fmt: skip
        _open_to_apps(cache, entry)
        if longer := append(cache.store, log, entry):
            signed = _finish(cache, longer, signer)
            return Promoted("rolled back", target, longer.champion, None, signed)


def rollback_target(cache: Cache, name: str, to: PublishedRelease | None) -> PublishedRelease:
    """Return the release that ``roll_back`` would lead to.

    Raises:
        UserError: See there.
    """
    return _target(cache, read_log(cache.store, name).check(), to)


def _target(cache: Cache, log: ReleaseLog, to: PublishedRelease | None) -> PublishedRelease:
    """Return the release that a rollback leads to.

    Raises:
        UserError: There is none, or it is no earlier champion.
    """
    if log.champion is None:
        raise UserError(
            f"no release of {log.name} was promoted yet, so there is nothing to roll back",
            f"slimline releases {log.name} lists what can be promoted",
        )
    if to is None:
        if len(log.line) < 2:
            raise UserError(
                f"{log.champion.release[:8]} of run {log.champion.run} is the first champion of "
                f"{log.name}: there is none before it",
                f"slimline releases {log.name} lists the others; slimline promote RELEASE",
            )
        entry = log.line[-2]
        to = read_published(cache, log.name, entry.run, entry.release)
        assert to, "only a release with a winner is promoted"
    past = {(entry.release, entry.run) for entry in log.entries}
    if (to.release, to.run) not in past:
        known = [run for _, run in past]
        raise UserError(
            f"{to} was never the champion", f"slimline promote {to.run}; {suggest(to.run, known)}"
        )
    if (to.release, to.run) == (log.champion.release, log.champion.run):
        raise UserError(
            f"{to} is the champion already", f"leave --to out, or see slimline releases {log.name}"
        )
    return to


def _champion(cache: Cache, log: ReleaseLog) -> PublishedRelease | None:
    if log.champion is None:
        return None
    return read_published(cache, log.name, log.champion.run, log.champion.release)


def _entry(
    cache: Cache,
    published: PublishedRelease,
    kind: Literal["promote", "rollback"],
    *,
    settings: ReleasesSection,
    actor: str,
    reason: str,
    forced: bool,
    gate: GateFinding | None,
) -> LogEntry:
    return LogEntry(
        name=published.name,
        seq=1,
        previous=None,
        kind=kind,
        release=published.release,
        run=published.run,
        actor=actor,
        trained_by=published.trained_by,
        reason=reason,
        at=now(),
        forced=forced,
        gate=gate.to_json() if gate else None,
        url=settings.url or public_address(cache.store.uri),
    )


def _open_to_apps(cache: Cache, entry: LogEntry) -> None:
    """Put the files of a release where apps may read them, where there are addresses for apps.

    The blobs themselves lie beside those of the training images, which nobody is to open.
    """
    if entry.url:
        for item in cache.tree(entry.release).entries:
            key = public_key(entry.name, item.sha256)
            if cache.store.stat(key) is None:  # a promotion comes here twice
                cache.store.put_if_absent(key, cache.read_file(entry.release, item.path))


def _finish(cache: Cache, log: ReleaseLog, signer: Signer | None) -> str | None:
    """Sign the last entry, and write ``champion.json``; return who has signed."""
    assert log.champion, "there is an entry"
    signed = signer.sign(cache, log) if signer else None
    _open_to_apps(cache, log.champion)
    signature = signature_key(log.name, log.champion.seq)
    if log.champion.url and cache.store.stat(signature):
        data = cache.store.get(signature)
        cache.store.put_if_absent(public_key(log.name, sha256(data).hexdigest()), data)
    champion_of(cache.store, log.name)
    return signed
