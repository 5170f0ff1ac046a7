"""What the end of a run does where its configuration says ``promotion: auto``."""

from __future__ import annotations

from functools import partial

from pipelines.config.configuration import Config
from pipelines.releases import gate
from pipelines.releases.promoting import promote
from pipelines.releases.published import read_published
from pipelines.releases.signing import signer_of
from pipelines.runs.actor import actor
from pipelines.runs.cache import Cache
from pipelines.runs.releases.registry import registered
from pipelines.runs.releases.release_log import read_log


def promote_automatically(cache: Cache, config: Config, run: str) -> str | None:
    """Promote the release of a run that has just ended, if the gate says yes.

    What was rolled back once is never promoted so.

    Args:
        cache: The store.
        config: What ran.
        run: Identifier of the run.

    Returns:
        A sentence that says what came of it; None where nothing is to be promoted.

    Raises:
        UserError: The log cannot be trusted, the key cannot be used, or the store fails.
    """
    settings = config.releases
    if settings is None or settings.promotion != "auto":
        return None
    release = dict(registered(cache.store, config.name)).get(run)
    if release is None:
        return None
    published = read_published(cache, config.name, run, release)
    if published is None:
        return None
    if release in read_log(cache.store, config.name).check().rolled_back:
        return (
            f"not promoted: {release[:8]} was rolled back once, and a person has to promote it: "
            f"slimline promote {run}"
        )
    done = promote(
        cache,
        published,
        settings,
        actor=actor(),
        judge=partial(gate.judge, cache),
        signer=signer_of(settings.key),
    )
    if done.outcome == "refused" and done.finding:
        return f"not promoted, the gate says {done.finding.verdict}: " + "; ".join(
            done.finding.reasons
        )
    assert done.entry
    return f"promoted: {published} is the champion, entry {done.entry.seq}: {done.entry.reason}"
