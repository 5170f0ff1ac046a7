"""Layers that change images, or what is made of them, in training alone.

At inference they return what they are given, so that a model without them answers the same.
"""

from __future__ import annotations

AUGMENTATION = frozenset(
    {
        "ActivityRegularization", "AlphaDropout", "AugMix", "CutMix", "MixUp", "RandAugment",
        "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast",
        "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
        "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective",
        "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
        "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom", "SpatialDropout1D",
    }
)  # fmt: skip
"""By their names in Keras 2 and 3."""
