"""The health line of the images: import what this one is there for.

``python -m components.contract.doctor [IMAGE]``; no component imports it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import cast

from components.contract.images import FRAMEWORKS
from components.contract.types import ImageName


def main(argv: list[str]) -> int:
    """Import the frameworks of an image, by default the one that this process runs in."""
    image = cast("ImageName", argv[0] if argv else os.environ.get("SLIMLINE_IMAGE", "light"))
    for module in FRAMEWORKS[image]:
        importlib.import_module(module)
    sys.stdout.write(json.dumps({"image": image, "modules": FRAMEWORKS[image]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
