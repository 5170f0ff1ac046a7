"""What ``verify`` found, as a terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pipelines.cli.documents import Verified
from pipelines.runs.verifying import ON_PURPOSE

_STEP = "step "
_SHOWN = 3
"""How many of the objects that were erased are named: there may be hundreds, each on purpose."""


def lines_of(found: Verified) -> Iterator[str]:
    """Yield the lines that a person reads."""
    yield from _chain_lines(found)
    collected = [finding for finding in found.findings if finding.state == "collected"]
    erased = [finding for finding in found.findings if finding.state == "erased"]
    hidden = erased[_SHOWN:]
    for finding in found.findings:
        if finding not in collected and finding not in hidden:
            yield f"{finding.state}: {finding.place} {finding.what}"
    if hidden:
        yield f"erased: {len(hidden)} more objects (--json lists them)"
    if collected:
        yield (
            f"collected: {len(collected)} objects of old runs, removed by slimline gc as no "
            "release rests on them"
        )
    if found.rebuilt:
        states = Counter(step.state for step in found.rebuilt)
        yield f"rebuilt: {', '.join(f'{count} {state}' for state, count in states.items())}"
    if found.first_broken:
        yield f"the chain breaks first at: {found.first_broken}"
    if found.below:
        yield f"releases that stand on it: {', '.join(found.below)}"
    wrong = [finding for finding in found.findings if finding.state not in ON_PURPOSE]
    count = len(wrong) or "none"
    gone = f"; {len(erased)} were erased on purpose" if erased else ""
    wanting = f"{count} not as they should be{gone}{_proved(found)}"
    yield f"{found.place}: {found.objects} objects, {wanting}"


def _chain_lines(found: Verified) -> Iterator[str]:
    """Yield a line for each link; steps, of which there are many, have one together."""
    links = [cast("Mapping[str, Any]", link) for link in found.links]
    steps = [link for link in links if link["name"].startswith(_STEP)]
    width = max((len(link["name"]) for link in links if link not in steps), default=0)
    told = False
    for link in links:
        if link in steps:
            if not told:
                told = True
                states = Counter(step["state"] for step in steps)
                counted = ", ".join(f"{count} {state}" for state, count in states.items())
                called = f"{len(steps)} step{'s' if len(steps) > 1 else ''}"
                yield f"  {called:{width}}  {counted}: {steps[0]['said']}"
            continue
        yield f"  {link['name']:{width}}  {link['state']}: {link['said'] or 'nothing'}"
        for fault in link["faults"]:
            if fault["state"] in ("unproved", "collected"):
                yield f"  {'':{width}}    {fault['place']} {fault['what']}"


def _proved(found: Verified) -> str:
    """Say how far a chain is proved."""
    if not found.links or found.findings:
        return ""
    states = Counter(str(link["state"]) for link in found.links)
    if less := states["unproved"] + states["collected"]:
        return (
            f"; {less} of {len(found.links)} links cannot be proved in full, and nothing "
            "contradicts them"
        )
    return f"; all {len(found.links)} links are proved"


def fix_of(found: Verified) -> str:
    """Return what can be done about what was found."""
    states = {finding.state for finding in found.findings}
    fixes: list[str] = []
    if states & {"damaged", "missing", "foreign"} or not states:
        fixes.append(
            "slimline verify --quarantine moves what is damaged in a store out of the way, then "
            "slimline run CONFIG makes it anew; what is foreign is yours to move"
        )
    if any(finding.state in ("changed", "missing") for finding in found.findings) and found.links:
        fixes.append("--source PLACE names a copy of the files as the run read them")
    if "erased" in states:
        fixes.append("what was erased stays away: slimline run CONFIG trains without it")
    if "different" in states:
        fixes.append(
            "run slimline verify --rebuild with the code, the packages and the processor of the "
            "run, which its records name"
        )
    return "; ".join(fixes)
