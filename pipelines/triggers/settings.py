"""What a trigger is: a configuration, and when it is to run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

Overlap = Literal["skip", "queue", "cancel"]
Settle = Literal["all", "folder"]
Against = Literal["last", "champion"]


@dataclass(frozen=True)
class ScheduleSettings:
    """Runs by the clock.

    Attributes:
        cron: Five fields.
        zone: The time zone that they are in.
        overlap: What becomes of a time at which the run before still goes on: it is left out, it
            comes when that run has ended, or that run is cancelled.
        catch_up: How many of the times that nobody evaluated are made up for: 0 is none, 1 the
            last.
        window_s: How late a time may be made up for, in seconds.
    """

    cron: str
    zone: str
    overlap: Overlap = "skip"
    catch_up: int = 1
    window_s: int = 12 * 3600


@dataclass(frozen=True)
class WatchSettings:
    """Runs when the data has changed and nobody writes it any more.

    Attributes:
        every_s: How often it is looked at by whoever looks all the time, in seconds.
        quiet_s: For how long the listing must not have changed, in seconds; None with a marker.
        marker: A file that says that an upload is whole; None waits for quiet.
        settle: What has to be whole: all of the data, or each folder by itself, where those that
            are not yet are left out.
        max_wait_s: After so long without quiet it is held, in seconds.
        when: What has to have changed; see ``amounts.thresholds``.
        at_most: How often it may train; see ``amounts.rate``; empty as often as data changes.
        shrink: It is held when so large a share of the files has gone, 0 to 1.
        against: What changes are counted against: the last launch that ended well, or the champion.
    """

    every_s: int = 60
    quiet_s: int | None = 600
    marker: str | None = None
    settle: Settle = "all"
    max_wait_s: int = 6 * 3600
    when: tuple[str, ...] = ()
    at_most: str = ""
    shrink: float = 0.2
    against: Against = "last"


@dataclass(frozen=True)
class Trigger:
    """What starts runs of a configuration.

    Attributes:
        uid: Random: a trigger that is removed and added again is another one.
        name: What people call it; no other trigger of the store is called so.
        config: The resolved configuration as JSON, places included; text, as its variants have an
            order and keys of a value in a store have none.
        config_digest: Its digest.
        engine: Which engine runs it.
        host: Address of a cluster; empty: the environment's.
        namespace: In that cluster; empty where there is only one.
        output: Folder that release and report are exported to.
        retries: How often a failed launch is tried again.
        since: Nothing before this moment is made up for, ISO 8601.
        created: When it was added, ISO 8601.
        actor: Who added it.
        schedule: When, if by the clock.
        watch: When, if by data. Exactly one of both is given.
        paused: Why nothing starts; empty while it is on.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    uid: str
    name: str
    config: str = field(repr=False)
    config_digest: str
    engine: str
    output: str
    retries: int
    since: str
    created: str
    actor: str
    host: str = ""
    namespace: str = ""
    schedule: ScheduleSettings | None = None
    watch: WatchSettings | None = None
    paused: str = ""

    @property
    def configured(self) -> Mapping[str, Any]:
        """The configuration as it was resolved, unchecked."""
        return json.loads(self.config)

    @property
    def kind(self) -> Literal["schedule", "watch"]:
        """What starts it."""
        return "schedule" if self.schedule else "watch"
