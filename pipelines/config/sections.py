"""The sections of a configuration: keys, types and ranges, one class each.

Parameters of components are not described here: see ``parameters.offered``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_serializer,
    model_validator,
)

from components import COMPONENTS
from components.artifacts.about import Line
from components.artifacts.framing import Colour, Crop, Fit
from components.contract.errors import suggest
from components.contract.types import ImageSide, PositiveFloat, PositiveInt
from components.ml.settings import Network
from pipelines.config.faults import custom
from pipelines.config.parameters import steps_of_paths
from pipelines.config.section import Section, as_tuple

REFERENCE = "teacher"
"""What the teacher is called among the variants."""

CONTROL = "control-of-"
"""What the names of controls begin with: see ``controls``."""

LINEAR = "linear-baseline"
"""What the linear map of the pixels is called, which is measured beside the variants."""

_RESERVED = (REFERENCE, LINEAR, "sealed", "sealed-teacher")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME_CHARACTERS_MAX = 40

Parameters: TypeAlias = Mapping[str, object]


def _named(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > _NAME_CHARACTERS_MAX:
        raise custom(
            f"{value!r} is no name: lower-case letters, digits and single hyphens between them, "
            f"at most {_NAME_CHARACTERS_MAX}",
            f"call it {re.sub('[^a-z0-9]+', '-', value.lower()).strip('-')[:40] or 'faces'!r}",
        )
    return value


def _unreserved(value: str) -> str:
    if value.startswith(CONTROL):
        raise custom(
            f"a variant cannot be called {value!r}: names that begin with {CONTROL} are those of "
            "controls",
            f"call it {value.removeprefix(CONTROL) or 'student'!r}; a control is made by "
            "control: true under distill",
        )
    if value in _RESERVED:
        raise custom(
            f"a variant cannot be called {value!r}: the name is taken by a step of every graph",
            "call it something else; the teacher is always listed by itself",
        )
    return value


def _component(value: str) -> str:
    if value not in COMPONENTS:
        raise custom(f"there is no component {value!r}", suggest(value, COMPONENTS))
    return value


Name = Annotated[str, AfterValidator(_named)]
VariantName = Annotated[Name, AfterValidator(_unreserved)]
ComponentName = Annotated[str, AfterValidator(_component)]


class WithParameters(BaseModel):
    """A mapping with a few keys of its own, and parameters of a component beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    component: ClassVar[str]
    parameters: Parameters

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[str, object]", value)
        own = cls.model_fields.keys() - {"parameters"}
        return {
            **{key: item for key, item in given.items() if key in own},
            "parameters": {key: item for key, item in given.items() if key not in own},
        }

    @model_serializer
    def _flat(self) -> dict[str, object]:
        own = {name: getattr(self, name) for name in type(self).model_fields}
        return {**own.pop("parameters"), **own}


class ImageShape(Section):
    """The size that every image is brought to, and what its pixel values mean."""

    height: ImageSide = Field(description="rows")
    width: ImageSide = Field(description="columns")
    channels: Literal[1, 3] = Field(default=3, description="1 for grey, 3 for colour")
    maximum: PositiveInt = Field(default=255, description="largest pixel value in the files")
    fit: Fit = Field(
        default="stretch",
        description="`stretch`: proportions are not kept; `crop`: the largest part of the model's "
        "proportions, from the middle; `pad`: the whole image, with `background` beside it",
    )
    crop: Crop | None = Field(
        default=None,
        description="part that is taken first: `[top, left, height, width]`, pixels of the file",
    )
    background: Colour = Field(
        default="white",
        description="behind transparent images and beside padded ones: `white`, `grey`, `black` or "
        "`'#rrggbb'`",
    )


class Normalization(Section):
    """What an imported model expects: input = (pixel - mean) / scale, pixels from 0 to 255."""

    mean: float = Field(description="subtracted from every pixel", allow_inf_nan=False)
    scale: PositiveFloat = Field(description="what the difference is divided by")


class ImportedTeacher(Section):
    """A model of the user's own, taken as it is."""

    model: str = Field(
        description="path or `gs://bucket/name` of a `.keras` or `.h5` file or of a SavedModel "
        "folder"
    )
    trusted: bool = Field(
        default=False,
        description="the file is your own, and what is in it may be executed: a SavedModel and "
        "layers that carry code, such as Lambda, need that",
    )
    tower: str = Field(
        default="",
        description="the part of a Siamese model that its inputs share: the name of the model "
        "inside of it that makes the embedding",
    )
    freeze: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        description="names of layers that no step trains or prunes, `*` for any letters; all "
        "others are trained, whatever the file says",
    )
    modules: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(),
        description="paths or addresses of the `.py` files that define layers of your own in the "
        "model, each after those that it imports; they are executed, which needs `trusted: true`",
    )
    resize: bool = Field(
        default=False,
        description="the model is for images of another size than `image`, and is shown images "
        "brought to its own: enlarged bilinearly, or averaged where they are larger",
    )
    normalization: Normalization = Field(description="how its input is made from pixels")


class AnswersTeacher(Section):
    """A teacher of any framework that ran elsewhere: what it answered, and no model."""

    outputs: str = Field(
        description="path or `gs://bucket/name` of an `.npz` file: `paths` (n texts, relative to "
        "`data`), `outputs` (n x d embeddings, probabilities or logits) and, where columns are not "
        "in the order of the class names, `classes` (d names); with two classes d may be 1, the "
        "probability of the one that is named, or of the second"
    )


class TrainedTeacher(WithParameters):
    """A teacher that is trained here; all other keys are parameters of `train`."""

    component = "train"
    weights: str | None = Field(
        default=None,
        description="path or `gs://bucket/name` of a file with weights to begin from; or "
        "`imagenet`: what `keras.applications` publishes for the backbone",
    )
    parameters: Parameters

    @property
    def network(self) -> Network:
        """What is trained; of parameters that are valid."""
        names = {field.name for field in fields(Network)}
        given = {name: value for name, value in self.parameters.items() if name in names}
        return Network(**cast("dict[str, Any]", given))


def _kind_of_teacher(value: object) -> str:
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if "outputs" in given or isinstance(value, AnswersTeacher):
        return "<answers>"
    imported = "model" in given or isinstance(value, ImportedTeacher)
    return "<imported>" if imported else "<trained>"


# Tags in angle brackets are left out of the places that errors name.
Teacher: TypeAlias = Annotated[
    Annotated[ImportedTeacher, Tag("<imported>")]
    | Annotated[AnswersTeacher, Tag("<answers>")]
    | Annotated[TrainedTeacher, Tag("<trained>")],
    Discriminator(_kind_of_teacher),
]


class PathStep(BaseModel):
    """One step on the path of a variant: a component and its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    component: str
    parameters: Parameters

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: object) -> object:
        example = "write it as {quantize: {scheme: int8}}"
        if not isinstance(value, dict) or len(cast("dict[str, object]", value)) != 1:
            raise custom("a step is one component with its parameters", example)
        ((component, parameters),) = cast("dict[str, object]", value).items()
        if component not in steps_of_paths():
            what = (
                f"a variant's path cannot hold {component!r}: it is no step of a variant"
                if component in COMPONENTS
                else f"there is no component {component!r}"
            )
            raise custom(what, suggest(component, steps_of_paths()))
        if parameters is not None and not isinstance(parameters, dict):
            raise custom(f"the parameters of {component} are no mapping", example)
        return {"component": component, "parameters": cast("object", parameters or {})}

    @model_serializer
    def _flat(self) -> dict[str, object]:
        return {self.component: dict(self.parameters)}


class AboutSection(Section):
    """Who answers for the release and what it is for: its model card and its bill say it."""

    owner: Line | None = Field(
        default=None, description="person or organization that answers for it"
    )
    contact: Line | None = Field(
        default=None, description="where questions go, such as an address of mail"
    )
    purpose: Line | None = Field(default=None, description="what it is meant to be used for")
    out_of_scope: Line | None = Field(default=None, description="what it must not be used for")
    legal_basis: Line | None = Field(
        default=None, description="why the images may be used, such as a consent or a contract"
    )
    data_origin: Line | None = Field(default=None, description="where the images are from")
    data_licence: Line | None = Field(
        default=None, description="under which terms the images may be used"
    )
    licence: Line | None = Field(
        default=None, description="under which terms the released model may be used"
    )


class AutoSection(Section):
    """What `variants: auto` is to be made for, beside task, teacher, images and budgets."""

    minutes: PositiveFloat = Field(
        default=60, description="time for the whole run on 2 cores, the teacher included"
    )
    images: PositiveInt | None = Field(
        default=None,
        description="how many train, where `split.subset` does not say; without either 5,000 are "
        "assumed",
    )
    classes: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        description="how many there are (classification), each of which takes its part of the "
        "last layer; without it 10 are assumed",
    )
    download: bool = Field(
        default=False,
        description="whether the compressed file counts, as on the way to a phone: then weights "
        "are pruned and clustered, too",
    )


class Limit(Section):
    """How much a step may take before it is ended."""

    memory_gb: PositiveFloat | None = Field(
        default=None,
        description="resident memory, 1e9 bytes; without it what the component says",
    )
    minutes: PositiveFloat | None = Field(
        default=None,
        description="wall time; without it what the component says",
    )
    gpu: Literal[0, 1] = Field(
        default=0,
        description="1: steps that train compute on a GPU of their own, in the image `train-gpu` "
        "under `docker` and `kubeflow`",
    )
