"""What a student learns from inside its teacher: hints through projections, and attention maps.

The teacher is asked beforehand, as it is for its answers. Attention maps have one number a place
and are kept as they are. Features would have hundreds: what is kept of them are their principal
components, at most 16 a place, and the student's features are mapped to these by a matrix that is
learned with it. Hints and answers are learned together, and not one after the other as in FitNets.

Shapes: n images, b images in a batch, h rows, w columns, c channels, p numbers a place that are
kept, r places of all images.

References:
    Romero et al., FitNets, arXiv:1412.6550; Zagoruyko and Komodakis, Paying More Attention to
    Attention, arXiv:1612.03928.

For 28 x 28 pixels both take 2.1 kB of scratch files a view (6,000 images in 2 views: 25 MB) and
9 MB of memory more than answers alone; asking the teacher in every step would cost a pass an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.artifacts.model import ModelInfo
from components.ml.formats import model_folder
from components.ml.runtime import tf
from components.ml.techniques.distillation_settings import DistillationSettings
from components.ml.techniques.feature_pairing import LayerPair, Pairing
from components.ml.training import feature_losses
from components.ml.training.examples import Examples
from components.ml.training.features import with_features
from components.ml.training.objectives import FEATURES, OUTPUT, TEACHER
from components.ml.training.teacher import Answers

HINT = "hint"
_COMPONENTS = 16
"""Principal components a place that are kept of the teacher's features, at most."""
_FITTED_IMAGES = 256
"""Training images whose features the principal components are fitted to, at most."""
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Components:
    """The principal components of a layer's features, over all places of some images.

    Attributes:
        mean_c: Of the features.
        basis_cp: What they are multiplied by: the components, scaled so that the squares of a
            place sum to 1 on average.
        share: Which part of the features' variance they hold, 0 to 1.
    """

    mean_c: np.ndarray
    basis_cp: np.ndarray
    share: float

    @classmethod
    def of(cls, features_rc: np.ndarray) -> Components:
        """Fit them.

        Args:
            features_rc: Of all places; at least two differ.
        """
        mean_c = features_rc.mean(axis=0, dtype=np.float64)
        centred_rc = features_rc - mean_c
        variances_c, vectors_cc = np.linalg.eigh(centred_rc.T @ centred_rc / len(features_rc))
        kept = min(_COMPONENTS, len(mean_c))
        largest_p, vectors_cp = variances_c[::-1][:kept], vectors_cc[:, ::-1][:, :kept]
        # The sign of an eigenvector is free: the same everywhere.
        vectors_cp = vectors_cp * np.sign(
            vectors_cp[np.abs(vectors_cp).argmax(axis=0), range(kept)]
        )
        held, all_of_it = largest_p.sum(), variances_c.sum()
        basis_cp = vectors_cp / np.sqrt(max(held, np.finfo(np.float32).tiny))
        share = float(held / all_of_it) if all_of_it > 0 else 1.0
        return cls(mean_c.astype(np.float32), basis_cp.astype(np.float32), share)


@dataclass(frozen=True, eq=False)
class AskedTeacher:
    """A teacher that is asked for its answers and for what its layers say.

    Attributes:
        answers: From images ``nhwc`` to answers by name.
        components: Of the hint layer; None without hints.
    """

    answers: Answers
    components: Components | None


def asked_teacher(
    model: Any, info: ModelInfo, pairing: Pairing, examples: Examples
) -> AskedTeacher:
    """Return a teacher that answers with all that is learned of it.

    Args:
        model: Its ``tf_keras`` model.
        info: How images are normalized.
        pairing: Which of its layers are matched.
        examples: What the principal components are fitted to.
    """
    network = with_features(model, pairing.teacher_layers)
    hint, attention = pairing.hint, pairing.attention

    def resized(features: Mapping[str, Any], pair: LayerPair) -> Any:
        found_bhwc = features[pair.teacher]
        if tuple(found_bhwc.shape[1:3]) == pair.resolution:
            return found_bhwc
        return tf.image.resize(found_bhwc, pair.resolution, antialias=True)

    @tf.function(
        input_signature=[tf.TensorSpec((None, *info.image_shape), tf.float32)], autograph=False
    )
    def forward(images_bhwc: Any) -> Any:
        outputs = network(images_bhwc, training=False)
        features = outputs[FEATURES]
        maps = {one.key: feature_losses.attention_map(resized(features, one)) for one in attention}
        return {TEACHER: outputs[OUTPUT], **maps}, hint and resized(features, hint)

    components: Components | None = None
    if hint:
        chosen = np.linspace(0, examples.images - 1, min(_FITTED_IMAGES, examples.images))
        some_nhwc = np.asarray(examples.images_nhwc[np.unique(chosen.round().astype(int))])
        parts = [
            forward(model_folder.normalize(some_nhwc[start : start + _BATCH], info))[1].numpy()
            for start in range(0, len(some_nhwc), _BATCH)
        ]
        features_nhwc = np.concatenate(parts)
        components = Components.of(features_nhwc.reshape(-1, features_nhwc.shape[-1]))

    def run(images_nhwc: np.ndarray) -> Mapping[str, np.ndarray]:
        found, hints_bhwc = forward(model_folder.normalize(images_nhwc, info))
        answers = {name: value.numpy() for name, value in found.items()}
        if components:
            hints_bhwp = (hints_bhwc.numpy() - components.mean_c) @ components.basis_cp
            answers[HINT] = hints_bhwp.reshape(len(hints_bhwp), -1)
        return answers

    return AskedTeacher(run, components)


@dataclass(frozen=True, eq=False)
class FeatureMatching:
    """The part of the loss that compares what is inside both networks.

    Attributes:
        pairing: Which layers.
        hint_weight: Of ``feature_losses.hint_matching``.
        attention_weight: Of ``feature_losses.attention_matching``, the mean over the layers.
        map_of_hints: Kernel ``cp`` and bias ``p`` from the student's features to the teacher's
            components; nothing without hints.
    """

    pairing: Pairing
    hint_weight: float
    attention_weight: float
    map_of_hints: tuple[Any, ...]

    def __call__(self, features: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        """Return the loss; in a graph.

        Args:
            features: The student's, by name.
            batch: What the teacher said.
        """
        loss = tf.constant(0.0)
        if hint := self.pairing.hint:
            kernel_cp, bias_p = self.map_of_hints
            distance = feature_losses.hint_matching(
                features[hint.student], kernel_cp, bias_p, batch[HINT]
            )
            loss += self.hint_weight * distance
        for pair in self.pairing.attention:
            distance = feature_losses.attention_matching(features[pair.student], batch[pair.key])
            loss += self.attention_weight * distance / len(self.pairing.attention)
        return loss


def feature_matching(
    pairing: Pairing,
    student: Any,
    components: Components | None,
    settings: DistillationSettings,
    seed: int,
) -> FeatureMatching:
    """Return the part of the loss that compares what is inside both networks.

    Args:
        pairing: Which layers.
        student: A ``tf_keras`` model.
        components: Of the teacher's hint layer.
        settings: The weights.
        seed: Where the map of hints starts.
    """
    map_of_hints: tuple[Any, ...] = ()
    if pairing.hint:
        assert components, "hints are the principal components of a layer"
        channels = student.get_layer(pairing.hint.student).output.shape[-1]
        kept = components.basis_cp.shape[1]
        start_cp = tf.random.stateless_normal((channels, kept), seed=(seed, channels))
        kernel_cp = tf.Variable(start_cp / channels**0.5, name="map_of_hints")
        map_of_hints = (kernel_cp, tf.Variable(tf.zeros(kept), name="bias_of_hints"))
    return FeatureMatching(pairing, settings.hint_weight, settings.attention_weight, map_of_hints)
