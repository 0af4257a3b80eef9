"""A source of random numbers that refuses: for what is traced once and run many times with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


class DrawnError(Exception):
    """Somebody wants random numbers where none may be drawn."""


class _NoDraws(np.random.Generator):
    def standard_normal(self, *_: Any, **__: Any) -> Any:
        """Refuse.

        Raises
        ------
        DrawnError
        """
        raise DrawnError


NO_DRAWS = _NoDraws(np.random.PCG64(0))
