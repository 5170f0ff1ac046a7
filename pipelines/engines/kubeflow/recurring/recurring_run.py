"""A schedule as the server keeps it: a recurring run that carries slimline's mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.engines.kubeflow.api.connection import Resource
from pipelines.engines.kubeflow.recurring import cron
from pipelines.engines.kubeflow.recurring.cron import Times
from pipelines.runs.moments import zone

_MARK = re.compile(
    r"slimline schedule: zone (\S+), version ([0-9a-f]{16}-[0-9a-f]{16}), "
    r"(?:server (\S+), )?revision (\w+)"
)
UNKNOWN = "unknown"
"""The version of a server that tells none, and of those that earlier marks do not name."""
_NEXT = 5


@dataclass(frozen=True)
class Schedule:
    """A schedule as the server keeps it.

    Attributes:
        name: Its name.
        recurring_run: Kubeflow's identifier.
        times: When it fires.
        zone: The zone that ``times`` are in, if the cluster's schedules are in it.
        concurrency: How many of its runs go on at a time at most.
        enabled: Whether it fires at all.
        version: Name of the pipeline version that runs.
        server: Version of the server when it was made: its runs keep that version's launcher,
            because the server stores the Workflow that it makes of a pipeline then.
        revision: Random; tells it from others of its name.
    """

    name: str
    recurring_run: str
    times: Times
    zone: ZoneInfo
    concurrency: int
    enabled: bool
    version: str
    server: str
    revision: str

    @property
    def settings(self) -> tuple[str, str, int, str, str]:
        """What runs when, and by what: two schedules of the same settings do the same."""
        return self.times.five, self.zone.key, self.concurrency, self.version, self.server

    def next(self, moment: datetime | None = None) -> list[datetime]:
        """Return the next five times, in the zone; none while it is paused."""
        if not self.enabled:
            return []
        return list(islice(self.times.after(moment or datetime.now(UTC), self.zone), _NEXT))

    def lines(self, server: str) -> list[str]:
        """Return what a person reads.

        Args:
            server: The version that the server has now.
        """
        state = "enabled" if self.enabled else "paused"
        head = f"{self.name}  {state}  {self.times.five}  {self.zone.key}"
        lines = [f"{head}  {self.concurrency} at a time  version {self.version}"]
        lines += [f"  next  {_local(moment)}" for moment in self.next()]
        if self.server != server:
            lines.append(
                f"  made when the server was {self.server}, and it is {server} now: its runs keep "
                "the old launcher until the same slimline schedule add is given again"
            )
        if self.zone.key != "UTC":
            lines.append(
                "  these times are so if the cluster's schedules are in this zone: kubectl set env "
                "-n kubeflow deployment/ml-pipeline-scheduledworkflow "
                f"CRON_SCHEDULE_TIMEZONE={self.zone.key}"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return one entry of the document of ``slimline schedule list --json``."""
        return {
            "name": self.name,
            "recurring_run": self.recurring_run,
            "cron": self.times.five,
            "zone": self.zone.key,
            "concurrency": self.concurrency,
            "enabled": self.enabled,
            "version": self.version,
            "server": self.server,
            "next": [moment.isoformat(timespec="seconds") for moment in self.next()],
        }


def mark(zone: ZoneInfo, version: str, server: str, revision: str) -> str:
    """Return the description that makes a recurring run a schedule of slimline's."""
    return (
        f"slimline schedule: zone {zone.key}, version {version}, server {server}, "
        f"revision {revision}"
    )


def read(row: Resource) -> Schedule | None:
    """Read a recurring run; None where it is none of slimline's."""
    found = _MARK.fullmatch(row.description or "")
    if not found:
        return None
    return Schedule(
        name=row.display_name,
        recurring_run=row.recurring_run_id,
        times=cron.parse(row.trigger.cron_schedule.cron.split(" ", 1)[1]),
        zone=zone(found[1]),
        concurrency=int(row.max_concurrency),
        enabled=row.status == "ENABLED",
        version=found[2],
        server=found[3] or UNKNOWN,
        revision=found[4],
    )


def _local(moment: datetime) -> str:
    if moment.tzname() == "UTC":
        return f"{moment:%a %Y-%m-%d %H:%M} UTC"
    return f"{moment:%a %Y-%m-%d %H:%M %Z} ({moment.astimezone(UTC):%H:%M} UTC)"
