"""The backbones that a tower can be built from, by name; what builds them is ``ml/models.py``."""

from __future__ import annotations

from typing import Literal, TypeAlias

Backbone: TypeAlias = Literal["resnet50", "mobilenet_v2", "conv"]
"""resnet50: 23.5 million parameters (arXiv:1512.03385), a teacher. mobilenet_v2: inverted
residuals whose width follows ``alpha`` (arXiv:1801.04381), a student. conv: a few plain
convolutions whose width follows ``alpha``, for small pictures such as 8 x 8 digits."""
