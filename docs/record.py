"""Compute the named parts of a record of numbers, and keep the others if they are of the same machine and libraries."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def write(path: Path, parts: dict[str, Callable[[], Any]], names: Sequence[str], libraries: tuple[str, ...]) -> None:
    """Compute parts, all of them if none is named, print the record and write it."""
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: version(name) for name in libraries},
    }
    kept = json.loads(path.read_text()) if names else {}
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise SystemExit(f"expected some of {list(parts)}, got {unknown}")
    if names and kept.get("environment") != environment:
        raise SystemExit(f"the numbers that would be kept are of {kept.get('environment')}, not of {environment}")
    document = {"environment": environment} | {
        name: part() if not names or name in names else kept[name] for name, part in parts.items()
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    path.write_text(text + "\n")
    print(text)
