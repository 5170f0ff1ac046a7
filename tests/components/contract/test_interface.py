"""The signature is the interface: ports, parameters and checks come from it alone."""

import subprocess
import sys

import pytest

from components import COMPONENTS
from components.contract.errors import UserError
from components.contract.interface import Parameter, Seed, interface_of


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
def test_every_parameter_is_documented(name):
    from inspect import getdoc

    from components.contract.interface import function_of

    text = getdoc(function_of(name)) or ""
    for item in (
        *interface_of(name).inputs,
        *interface_of(name).outputs,
        *interface_of(name).parameters,
    ):
        assert f"{item.name}:" in text, f"{name}: the docstring says nothing of {item.name}"


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
