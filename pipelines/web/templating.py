"""Templates of the pages. Every text is escaped; times, sizes and digests are written alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from components.pages.charts.svg import readable, tag
from pipelines.disk.visible import visible
from pipelines.web.bars import gauge, span_bar, state_bar
from pipelines.web.state_icons import look_of, state_icon, state_shapes
from pipelines.web.statics import REPORTS, address_of

HERE = Path(__file__).parent / "templates"
_SHOWN_DIGITS = 12
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def render(template: str, **values: object) -> str:
    """Return a page.

    Args:
        template: Name of a file in ``templates``.
        **values: What it uses; a missing one is an error.
    """
    return readable(environment().get_template(template).render(**values))


def when(moment: str | datetime | None, now: datetime | None = None) -> Markup:
    """Write a moment as how long ago it is; the exact one shows on hover.

    The script of the pages keeps it true, so that a page that did not change need not be sent.
    """
    if not moment:
        return Markup("<span class='faint'>-</span>")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    at = at.astimezone(UTC)
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    told = ago((now or datetime.now(UTC)) - at)
    return tag("time", told, datetime=at.isoformat(timespec="seconds"), title=exact)


def since(moment: str | datetime | None, now: datetime) -> Markup:
    """Write how long something has gone on that began at a moment; the script keeps it true."""
    if not moment:
        return Markup("<span class='faint'>-</span>")
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    at = at.astimezone(UTC)
    told = duration(max(0.0, (now - at).total_seconds()), whole=True)
    return tag(
        "time",
        told,
        datetime=at.isoformat(timespec="seconds"),
        title=f"since {at:%Y-%m-%d %H:%M:%S} UTC",
        data_since="yes",
    )


def ago(age: Any) -> str:
    """Say how long ago something was, or in how long it will be."""
    seconds = age.total_seconds()
    if abs(seconds) < 5:
        return "now"
    told = duration(abs(seconds), whole=True)
    return f"{told} ago" if seconds > 0 else f"in {told}"


def duration(seconds: float | None, *, whole: bool = False) -> str:
    """Say how long something took, with the unit that suits it and the next smaller one.

    Args:
        seconds: None is "-".
        whole: In the largest unit alone.
    """
    if seconds is None:
        return "-"
    if seconds < 10 and not whole:
        return f"{seconds:.1f} s"
    for index, (length, unit) in enumerate(_UNITS):
        if seconds >= length or unit == "s":
            count = int(seconds // length)
            rest = seconds - count * length
            if whole or unit == "s":
                return f"{count} {unit}"
            smaller, name = _UNITS[index + 1]
            least = int(rest // smaller)
            return f"{count} {unit} {least} {name}" if least else f"{count} {unit}"
    raise AssertionError(seconds)


def short(digest: str | bytes | None) -> str:
    """Shorten a digest."""
    text = digest.hex() if isinstance(digest, bytes) else digest or "-"
    return text[:_SHOWN_DIGITS]


def segment(name: str) -> str:
    """Write a name as one segment of an address, whatever it holds."""
    return quote(name, safe="")


def first_capital(text: str) -> str:
    """Write the first letter as a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def tojson_plain(value: object) -> str:
    """Write a value as JSON in one line, to be escaped like any text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def named(text: str | None) -> Markup:
    """Write a name that somebody else chose: apart from what is around it, and nothing in it acts.

    Marks that turn the direction of a text, and characters that nobody sees, are written out.
    """
    return tag("bdi", visible(text or "-", keep=""))


_FILTERS: dict[str, Callable[..., Any]] = {
    "when": when,
    "since": since,
    "duration": duration,
    "short": short,
    "segment": segment,
    "tojson_plain": tojson_plain,
    "first_capital": first_capital,
    "named": named,
    "visible": visible,
}


_FUNCTIONS: dict[str, Any] = {
    "static": address_of,
    "state_icon": state_icon,
    "state_shapes": state_shapes,
    "look_of": look_of,
    "state_bar": state_bar,
    "gauge": gauge,
    "span_bar": span_bar,
}


@cache
def environment() -> Environment:
    """Return what holds the templates.

    Those of reports load what computes with statistics, which a server that starts does without.
    """
    from components.pages.templates import FILTERS as OF_REPORTS

    made = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(HERE), PrefixLoader({"report": FileSystemLoader(REPORTS)})]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update({**OF_REPORTS, **_FILTERS})
    made.globals.update(_FUNCTIONS)
    return made
