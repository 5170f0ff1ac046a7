"""The interface of a component, read from its function's signature.

Configuration checks, the command line, the KFP specification and the reference documentation all
derive from the ``Interface`` made here; nothing else describes a component.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import Field, TypeAdapter, ValidationError

from components import COMPONENTS
from components.contract.errors import UserError, suggest

Kind = Literal[
    "Source", "Dataset", "Model", "LiteModel", "Report", "Release", "Metrics", "Page", "Curve"
]
Image = Literal["train", "device", "light"]

SINGLE_FILE_KINDS: frozenset[Kind] = frozenset({"Metrics", "Page", "Curve"})
"""Kinds whose artifact is one file; every other kind is a folder."""


@dataclass(frozen=True)
class Input:
    """Marks a parameter as the path of an input artifact of this kind."""

    kind: Kind


@dataclass(frozen=True)
class Inputs:
    """Marks a parameter as the paths of any number of input artifacts of this kind."""

    kind: Kind


@dataclass(frozen=True)
class Output:
    """Marks a parameter as the path where an output artifact of this kind is to be written."""

    kind: Kind


SourceIn: TypeAlias = Annotated[Path, Input("Source")]
DatasetIn: TypeAlias = Annotated[Path, Input("Dataset")]
ModelIn: TypeAlias = Annotated[Path, Input("Model")]
LiteModelIn: TypeAlias = Annotated[Path, Input("LiteModel")]
ReportIn: TypeAlias = Annotated[Path, Input("Report")]
LiteModelsIn: TypeAlias = Annotated[list[Path], Inputs("LiteModel")]
ReportsIn: TypeAlias = Annotated[list[Path], Inputs("Report")]

DatasetOut: TypeAlias = Annotated[Path, Output("Dataset")]
ModelOut: TypeAlias = Annotated[Path, Output("Model")]
LiteModelOut: TypeAlias = Annotated[Path, Output("LiteModel")]
ReportOut: TypeAlias = Annotated[Path, Output("Report")]
ReleaseOut: TypeAlias = Annotated[Path, Output("Release")]
MetricsOut: TypeAlias = Annotated[Path, Output("Metrics")]
PageOut: TypeAlias = Annotated[Path, Output("Page")]
CurveOut: TypeAlias = Annotated[Path, Output("Curve")]

Task: TypeAlias = Literal["verification", "classification"]
Unit: TypeAlias = Literal["identity", "image"]
PositiveInt: TypeAlias = Annotated[int, Field(gt=0, le=2**53)]
NonNegativeInt: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
PositiveFloat: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**31)]


@dataclass(frozen=True)
class Port:
    """One artifact that goes in or comes out.

    Attributes:
        name: The parameter's name.
        kind: What the artifact is.
        many: Any number of artifacts, in order.
        optional: May be absent (``None``).
    """

    name: str
    kind: Kind
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Parameter:
    """One scalar or list parameter: its annotation with ranges, and its default."""

    name: str
    annotation: Any
    default: Any
    required: bool

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        """Made once: a graph of thousands of steps checks the same parameters in each."""
        return TypeAdapter(self.annotation)

    def validate(self, value: object, *, strict: bool) -> object:
        """Return ``value`` as the annotation's type.

        Args:
            value: What the user gave.
            strict: False also takes ``"3"`` and ``3.0`` for 3, as a command line and KFP give them.

        Raises:
            ValueError: Wrong type or out of range, in one readable sentence.
        """
        try:
            return self._adapter.validate_python(value, strict=strict)
        except ValidationError as error:
            reasons = dict.fromkeys(item["msg"] for item in error.errors())
            raise ValueError(f"{'; '.join(reasons)} (got {value!r})") from None


@dataclass(frozen=True)
class Interface:
    """Everything the outside knows of a component.

    Attributes:
        name: Module, function, command and KFP component alike.
        image: Which of ``Dockerfiles/`` it runs in.
        summary: First line of the function's docstring.
        inputs: Artifacts in, in order of the signature.
        outputs: Artifacts out, in order of the signature.
        parameters: Everything after the star.
        memory_gb: Resident memory that a step may take before it is ended.
        time_limit_s: Wall time that a step may take before it is ended.
        measures_time: Needs the machine to itself.
    """

    name: str
    image: Image
    summary: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: tuple[Parameter, ...]
    memory_gb: float
    time_limit_s: float
    measures_time: bool

    def complete(
        self, given: Mapping[str, object], *, where: str, strict: bool = True
    ) -> dict[str, object]:
        """Check parameters and fill in the defaults.

        Args:
            given: Names and values from the user.
            where: How an error calls the place, such as ``variants.student[0].distill``.
            strict: See ``Parameter.validate``.

        Raises:
            UserError: Unknown name, missing value, wrong type or range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise UserError(
                    f"{where}: {self.name} has no parameter {name!r}", suggest(name, known)
                )
        complete: dict[str, object] = {}
        for name, parameter in known.items():
            if name not in given:
                if parameter.required:
                    raise UserError(
                        f"{where}: {self.name} needs the parameter {name!r}",
                        f"add {name}: ... under {where}",
                    )
                complete[name] = parameter.default
                continue
            try:
                complete[name] = parameter.validate(given[name], strict=strict)
            except ValueError as error:
                raise UserError(f"{where}.{name}: {error}", f"correct {name} there") from None
        return complete


def function_of(name: str) -> Callable[..., None]:
    """Return the component's function.

    Raises:
        UserError: There is no component of that name.
    """
    if name not in COMPONENTS:
        raise UserError(f"there is no component {name!r}", suggest(name, COMPONENTS))
    return cast("Callable[..., None]", getattr(importlib.import_module(f"components.{name}"), name))


@cache
def interface_of(name: str) -> Interface:
    """Return the interface of the component called ``name``.

    Raises:
        UserError: There is no component of that name.
    """
    function = function_of(name)
    module = importlib.import_module(f"components.{name}")
    hints = get_type_hints(function, include_extras=True)
    inputs: list[Port] = []
    outputs: list[Port] = []
    parameters: list[Parameter] = []
    for item in inspect.signature(function).parameters.values():
        hint = hints[item.name]
        marker, optional = _marker(hint)
        if isinstance(marker, Output):
            outputs.append(Port(item.name, marker.kind))
        elif marker is not None:
            inputs.append(
                Port(item.name, marker.kind, many=isinstance(marker, Inputs), optional=optional)
            )
        else:
            required = item.default is inspect.Parameter.empty
            parameters.append(
                Parameter(item.name, hint, None if required else item.default, required)
            )
    return Interface(
        name=name,
        image=module.IMAGE,
        summary=(inspect.getdoc(function) or "").partition("\n")[0],
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        parameters=tuple(parameters),
        memory_gb=float(getattr(module, "MEMORY_GB", 4)),
        time_limit_s=float(getattr(module, "TIME_LIMIT_S", 3600)),
        measures_time=bool(getattr(module, "MEASURES_TIME", False)),
    )


def _marker(hint: object) -> tuple[Input | Inputs | Output | None, bool]:
    """Find the artifact marker in an annotation, and whether the artifact may be absent."""
    if get_origin(hint) in (UnionType, Union):
        found = [_marker(part)[0] for part in get_args(hint) if part is not NoneType]
        return next((marker for marker in found if marker), None), True
    for part in get_args(hint) if get_origin(hint) is Annotated else ():
        if isinstance(part, Input | Inputs | Output):
            return part, False
    return None, False
