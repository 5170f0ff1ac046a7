"""One run: what became of it, its graph and its steps, what it was made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml
from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.launch import detached
from pipelines.runs.graph import Place
from pipelines.runs.kept.kept_documents import read_config
from pipelines.runs.records import RunRecord
from pipelines.web.pages.runs.log_text import shown
from pipelines.web.pages.runs.run_actions import can_start
from pipelines.web.pages.runs.run_banners import banners_of
from pipelines.web.pages.runs.run_facts import facts_of, find_run
from pipelines.web.pages.runs.run_picture import BOXES_MAX, run_picture
from pipelines.web.pages.runs.run_result import result_of
from pipelines.web.pages.runs.why_started import why_started
from pipelines.web.templating import segment
from pipelines.web.view import PageRoute, View

_LOGIN = re.compile(r"(?<=://)[^/@\s]*@")
_SIGNED = re.compile(r"\?.*", re.DOTALL)


def run(view: View) -> Response:
    """Show a run."""
    found = find_run(view.service, view.path["run"])
    if found is None:
        return no_run(view)
    with view.service.index() as index:
        facts = facts_of(view.service, index, found)
        result = result_of(index, found)
    banners = banners_of(view.service.store, facts)
    states = [step.state for step in facts.steps]
    return view.render(
        "run.html",
        title=found.run,
        run=found,
        facts=facts,
        states=states,
        there=states.count("done") + states.count("cached"),
        banners=banners,
        ends=any(banner.ends for banner in banners),
        who=found.actor or "nobody knows whom",
        why=why_started(view.service.store, found),
        again=found.outcome != "running" and can_start(view),
        result=result,
        picture=run_picture(found.run, facts.graph, facts.by_name) if facts.graph else None,
        boxes_max=BOXES_MAX,
        sources=sorted(found.sources.items()),
        places=_places(found.places),
    )


def configuration(view: View) -> Response:
    """Show the configuration of a run as it was resolved, without places."""
    found = find_run(view.service, view.path["run"])
    if found is None:
        return no_run(view)
    missing: UserError | None = None
    content = None
    try:
        content = read_config(view.service.store, found.config_digest)
    except UserError as error:
        missing = error
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True) if content else ""
    return view.render(
        "run_config.html", title=f"Configuration of {found.run}", run=found, text=text,
        missing=missing, places=_places(found.places),
    )  # fmt: skip


def no_run(view: View) -> Response:
    """Show how a run is being started that the store does not know yet, or that there is none."""
    run = view.path["run"]
    begins = detached.state(view.service.store, run)
    if begins is None or begins.what == "started":
        return view.missing(f"this store holds no run {run}", "choose one in the list of runs")
    tail = shown(begins.lines.encode())
    return view.render("starting.html", title=run, run=run, begins=begins, tail=tail)


def _places(places: Mapping[str, Place]) -> dict[str, str]:
    """Return where the user's files lay, without what signs somebody in there."""
    return {
        name: ", ".join(
            _SIGNED.sub("", _LOGIN.sub("", one)) if "://" in one else one
            for one in ((place,) if isinstance(place, str) else place)
        )
        for name, place in places.items()
    }


def address_of(record: RunRecord) -> str:
    """Return the address of the page of a run."""
    return f"/runs/{segment(record.run)}"


ROUTES = (PageRoute("/runs/{run}", run), PageRoute("/runs/{run}/config", configuration))
