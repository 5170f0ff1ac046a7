"""How well the times of small networks tell those of others, on this machine, measured."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from components.artifacts.cost_model import TimedSample, fits_of
from components.statistics.linear_fit import fitted, rank_correlation
from tests.benchmarks.table import Row

NETWORKS, FITTED = 40, 20
"""How many networks are timed, and on how many of them the model is fitted."""
IMAGE = (32, 32, 1)
DRAWS = 100
"""Which twenty they are is luck: so often others of the same are drawn, and the worst counts."""


def bench_costs(scratch: Path) -> list[Row]:
    """Twenty networks of the usual space predict twenty others, which were timed, too."""
    from components.devices.timing_plan import TimingPlan
    from components.measure.cost_fitting import fit_costs
    from components.ml.runtime import configure
    from components.ml.techniques.cost_sampling import write_samples
    from components.ml.techniques.search_settings import SearchSpace
    from components.statistics.resampling import Resampling

    configure(threads=2, seed=0)
    began = time.perf_counter()
    write_samples(
        scratch / "samples", space=SearchSpace(), count=NETWORKS, image=IMAGE,
        task="verification", seed=0,
    )  # fmt: skip
    written_s = (time.perf_counter() - began) / NETWORKS
    began = time.perf_counter()
    model, _ = fit_costs(
        scratch / "samples", scratch / "report", "host", TimingPlan(), Resampling(resamples=100)
    )
    timed_s = (time.perf_counter() - began) / NETWORKS
    known, unseen = model.samples[:FITTED], model.samples[FITTED:]
    latency, size = fits_of(known)
    times = [one.latency_ms for one in unseen]
    predicted = [latency.predict(one.counts) for one in unseen]
    sizes = [size.predict(one.counts) / one.size_bytes - 1 for one in unseen]
    macs = fitted([one.counts for one in known], [one.latency_ms for one in known], ("macs",))
    by_macs = [macs.predict(one.counts) for one in unseen]
    lowest = min(_of_a_draw(model.samples, seed) for seed in range(DRAWS))
    errors = np.abs(np.array(predicted) / np.array(times) - 1)
    stable = sum(one.verdict == "stable" for one in model.samples)
    return [
        Row("cost model of 20 networks, rank correlation on 20 others",
            rank_correlation(predicted, times), "", ">= 0.9"),
        Row(f"... lowest of {DRAWS} draws of the 20", lowest, "", ">= 0.9"),
        Row("... of multiply-accumulates alone", rank_correlation(by_macs, times), "", ""),
        Row("... median error of the time", 100 * float(np.median(errors)), "%", "<= 10"),
        Row("... and as each left out tells it", 100 * latency.median_error, "%", ""),
        Row("... median error of the size", 100 * float(np.median(np.abs(sizes))), "%", "<= 5"),
        Row("... shortest and", min(times), "ms", ""),
        Row("... longest time among them", max(times), "ms", ""),
        Row("... measured without disturbance", stable, f"of {NETWORKS}", ""),
        Row("... writing a network", written_s, "s", ""),
        Row("... timing one", timed_s, "s", ""),
    ]  # fmt: skip


def _of_a_draw(samples: tuple[TimedSample, ...], seed: int) -> float:
    """Return the rank correlation where a draw says which networks are fitted."""
    order = np.random.default_rng(seed).permutation(len(samples))
    known = tuple(samples[place] for place in order[:FITTED])
    unseen = [samples[place] for place in order[FITTED:]]
    latency, _ = fits_of(known)
    return rank_correlation(
        [latency.predict(one.counts) for one in unseen], [one.latency_ms for one in unseen]
    )
