"""The layout: which rooms there are, what may import what, and that every room explains itself."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from components import COMPONENTS
from tests.conftest import LONG

ROOT = Path(__file__).parents[1]

FLOORS = {
    "components": (
        "contract",
        "statistics",
        "artifacts",
        "data",
        "devices",
        "measure",
        "ml",
        "selection",
        "pages",
        "release",
        "components",  # the components themselves, and what starts them
    ),
    "pipelines": (
        "disk",
        "images",
        "config",
        "stores",
        "sources",
        "runs",
        "pipelines",  # compress and every other pipeline
        "engines",
        "launch",
        "lineage",
        "releases",
        "retention",
        "triggers",
        "web",
        "cli",
    ),
}
"""Rooms, lowest first: a room imports lower ones and itself, imports inside functions included."""

ML = ("networks", "graphs", "formats", "lite", "training", "techniques")
"""Folders of ``components/ml/``, lowest first; ``runtime.py`` and ``settings.py`` lie below them."""

HEAVY = {
    **dict.fromkeys(("tensorflow", "tf_keras", "tensorflow_model_optimization"), ("ml",)),
    "PIL": ("ml", "data"),
    "ai_edge_litert": ("ml", "devices"),
    "litert_quantizer": ("ml",),
    **dict.fromkeys(("kfp", "docker", "google", "sklearn", "matplotlib"), ()),
}
"""Which rooms of ``components/`` import what takes long, and no others, not even in a function."""


def modules(tree: str) -> list[Path]:
    found = sorted(path for path in (ROOT / tree).rglob("*.py") if "__pycache__" not in path.parts)
    assert found
    return found


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room on the floor plan: ``ml`` for ``components.ml.lite.parity``."""
    parts = module.split(".")
    folder = (ROOT / parts[0] / parts[1]).is_dir() if len(parts) > 1 else False
    return parts[1] if folder else parts[0]


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if is_module(full) else node.module)
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def ours(path: Path) -> set[str]:
    trees = tuple(f"{tree}." for tree in FLOORS)
    return {name for name in imports_of(path) if name.startswith(trees)}


def upward(tree: str) -> list[str]:
    """Imports that lead up, as sentences."""
    floors = FLOORS[tree]
    return [
        f"{name_of(path)} imports {name}"
        for path in modules(tree)
        for name in sorted(ours(path))
        if name.startswith(f"{tree}.")
        and floors.index(room_of(name)) > floors.index(room_of(name_of(path)))
    ]


@pytest.mark.parametrize("tree", FLOORS)
def test_every_room_has_a_floor(tree):
    assert {room_of(name_of(path)) for path in modules(tree)} == set(FLOORS[tree])


@pytest.mark.parametrize("tree", FLOORS)
def test_no_room_imports_a_higher_one(tree):
    assert upward(tree) == []


def test_folders_of_ml_import_lower_ones_alone():
    upward = [
        f"{name_of(path)} imports {name}"
        for path in modules("components")
        for name in sorted(ours(path))
        for importing, imported in [(ml_folder(name_of(path)), ml_folder(name))]
        if importing and imported and ML.index(imported) > ML.index(importing)
    ]
    assert upward == []
    assert {ml_folder(name_of(path)) for path in modules("components")} == {None, *ML}


def ml_folder(module: str) -> str | None:
    """The folder inside ``components/ml/``; None for modules elsewhere and beside the folders."""
    parts = module.split(".")
    return parts[2] if len(parts) > 3 and parts[:2] == ["components", "ml"] else None


def test_no_component_imports_another():
    for component in COMPONENTS:
        others = {f"components.{name}" for name in COMPONENTS} - {f"components.{component}"}
        assert not others & imports_of(ROOT / "components" / f"{component}.py"), component


def test_an_import_that_leads_up_is_found(monkeypatch):
    """The rule above can fail: on the first floor, everything that a component imports is higher."""
    monkeypatch.setitem(FLOORS, "components", tuple(reversed(FLOORS["components"])))
    assert len(upward("components")) > 100


@pytest.mark.parametrize("tree", FLOORS)
def test_no_module_imports_itself_on_a_way_round(tree):
    graph = {name_of(path): ours(path) - {name_of(path)} for path in modules(tree)}
    # A package's own file says nothing of what its modules import of each other.
    packages = {
        name for name in graph if (ROOT.joinpath(*name.split(".")) / "__init__.py").exists()
    }
    try:
        TopologicalSorter({k: v - packages for k, v in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("tree", FLOORS)
def test_folders_do_not_import_each_other(tree):
    """Folders of any depth: who is imported by a folder does not import it."""
    pairs = {
        (folder(name_of(path)), folder(name))
        for path in modules(tree)
        for name in ours(path)
        if folder(name) != folder(name_of(path)) and name.startswith(f"{tree}.")
    }
    both = {
        pair
        for pair in pairs
        if pair[::-1] in pairs
        # A folder holds its own folders, which may use what stands beside them.
        and not pair[0].startswith(f"{pair[1]}.")
        and not pair[1].startswith(f"{pair[0]}.")
    }
    assert both == set()


def folder(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    return module if path.is_dir() else module.rpartition(".")[0]


def test_at_the_top_of_components_stand_components():
    files = {path.stem for path in (ROOT / "components").glob("*.py")}
    assert files - {"__init__", "__main__"} == set(COMPONENTS)


def test_at_the_top_of_pipelines_stand_pipelines():
    for path in (ROOT / "pipelines").glob("*.py"):
        if path.stem not in ("__init__", "__main__"):
            assert "def graph_of(" in path.read_text(), f"{path.name} makes no graph"


def test_components_know_nothing_of_the_host():
    for path in modules("components"):
        assert not [name for name in imports_of(path) if name.split(".")[0] == "pipelines"], path


@pytest.mark.parametrize("heavy", HEAVY)
def test_what_takes_long_is_imported_in_its_rooms_alone(heavy):
    found = {
        room_of(name_of(path))
        for path in modules("components")
        if heavy in {name.split(".")[0] for name in imports_of(path)}
    }
    assert found <= set(HEAVY[heavy])
    assert found or not HEAVY[heavy], f"nothing imports {heavy}: the rule sees nothing"


@pytest.mark.parametrize(
    "room",
    [f"{tree}/{room}" for tree, rooms in FLOORS.items() for room in rooms if room != tree],
)
def test_a_room_says_what_it_imports(room):
    tree, name = room.split("/")
    text = (ROOT / room / "README.md").read_text()
    sentence = re.search(r"Imports: (.*?)\.\s", text.replace(".py`", "`"), re.DOTALL)
    assert sentence, "no sentence 'Imports: ...'"
    stated = set(re.findall(r"`([\w/]+)`", sentence[1]))
    found = {
        (room_of(module) if module.startswith(f"{tree}.") else f"components/{room_of(module)}")
        for path in modules(tree)
        if room_of(name_of(path)) == name
        for module in ours(path)
    }
    assert {"compress" if item == tree else item for item in found - {name}} == stated - {
        "COMPONENTS"
    }


def test_files_that_are_tested_first_are_there():
    assert [name for name in LONG if not (ROOT / "tests" / name).is_file()] == []
