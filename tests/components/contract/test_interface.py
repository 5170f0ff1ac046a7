"""The signature is the interface: ports, parameters and checks come from it alone."""

import os
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated

import pytest

from components import COMPONENTS
from components.contract.errors import UserError
from components.contract.interface import Parameter, interface_of
from components.contract.types import Formerly, ModelIn, ModelOut, PositiveInt, Seed


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_has_a_complete_interface(name):
    interface = interface_of(name)
    assert interface.name == name
    assert interface.image in ("train", "device", "light")
    assert interface.summary.endswith(".")
    assert interface.outputs
    names = [
        *(p.name for p in interface.inputs),
        *(p.name for p in interface.outputs),
        *(p.name for p in interface.parameters),
    ]
    assert len(names) == len(set(names))
    required = [p.name for p in interface.parameters if p.required]
    for parameter in interface.parameters:
        if not parameter.required and parameter.default is not None:
            parameter.validate(parameter.default, strict=True)
    if "threads" in names:
        assert "threads" not in required


@pytest.mark.parametrize("name", COMPONENTS)
def test_everything_that_goes_in_or_out_is_documented(name):
    interface = interface_of(name)
    for item in (*interface.inputs, *interface.outputs, *interface.parameters):
        assert item.help, f"{name}: no docstring says anything of {item.name}"


@pytest.mark.parametrize("name", COMPONENTS)
def test_help_says_what_every_parameter_means(name):
    done = subprocess.run(
        [sys.executable, "-m", "components", name, "--help"],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "10000"},
    )  # fmt: skip
    for parameter in interface_of(name).parameters:
        assert parameter.help.rstrip(".") in done.stdout


@dataclass(frozen=True, kw_only=True)
class Oven:
    """How it is baked.

    Attributes:
        degrees: Heat of the oven,
            degrees Celsius.
        minutes: How long.
    """

    degrees: PositiveInt = 180
    minutes: Annotated[PositiveInt, Formerly("time")] = 40


def bake(
    dough: ModelIn, cake: ModelOut, *, oven: Oven = Oven(minutes=50), eggs: PositiveInt = 3
) -> None:
    """Bake a cake.

    Args:
        dough: What is baked.
        cake: What comes out.
        eggs: Count.
    """
    cake.write_text(f"{dough} {oven.degrees} {oven.minutes} {eggs}")


def interface_from(function, monkeypatch):
    """The interface of a function as if its module were one of the components."""
    module = ModuleType(f"components.{function.__name__}")
    setattr(module, function.__name__, function)
    module.IMAGE = "light"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("components.contract.interface.COMPONENTS", (function.__name__,))
    return interface_of.__wrapped__(function.__name__)


def test_a_part_is_its_fields_to_the_outside_and_whole_for_the_call(monkeypatch, tmp_path):
    interface = interface_from(bake, monkeypatch)
    found = {p.name: (p.default, p.help) for p in interface.parameters}
    assert found == {
        "degrees": (180, "Heat of the oven, degrees Celsius."),
        "minutes": (50, "How long."),
        "eggs": (3, "Count."),
    }
    complete = interface.complete({"degrees": 200}, where="here")
    assert complete == {"degrees": 200, "minutes": 50, "eggs": 3}
    arguments = interface.arguments(complete)
    assert arguments == {"oven": Oven(degrees=200, minutes=50), "eggs": 3}
    bake(tmp_path, tmp_path / "cake", **arguments)
    assert (tmp_path / "cake").read_text().endswith("200 50 3")


def test_two_parameters_of_one_name_are_an_error(monkeypatch):
    def bake(cake: ModelOut, *, oven: Oven = Oven(), minutes: PositiveInt = 3) -> None: ...

    bake.__annotations__ = {"cake": ModelOut, "oven": Oven, "minutes": PositiveInt}
    with pytest.raises(TypeError, match="two parameters are called 'minutes'"):
        interface_from(bake, monkeypatch)


def test_a_former_name_is_an_error_that_gives_the_new_one(monkeypatch):
    interface = interface_from(bake, monkeypatch)
    with pytest.raises(UserError, match="'time' of bake is called 'minutes' now") as caught:
        interface.complete({"time": 30}, where="here")
    assert caught.value.fix == "write minutes in place of time"


def test_reading_every_interface_loads_no_framework():
    code = (
        "import sys; from components import COMPONENTS; from components.contract.interface import interface_of;"
        "[interface_of(n) for n in COMPONENTS];"
        "print([m for m in ('tensorflow','tf_keras','kfp','docker','google.cloud','sklearn','matplotlib','numpy','PIL','ai_edge_litert') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_faults_name_place_value_and_the_nearest():
    prune = interface_of("prune")
    with pytest.raises(UserError, match="no parameter 'sparsty'") as caught:
        prune.complete({"sparsty": 0.5}, where="variants.a[0].prune")
    assert "sparsity" in caught.value.fix
    with pytest.raises(UserError, match=r"variants.a\[0\].prune.sparsity: .*less than 1.*got 1.5"):
        prune.complete({"sparsity": 1.5}, where="variants.a[0].prune")
    with pytest.raises(UserError, match="sparsity"):
        prune.complete({"sparsity": "0.5"}, where="x", strict=True)
    assert prune.complete({"sparsity": "0.25"}, where="x", strict=False)["sparsity"] == 0.25


def test_integers_from_json_may_be_floats_but_not_fractions():
    seed = Parameter("seed", Seed, 0, required=False)
    assert seed.validate(3.0, strict=False) == 3
    for wrong in (3.5, -1, 2**31):
        with pytest.raises(ValueError, match="got"):
            seed.validate(wrong, strict=False)


def test_there_is_no_such_component():
    with pytest.raises(UserError, match="no component 'prun'") as caught:
        interface_of("prun")
    assert "did you mean 'prune'" in caught.value.fix
