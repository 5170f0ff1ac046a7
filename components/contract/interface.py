"""The interface of a component, read from its function's signature and its module.

Configuration checks, the command line, the KFP specification and the reference documentation all
derive from the ``Interface`` made here; nothing else describes a component.

A parameter whose annotation is a frozen dataclass is a *part*: its fields are parameters under
their own flat names, and ``Interface.arguments`` puts them together again for the call.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from components import COMPONENTS
from components.contract.docstrings import entries_of, first_line
from components.contract.errors import UserError, suggest
from components.contract.types import (
    Formerly,
    ImageName,
    Input,
    Inputs,
    Kind,
    OnlyWith,
    Output,
    PathRule,
    Resource,
)

_Marker = TypeVar("_Marker")


@dataclass(frozen=True)
class Port:
    """One artifact that goes in or comes out.

    Attributes:
        name: The parameter's name.
        kind: What the artifact is.
        many: Any number of artifacts, in order.
        optional: May be absent (``None``).
        help: What the docstring says of it.
    """

    name: str
    kind: Kind
    many: bool = False
    optional: bool = False
    help: str = ""


@dataclass(frozen=True)
class Parameter:
    """One scalar or list parameter.

    Attributes:
        name: Unique in its component.
        annotation: Its type with the range.
        default: What holds where it is not given.
        required: It has no default.
        help: What the docstring says of it.
    """

    name: str
    annotation: Any
    default: Any
    required: bool
    help: str = ""

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        """Made once: a graph of thousands of steps checks the same parameters in each."""
        return TypeAdapter(self.annotation)

    def marker(self, kind: type[_Marker]) -> _Marker | None:
        """Return the marker of this kind in the annotation, if it has one."""
        return next((item for item in _markers(self.annotation) if isinstance(item, kind)), None)

    @property
    def formerly(self) -> Formerly | None:
        """The name that it had in earlier versions."""
        return self.marker(Formerly)

    def matters(self, values: Mapping[str, object]) -> bool:
        """Whether it means anything beside these values of other parameters."""
        return self.unmet(values) is None

    def unmet(self, values: Mapping[str, object]) -> OnlyWith | None:
        """Return the first rule by which it means nothing beside these values, or None."""
        rules = (item for item in _markers(self.annotation) if isinstance(item, OnlyWith))
        return next((rule for rule in rules if values.get(rule.parameter) not in rule.values), None)

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
        image: Which image it runs in.
        summary: First line of the function's docstring.
        inputs: Artifacts in, in order of the signature.
        outputs: Artifacts out, in order of the signature.
        parameters: Everything after the star, parts as their fields.
        parts: The dataclass of every part, by its name in the signature.
        memory_gb: Resident memory that a step may take before it is ended.
        time_limit_s: Wall time that a step may take before it is ended.
        occupies: What a step needs for itself alone, or None.
        path: Where on a variant's path it may stand; None where it stands on none.
        named_by: Which parameters name its steps, in this order.
        cached_by_name: Whether a cache that compares the names of input artifacts and not what
            they hold, such as Kubeflow's, may answer in place of a step.
    """

    name: str
    image: ImageName
    summary: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: tuple[Parameter, ...]
    parts: Mapping[str, type[object]]
    memory_gb: float
    time_limit_s: float
    occupies: Resource | None
    path: PathRule | None
    named_by: tuple[str, ...]
    cached_by_name: bool

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
                what, fix = self.unknown(name)
                raise UserError(f"{where}: {what}", fix)
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

    def unknown(self, name: str, also: tuple[str, ...] = ()) -> tuple[str, str]:
        """Say what is wrong with a parameter that there is none of, and how to put it right.

        Args:
            name: The name that was given.
            also: What else could have been meant in that place.
        """
        for parameter in self.parameters:
            old = parameter.formerly
            if old and old.name == name:
                return (
                    f"the parameter {name!r} of {self.name} is called {parameter.name!r} now",
                    f"write {parameter.name} in place of {name}" + (old.unit and f": {old.unit}"),
                )
        known = {*also, *(parameter.name for parameter in self.parameters)}
        return f"{self.name} has no parameter {name!r}", suggest(name, known)

    def arguments(self, complete: Mapping[str, object]) -> dict[str, object]:
        """Return complete parameters as the function takes them, with its parts put together."""
        rest = dict(complete)
        arguments: dict[str, object] = {}
        for name, part in self.parts.items():
            names = (field.name for field in fields(cast("type[Any]", part)))
            arguments[name] = part(**{field: rest.pop(field) for field in names})
        return arguments | rest


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
    texts = entries_of(function, "Args")
    inputs: list[Port] = []
    outputs: list[Port] = []
    parameters: list[Parameter] = []
    parts: dict[str, type[object]] = {}
    for item in inspect.signature(function).parameters.values():
        hint, text = hints[item.name], texts.get(item.name, "")
        marker = next((m for m in _markers(hint) if isinstance(m, Input | Inputs | Output)), None)
        if isinstance(marker, Output):
            outputs.append(Port(item.name, marker.kind, help=text))
        elif marker is not None:
            many, optional = isinstance(marker, Inputs), get_origin(hint) in (UnionType, Union)
            inputs.append(Port(item.name, marker.kind, many, optional, text))
        elif is_dataclass(hint):
            parts[item.name] = cast("type[object]", hint)
            parameters += fields_of(cast("type[Any]", hint), item.default)
        else:
            required = item.default is inspect.Parameter.empty
            default = None if required else item.default
            parameters.append(Parameter(item.name, hint, default, required, text))
    _check_names(name, [*inputs, *outputs, *parameters])
    return Interface(
        name=name,
        image=module.IMAGE,
        summary=first_line(function),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        parameters=tuple(parameters),
        parts=parts,
        memory_gb=float(getattr(module, "MEMORY_GB", 4)),
        time_limit_s=float(getattr(module, "TIME_LIMIT_S", 3600)),
        occupies=getattr(module, "OCCUPIES", None),
        path=getattr(module, "PATH", None),
        named_by=getattr(module, "NAMED_BY", ()),
        cached_by_name=getattr(module, "CACHED_BY_NAME", True),
    )


def fields_of(part: type[Any], default: object) -> Iterator[Parameter]:
    """Yield a part's fields as parameters; an instance as default gives each its default."""
    hints = get_type_hints(part, include_extras=True)
    texts: dict[str, str] = {}
    for each in reversed(part.__mro__):  # a part may have the fields of another one and more
        texts |= entries_of(each, "Attributes")
    for field in fields(part):
        given = default is not inspect.Parameter.empty
        value = getattr(default, field.name) if given else _default_of(field)
        required = value is MISSING
        yield Parameter(
            field.name, hints[field.name], None if required else value, required,
            texts.get(field.name, ""),
        )  # fmt: skip


def _default_of(field: Field[Any]) -> object:
    assert field.default_factory is MISSING, "a parameter's default is a plain value"
    return field.default


def _check_names(component: str, items: list[Port | Parameter]) -> None:
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TypeError(f"{component}: two parameters are called {twice[0]!r}")


def _markers(hint: object) -> Iterator[object]:
    """Yield what an annotation carries beside its type, also inside ``... | None``."""
    if get_origin(hint) in (UnionType, Union):
        for part in get_args(hint):
            if part is not NoneType:
                yield from _markers(part)
    elif get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
