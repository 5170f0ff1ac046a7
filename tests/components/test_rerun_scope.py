"""What an edit runs again: the components that have the edited module in their closure."""

import pytest

from components import COMPONENTS
from components.contract.closure import closure_of, path_of

EDITS = {
    "ml.training.discriminants": {"train"},
    "ml.techniques.fisher": {"train"},
    "ml.techniques.supervised": {"train"},
    "ml.formats.pretrained": {"train"},
    "ml.techniques.importing": {"import_model"},
    "ml.formats.keras_files": {"import_model"},
    "ml.formats.users_saved_model": {"import_model"},
    "ml.techniques.fitting": {"import_model", "import_answers"},
    "ml.graphs.flattening": {
        "import_model",
        "distill",
        "prune",
        "cluster",
        "quantize_aware",
        "search",
    },
    "ml.graphs.folding": {"cluster", "quantize_aware"},
    "ml.graphs.heads": {"import_model", "import_answers"},
    "ml.graphs.towers": {"import_model"},
    "ml.techniques.distillation": {"distill", "search"},
    "ml.techniques.distillation_settings": {"distill", "search"},
    "ml.training.teacher": {"distill", "search", "prune", "cluster", "quantize_aware"},
    "ml.training.restarts": {"prune", "cluster", "quantize_aware"},
    "ml.training.loop": {"train", "distill", "search", "prune", "cluster", "quantize_aware"},
    "ml.techniques.weight_pruning": {"prune"},
    "ml.techniques.sparsity": {"prune"},
    "ml.lite.flatbuffer": {"quantize", "convert", "cost_samples"},
    "ml.lite.sensitivity": {"quantize"},
    "ml.lite.warnings": {"convert", "cost_samples"},
    "ml.techniques.post_training_quantization": {"quantize"},
    "ml.techniques.quantization_settings": {"quantize"},
    "ml.techniques.image_draws": {"quantize", "quantize_aware"},
    "ml.techniques.clustering": {"cluster"},
    "ml.techniques.quantization_aware_training": {"quantize_aware"},
    "ml.techniques.self_distillation": {"cluster", "quantize_aware"},
    "ml.formats.calibration": {"quantize", "quantize_aware", "convert", "cost_samples"},
    "ml.techniques.search_settings": {"search", "cost_samples"},
    "ml.techniques.search_training": {"search"},
    "ml.techniques.cost_sampling": {"cost_samples"},
    "pages.search_front": {"search_page", "select", "publish"},
    "ml.training.constraints": {"cluster", "quantize_aware"},
    "devices.host": {"benchmark", "benchmark_browser", "cost_model"},
    "devices.probing": {
        "benchmark",
        "benchmark_ssh",
        "benchmark_adb",
        "benchmark_browser",
        "cost_model",
    },
    "devices.remote.ssh": {"benchmark_ssh"},
    "devices.remote.adb": {"benchmark_adb"},
    "devices.remote.watched": {"benchmark_ssh", "benchmark_adb"},
    "devices.browser.device": {"benchmark_browser"},
    "devices.microcontroller": {"benchmark_microcontroller"},
}


@pytest.mark.parametrize("module", EDITS)
def test_an_edit_runs_those_components_again_and_no_others(module):
    name = f"components.{module}"
    assert path_of(name)
    assert {component for component in COMPONENTS if name in closure_of(component)} == EDITS[module]


@pytest.mark.parametrize("component", ["train", "distill", "prune"])
def test_no_technique_is_in_the_closure_of_another(component):
    rooms = {
        "train": {"supervised", "fisher", "fisher_settings", "linear", "linear_classifier"},
        "distill": {
            "distillation",
            "distillation_settings",
            "feature_matching",
            "feature_pairing",
            "targets",
        },
    }
    own = rooms.get(
        component,
        {
            "weight_pruning",
            "weight_pruning_settings",
            "preservation",
            "sparsity",
            "tfmot_pruning",
            "structured_pruning",
            "structure_importance",
            "block_removal",
            "channel_removal",
            "channel_settings",
            "channel_selection",
            "tfmot_wrapping",
            "pruning_ruin",
        },
    )
    loaded = {name for name in closure_of(component) if ".ml.techniques." in name}
    assert loaded == {f"components.ml.techniques.{name}" for name in own}


def test_pages_cards_and_charts_run_those_that_write_pages_alone():
    for component in set(COMPONENTS) - {"select", "publish", "search_page"}:
        assert not [name for name in closure_of(component) if name.startswith("components.pages")]
