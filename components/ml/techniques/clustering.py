"""Clustering: the weights of a layer take few different values, which compress better.

A file holds every weight as before, so its own length does not change; what shrinks is what gzip or
brotli make of it on the way to a phone.

Shapes: x output channels, k centroids.

References:
    Han et al., Deep Compression, arXiv:1510.00149 (weight sharing).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.artifacts.dataset import Dataset
from components.artifacts.promises import Promises, SharedPer, SharedWeights
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.ml.formats import model_folder, samples
from components.ml.graphs.call_graph import CallGraph
from components.ml.graphs.folding import Folded, fold
from components.ml.graphs.kernels import Kernel, kernels_of_model
from components.ml.techniques import self_distillation
from components.ml.techniques.clustering_settings import ClusteringSettings
from components.ml.techniques.k_means import centroids_of, nearest
from components.ml.techniques.self_distillation import Recovery, SelfDistillation
from components.ml.training.constrained import ConstrainedNetwork
from components.ml.training.constraints import Centroids, Constraint, Levels, Zeros, promised

RAW_LENGTH = (
    "the length of the .tflite does not change: it holds every weight as before; what gzip or "
    "brotli make of it does, see conversion.json"
)
_TINY = 1e-30


@dataclass(frozen=True)
class ClusteredKernel:
    """What became of one kernel.

    Attributes:
        name: Layer and attribute.
        weights: Count of numbers.
        unique_before: Different values before, in the whole kernel.
        unique_after: Afterwards.
        unique_per_channel: The most in one output channel, afterwards.
        change: Root mean square of the change, as a share of that of the weights.
        skipped: Why it was left alone, or None.
    """

    name: str
    weights: int
    unique_before: int
    unique_after: int
    unique_per_channel: int
    change: float
    skipped: str | None


def cluster(
    path: Path, dataset: Path, clustered: Path, report: Path,
    *, settings: ClusteringSettings, training: SelfDistillation | None,
) -> None:  # fmt: skip
    """Cluster a Model and write it; see ``components.cluster``.

    Args:
        path: The Model.
        dataset: Trained on, where there is training.
        clustered: Folder of the Model to write.
        report: Folder to write ``clustering.json`` into.
        settings: Which values.
        training: How values are trained afterwards; None leaves them as they are found.
    """
    before, info = model_folder.load(path, "clustered")
    data = Dataset.open(dataset)
    self_distillation.check("cluster", info, data, path)
    if info.quantization is not None:
        raise UserError(
            f"cluster: the model in {path} has a quantization plan already",
            "put cluster before quantize in this variant",
        )
    folded = fold(before, info.image_shape)
    kernels = kernels_of_model(folded.model)
    start = {kernel.name: kernel.variable.numpy() for kernel in kernels}
    sparse = bool(info.promises.zeros)
    skipped = {kernel.name: _reason_to_skip(kernel, settings) for kernel in kernels}
    if all(skipped.values()):
        raise UserError(
            f"cluster: no layer of the model in {path} can be clustered: "
            + "; ".join(f"{name}: {why}" for name, why in skipped.items()),
            "leave cluster away for this model, or set fewer clusters or bits",
        )
    held: dict[str, Sequence[Constraint]] = {}
    for number, kernel in enumerate(kernels):
        if skipped[kernel.name] is None:
            random = np.random.default_rng([training.seed if training else 0, number])
            held[kernel.name] = _made_few(kernel, settings, random, sparse=sparse)
        elif _has_few(kernel):
            held[kernel.name] = [Centroids.of(kernel, "layer")]
        elif kept := promised(kernel, zeros=sparse, shared=None):
            held[kernel.name] = kept
    network = ConstrainedNetwork(folded.model, held)
    recovery = self_distillation.train(network, info, data, before, training) if training else None
    network.bake()
    rows = [_row(kernel, start[kernel.name], skipped[kernel.name]) for kernel in kernels]
    promises = _promises(kernels, skipped, settings, folded, sparse=sparse)
    step = {
        "component": "cluster",
        "method": settings.method,
        "clusters" if settings.method == "centroids" else "bits": (
            settings.clusters if settings.method == "centroids" else settings.bits
        ),
        "epochs": recovery.kept_epoch if recovery else 0,
    }
    after = info.after(step, curve=recovery and recovery.curve, promises=promises)
    model_folder.save(clustered, folded.model, after)
    samples.pass_on(path, clustered)
    _write_report(report, settings, folded, rows, _bytes(kernels, start), recovery)


def _reason_to_skip(kernel: Kernel, settings: ClusteringSettings) -> str | None:
    """Return why a kernel is left alone; None where it is clustered."""
    if not kernel.layer.trainable:
        return "frozen: teacher.freeze names it"
    if kernel.depthwise:
        return "a depthwise kernel has few weights, and each of them matters to its channel"
    allowed = settings.clusters if settings.method == "centroids" else 2**settings.bits - 1
    if len(np.unique(kernel.variable)) <= allowed:
        return f"it has no more than {allowed} different values"
    return None


def _has_few(kernel: Kernel) -> bool:
    """Whether a kernel that is left alone is so because few values are in it, which stay few."""
    return kernel.layer.trainable and not kernel.depthwise


def _made_few(
    kernel: Kernel, settings: ClusteringSettings, random: np.random.Generator, *, sparse: bool
) -> list[Constraint]:
    """Give a kernel few values, and return what holds it to them."""
    if settings.method == "grid":
        zeros: list[Constraint] = [Zeros.of(kernel)] if sparse else []
        return [*zeros, Levels.of(kernel, settings.bits)]
    values = kernel.variable.numpy().astype(np.float64)
    highest, pinned = np.float64(1.0), (0.0,) if sparse else ()
    if settings.per == "channel":
        highest = np.maximum(np.abs(values).max(axis=kernel.within_axes, keepdims=True), _TINY)
        pinned = (*pinned, -1.0, 1.0)  # or the largest weight would be another one afterwards
    shares = values / highest
    free = shares[shares != 0] if sparse else shares
    centroids_k = centroids_of(free, settings.clusters, settings.initialization, random, pinned)
    found = centroids_k[nearest(shares, centroids_k)]
    if sparse:  # a small weight is not 0 because it is small; what was pruned is
        found = np.where(shares == 0, 0.0, found)
    kernel.variable.assign((found * highest).astype(np.float32))
    return [Centroids.of(kernel, settings.per)]


def _promises(
    kernels: Sequence[Kernel],
    skipped: Mapping[str, str | None],
    settings: ClusteringSettings,
    folded: Folded,
    *,
    sparse: bool,
) -> Promises:
    grid = settings.method == "grid"
    per: SharedPer = "channel" if grid else settings.per
    normed = _before_norms(folded)
    shared = tuple(
        SharedWeights(
            layer=kernel.name,
            weights=int(np.prod(kernel.shape)),
            unique=2**settings.bits - 1 if grid else settings.clusters,
            # The converter folds what could not be folded here, a factor for each channel.
            per="channel" if kernel.layer.name in normed else per,
            bits=settings.bits if grid else None,
        )
        for kernel in kernels
        if skipped[kernel.name] is None
    )
    shared += tuple(
        SharedWeights(
            layer=kernel.name,
            weights=int(np.prod(kernel.shape)),
            unique=len(np.unique(kernel.variable)),
            per="channel" if kernel.layer.name in normed else "layer",
        )
        for kernel in kernels
        if skipped[kernel.name] is not None and _has_few(kernel)
    )
    zeros = sum(int((kernel.variable.numpy() == 0).sum()) for kernel in kernels)
    return Promises(zeros=zeros if sparse else 0, shared=shared)


def _before_norms(folded: Folded) -> set[str]:
    """Return the names of layers that a batch norm still reads."""
    graph = CallGraph.of(folded.model)
    return {
        graph.by_name[source].layer.name
        for call in graph.calls
        for source in call.sources
        if call.layer.name in folded.left and source != graph.image
    }


def _row(kernel: Kernel, start: np.ndarray, skipped: str | None) -> ClusteredKernel:
    after = kernel.variable.numpy()
    size = max(float(np.sqrt(np.mean(np.square(start)))), _TINY)
    return ClusteredKernel(
        name=kernel.name,
        weights=after.size,
        unique_before=len(np.unique(start)),
        unique_after=len(np.unique(after)),
        unique_per_channel=max(len(np.unique(column)) for column in kernel.by_channel().T),
        change=float(np.sqrt(np.mean(np.square(after - start)))) / size,
        skipped=skipped,
    )


def _bytes(kernels: Sequence[Kernel], start: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Return what the kernels take raw and gzipped, before and after, as 32 and as 8 bits."""
    before = {"float32": b"", "int8": b""}
    after = {"float32": b"", "int8": b""}
    for kernel in kernels:
        for side, values in ((before, start[kernel.name]), (after, kernel.variable.numpy())):
            highest = np.abs(values).max(axis=kernel.within_axes, keepdims=True)
            integers = np.round(values / np.maximum(highest, _TINY) * 127).astype(np.int8)
            channels_first = (*kernel.channel_axes, *kernel.within_axes)  # as a file has them
            order = [axis % values.ndim for axis in channels_first]
            side["float32"] += values.transpose(order).tobytes()
            side["int8"] += integers.transpose(order).tobytes()
    return {
        kind: {
            "raw": len(after[kind]),
            "gzip_before": len(gzip.compress(before[kind], 9, mtime=0)),
            "gzip_after": len(gzip.compress(after[kind], 9, mtime=0)),
        }
        for kind in after
    }


def _write_report(
    report: Path, settings: ClusteringSettings, folded: Folded, rows: Sequence[ClusteredKernel],
    sizes: Mapping[str, object], recovery: Recovery | None,
) -> None:  # fmt: skip
    report.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        **asdict(settings),
        "raw_length": RAW_LENGTH,
        "kernel_bytes": sizes,
        "folded": {"norms": dict(folded.norms), "left": dict(folded.left)},
        "kernels": [asdict(row) for row in rows],
        "training": recovery and recovery.to_json(),
    }
    (report / "clustering.json").write_bytes(canonical_json(content))
