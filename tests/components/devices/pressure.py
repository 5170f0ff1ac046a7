"""What a kernel says of how long anything waited for a processor, written to a file."""

from __future__ import annotations

from pathlib import Path


def pressure(path: Path, total_us: int) -> Path:
    path.write_text(f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total_us}\nfull total=0\n")
    return path
