"""Releases: who is the champion, who could be, who decided it, and what apps download."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.statistics.bootstrap import Interval
from components.statistics.quantities import with_interval
from pipelines.lineage.index.opening import OpenIndex
from pipelines.releases.signing import verify_signature
from pipelines.runs.releases.champions import champion_content
from pipelines.runs.releases.release_log import read_log
from pipelines.runs.releases.release_log_entries import LogEntry, ReleaseLog
from pipelines.stores.layout import champion_key, signature_sequence, signatures_prefix
from pipelines.stores.store import KeyMissing, Store
from pipelines.web.jobs import Jobs, StartedJob
from pipelines.web.pages.releases.release_rows import ON_A_PAGE, ReleaseRow, names_of, rows_of
from pipelines.web.view import PageRoute, View

PROMOTE, ROLL_BACK = "promote", "rollback"
_LOGGED = 50
_COUNTS = (
    ("images", "sealed images"), ("left_out", "seen, so left out"), ("opened", "times looked at"),
)  # fmt: skip
_FILES = """
SELECT file.path, artifact.digest FROM file JOIN artifact ON artifact.id = file.artifact
WHERE artifact.digest = ? ORDER BY file.path
"""
_REPORT = """
SELECT artifact.digest FROM run JOIN run_step ON run_step.run = run.id
JOIN made ON made.execution = run_step.execution JOIN artifact ON artifact.id = made.artifact
WHERE run.run = ? AND made.port = 'page' ORDER BY run_step.step LIMIT 1
"""


@dataclass(frozen=True)
class ToldFinding:
    """What the gate found, as pages tell it.

    Attributes:
        verdict: ``yes``, ``no`` or ``cannot decide``.
        reasons: Why.
        remarks: What people should know beside.
        facts: What was measured, each with a name.
        champion: Digest of the champion that it was found against; None where there was none.
    """

    verdict: str
    reasons: Sequence[str]
    remarks: Sequence[str]
    facts: Sequence[tuple[str, str]]
    champion: str | None


@dataclass(frozen=True)
class Logged:
    """An entry of the log.

    Attributes:
        entry: That.
        digest: The sha256 of its bytes, which the next entry holds.
        signed: Whether there is a signature of it.
        finding: What the gate found; None where it was not asked.
    """

    entry: LogEntry
    digest: str
    signed: bool
    finding: ToldFinding | None


@dataclass(frozen=True)
class ChampionWish:
    """What came of a wish to change the champion.

    Attributes:
        job: The command.
        outcome: Its outcome; ``going`` while it goes on, ``failed`` where it came to none.
        finding: What the gate found, or None.
        what: Of a failure what is wrong.
        fix: And what to do.
    """

    job: StartedJob
    outcome: str
    finding: ToldFinding | None = None
    what: str = ""
    fix: str = ""


@dataclass(frozen=True)
class ForApps:
    """What an app downloads.

    Attributes:
        text: The content of ``champion.json``.
        key: Where it lies in the store.
        current: Whether it lies there as the log says.
        fault: Why it cannot be made; empty where it can.
    """

    text: str
    key: str
    current: bool
    fault: str = ""


def releases(view: View) -> Response:
    """Show the names under which runs have published."""
    with view.service.index() as index:
        names = names_of(index)
    return view.render("releases.html", title="Releases", names=names)


def release(view: View) -> Response:
    """Show the releases of a name, ``before`` turns pages."""
    name, store = view.path["name"], view.service.store
    before = view.query.get("before", "")
    with view.service.index() as index:
        listed = rows_of(
            index, name, "release.run < ?" if before else "1", [before] if before else (),
            ON_A_PAGE + 1,
        )  # fmt: skip
        if not listed and not before:
            return _unknown(view, index, name)
        candidates = rows_of(index, name, "release.state = 'candidate'")
        log = read_log(store, name)
        champion = _champion(index, log)
        files = _files(index, champion)
    rows = listed[:ON_A_PAGE]
    jobs = view.service.jobs
    asked = {row.run: found for row in rows if (found := _asked_of(jobs, row, log))}
    return view.render(
        "release.html",
        title=name,
        name=name,
        rows=rows,
        older=view.url(before=rows[-1].run) if len(listed) > ON_A_PAGE else None,
        newer=view.url(before=None) if before else None,
        candidates=candidates,
        asked=asked,
        rolling=_asked(jobs.find(ROLL_BACK, name)),
        champion=champion,
        earlier=_earlier(log),
        log=log,
        logged=_logged(store, log),
        files=files,
        signature=verify_signature(store, log) if log.champion else None,
        apps=_for_apps(store, log),
    )


def _asked_of(jobs: Jobs, row: ReleaseRow, log: ReleaseLog) -> ChampionWish | None:
    """Return what came of the last wish to promote a release through a page.

    None where there was none, or where the champion is another one since.
    """
    found = _asked(jobs.find(PROMOTE, f"{row.name}@{row.run}"))
    champion = log.champion.release if log.champion else None
    return None if found and found.finding and found.finding.champion != champion else found


def _asked(job: StartedJob | None) -> ChampionWish | None:
    if job is None:
        return None
    if job.going:
        return ChampionWish(job, "going")
    if job.fault:
        return ChampionWish(job, "failed", None, *job.fault)
    answer: Mapping[str, Any] = job.answer or {}
    return ChampionWish(job, str(answer.get("outcome")), finding_of(answer.get("gate")))


def finding_of(gate: Mapping[str, Any] | None) -> ToldFinding | None:
    """Return what the gate found from the form in which logs and commands keep it."""
    if not gate:
        return None
    facts: list[tuple[str, str]] = []
    drop = gate.get("drop")
    if isinstance(drop, Mapping):
        interval = Interval(*(float(drop[key]) for key in ("value", "low", "high")))  # pyright: ignore[reportUnknownArgumentType]
        facts.append((f"drop in {gate.get('metric')}", with_interval(interval)))
        facts.append(("may drop by", str(gate.get("limit"))))
    facts += [(words, f"{int(gate[key]):,}") for key, words in _COUNTS if gate.get(key) is not None]
    return ToldFinding(
        str(gate.get("verdict", "")), [str(one) for one in gate.get("reasons", ())],
        [str(one) for one in gate.get("remarks", ())], facts, gate.get("champion"),
    )  # fmt: skip


def _unknown(view: View, index: OpenIndex, name: str) -> Response:
    known = [one for (one,) in index.execute("SELECT DISTINCT name FROM release ORDER BY 1")]
    listed = ", ".join(known[:10]) or "there are none yet"
    return view.missing(f"no release is called {name}", f"those that there are: {listed}")


def _champion(index: OpenIndex, log: ReleaseLog) -> ReleaseRow | None:
    if log.champion is None:
        return None
    found = rows_of(index, log.name, "release.run = ?", (log.champion.run,))
    return found[0] if found else None


def _files(index: OpenIndex, champion: ReleaseRow | None) -> Mapping[str, str]:
    """Return where the files of a release, and the report of its run, can be looked at."""
    if champion is None:
        return {}
    listed = index.execute(_FILES, (bytes.fromhex(champion.digest),))
    found = {
        path: f"/artifacts/{champion.digest}/{number}" for number, (path, _) in enumerate(listed)
    }
    if report := index.one(_REPORT, (champion.run,)):
        found["report"] = f"/artifacts/{report[0].hex()}/0"
    return found


def _earlier(log: ReleaseLog) -> Sequence[LogEntry]:
    """Return the entries that a rollback can lead to, the champion before this one first."""
    if log.faults or log.champion is None:
        return ()
    line = list(reversed(log.line[:-1]))
    seen = {(entry.release, entry.run) for entry in (log.champion, *line)}
    for entry in reversed(log.entries):
        if (entry.release, entry.run) not in seen:
            seen.add((entry.release, entry.run))
            line.append(entry)
    return line


def _logged(store: Store, log: ReleaseLog) -> Sequence[Logged]:
    """Return the latest entries of a log, the newest first."""
    signed = {signature_sequence(key) for key in store.list(signatures_prefix(log.name))}
    pairs = list(zip(log.entries, log.digests, strict=True))[-_LOGGED:]
    return [
        Logged(entry, digest, entry.seq in signed, finding_of(entry.gate))
        for entry, digest in reversed(pairs)
    ]


def _for_apps(store: Store, log: ReleaseLog) -> ForApps | None:
    """Return what an app downloads by the log; None where there is no champion."""
    key = champion_key(log.name)
    if log.champion is None or log.faults:
        return None
    try:
        content = champion_content(store, log)
    except UserError as error:
        return ForApps("", key, current=False, fault=error.what)
    try:
        current = store.get(key) == canonical_json(content)
    except KeyMissing:
        current = False
    return ForApps(json.dumps(content, indent=2), key, current)


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/releases", releases),
    PageRoute("/releases/{name}", release),
)
