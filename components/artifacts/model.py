"""What ``model.json`` says of a Model: what to feed it, what it answers and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import BeforeValidator

from components.artifacts.history import Curve, LayerError, StepFacts
from components.artifacts.json_file import JsonFile
from components.artifacts.promises import NOTHING, Promises
from components.contract.types import Task

Activation: TypeAlias = Literal["softmax", "sigmoid", "none", "other"]
"""What the numbers of a classifier are: see ``Scores``."""


@dataclass(frozen=True)
class ImageInput:
    """One image as the network takes it: ``(pixel - mean) / scale`` in float32.

    Attributes:
        height: Rows in pixels.
        width: Columns in pixels.
        channels: 1 for grey, 3 for red, green, blue.
        mean: Subtracted from every pixel of 0 to 255.
        scale: What the difference is divided by; above 0.
    """

    height: int
    width: int
    channels: int
    mean: float = 127.5
    scale: float = 127.5


@dataclass(frozen=True)
class Embedding:
    """The output of a verification network.

    Attributes:
        size: Numbers in the vector. Its length is the network's own affair: vectors are compared
            by their cosine.
    """

    kind: ClassVar[Literal["embedding"]] = "embedding"
    size: int


@dataclass(frozen=True)
class Scores:
    """The output of a classifier: one number a class.

    Attributes:
        classes: Names in the order of the numbers.
        activation: softmax: probabilities, which sum to 1. sigmoid: numbers from 0 to 1, each of
            which judges its class alone. none: logits. other: numbers of a scale that nobody knows.
    """

    kind: ClassVar[Literal["scores"]] = "scores"
    classes: tuple[str, ...]
    activation: Activation = "none"

    @property
    def size(self) -> int:
        """Count of classes."""
        return len(self.classes)


Scheme: TypeAlias = Literal["float16", "dynamic", "int8", "w4a8", "int16x8"]

INTEGER_SCHEMES: frozenset[Scheme] = frozenset({"int8", "w4a8", "int16x8"})
"""Schemes in which every layer computes in integers, and for which images calibrate."""

AUTO = "auto"
"""In place of names of layers: ``quantize`` finds out which."""


def _as_names(value: object) -> object:
    """Take one name for a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


LayerNames: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_names)]


@dataclass(frozen=True)
class QuantizationPlan:
    """What ``convert`` is to do; ``quantize`` decided it.

    Attributes:
        scheme: float16: weights of 16 bits, computed in float, half the size. dynamic: weights of 8
            bits, activations quantized while it runs. int8: integers alone, a quarter of the size.
            w4a8: int8 with weights of 4 bits in convolutions and dense layers; depthwise ones keep
            8. Fast as int8 for dense layers, 2 to 4 times slower for convolutions. int16x8: weights
            of 8 bits, activations of 16: shows what 8 bits of activations cost; no fast kernel on a
            CPU, 20 to 900 times slower than int8.
        input_type: Type of the input of an int8 or w4a8 file. uint8 takes a camera's bytes.
        output_type: Type of the output of an int8 or w4a8 file.
        float_layers: Names of layers that an int8, w4a8 or int16x8 file computes in float all the
            same; ``output`` is the last one. ``auto``: the layers that lose most, until the drop on
            validation is at most ``max_drop``.
        exact_pixels: Of an int8 or w4a8 file that takes pixels: make up for the part of a level by
            which the zero point of the input is rounded (half a level where the mean is 127.5), in
            the biases of the layers that read it. Costs nothing.
        sparse: Of a float16 file: leave the zeros of a pruned model out, where that makes the file
            smaller and the runtime answers the same. It is then shorter on the disk; after gzip it
            is about as long, and computes as before.
    """

    scheme: Scheme
    input_type: Literal["float32", "int8", "uint8"] = "float32"
    output_type: Literal["float32", "int8", "uint8"] = "float32"
    float_layers: LayerNames = ()
    exact_pixels: bool = False
    sparse: bool = False

    def __post_init__(self) -> None:
        """Take what a call from Python gives as a configuration's value is taken."""
        object.__setattr__(self, "float_layers", _as_names(self.float_layers))


@dataclass(frozen=True)
class ModelInfo(JsonFile):
    """The content of ``model.json``.

    Attributes:
        task: What the model is for.
        input: What goes in.
        output: What comes out.
        parameters: Count of numbers in the weights, moving statistics included.
        trainable: Whether ``architecture.json`` and ``weights.safetensors`` are there; a program
            without them can be run, converted and quantized after training, and nothing else.
        steps: What was done to get here, first to last: ``{"component": name, ...}``.
        history: What those steps came to: curves of trainings, counts of parameters.
        quantization: Set by ``quantize`` and ``quantize_aware``.
        promises: What must be true of the weights in the file.
        source: Where it came from when it was imported, in words.
    """

    FILE: ClassVar[str] = "model.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "Model"
    FIX_ABSENT: ClassVar[str] = "give the folder that train wrote"
    FIX_VERSION: ClassVar[str] = "run the steps that made it again"

    task: Task
    input: ImageInput
    output: Embedding | Scores
    parameters: int
    trainable: bool = True
    steps: tuple[Mapping[str, Any], ...] = ()
    history: tuple[StepFacts, ...] = ()
    quantization: QuantizationPlan | None = None
    promises: Promises = NOTHING
    source: str | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return (self.input.height, self.input.width, self.input.channels)

    @property
    def scheme(self) -> str:
        """The scheme of the quantization plan; float32 where there is no plan."""
        return self.quantization.scheme if self.quantization else "float32"

    def after(
        self,
        step: Mapping[str, Any],
        *,
        curve: Curve | None = None,
        layers: tuple[LayerError, ...] = (),
        **changes: Any,
    ) -> ModelInfo:
        """Return the info of the model that ``step`` made of this one.

        What was promised of the weights is dropped, unless the step says which promises it keeps.

        Args:
            step: ``{"component": name, ...}`` with the parameters that matter to a reader.
            curve: Of its training, where it trained.
            layers: Errors of layers, where it measured them.
            **changes: Attributes of it that are different afterwards.
        """
        assert "component" in step, "a step names its component"
        kept = {"promises": NOTHING, **changes}
        made = replace(self, steps=(*self.steps, dict(step)), **kept)
        facts = StepFacts(len(self.steps), made.parameters, curve, layers)
        return replace(made, history=(*self.history, facts))

    def counted(self, parameters: int) -> ModelInfo:
        """Return the same with the count of parameters that the last step left."""
        *earlier, last = self.history or (None,)
        facts = (*earlier, replace(last, parameters=parameters)) if last else ()
        return replace(self, parameters=parameters, history=facts)

    def on_top_of(self, earlier: ModelInfo) -> ModelInfo:
        """Return the same as a model that begins where the steps of another one ended."""
        return replace(self, steps=earlier.steps, history=earlier.history)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        content = super().to_json()
        content["output"] = {"kind": self.output.kind, **content["output"]}
        return content
