"""The packages that only exports need."""

from __future__ import annotations

from importlib.util import find_spec

from components.contract.extras import not_installed

EXTRA = "export"
"""Name of the extra that installs them."""

_MODULES = {
    "openlineage": ("openlineage.client", "openlineage-python"),
    "cyclonedx": ("cyclonedx", "cyclonedx-python-lib"),
}


def check_installed(form: str) -> None:
    """Let a form pass whose package is installed.

    Args:
        form: Of the export.

    Raises:
        UserError: It is not.
    """
    module, package = _MODULES[form]
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        found = False
    if not found:
        raise not_installed(f"export --format {form}", package, EXTRA)
