"""The components: functions that run in containers, paths in and paths out.

A name in ``COMPONENTS`` is all there is to adding one: the module ``components/<name>.py`` holds
the function ``<name>``, and its signature is the interface that everything else derives from.
"""

COMPONENTS = (
    "ingest",
    "train",
    "cost_samples",
    "cost_model",
    "search",
    "search_page",
    "import_model",
    "import_answers",
    "distill",
    "prune",
    "cluster",
    "quantize",
    "quantize_aware",
    "convert",
    "evaluate",
    "evaluate_answers",
    "benchmark",
    "benchmark_ssh",
    "benchmark_adb",
    "benchmark_browser",
    "benchmark_microcontroller",
    "benchmark_results",
    "select",
    "publish",
)
