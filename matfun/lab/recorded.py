"""The recorded matrices of `matfun.lab.record`, as shipped: no torch, no training, no download.

What they are, and how their spectra look, is in `data/PROVENANCE.md`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Literal, get_args

import numpy as np

Kind = Literal["gradient", "momentum", "factor"]


def recorded(kind: Kind | None = None) -> dict[str, np.ndarray]:
    """Load the recorded matrices.

    Parameters
    ----------
    kind : {"gradient", "momentum", "factor"}, optional
        Only this kind; all by default.

    Returns
    -------
    matrices : dict of str to array, shape (m, n), float32
        Keys `kind/stepNNNN/matrix`, sorted.  Factors are symmetric, and rounding may have put eigenvalues
        slightly below 0, as an optimizer would meet them.
    """
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))} or None, got {kind!r}")
    with (files("matfun.lab") / "data" / "recorded.npz").open("rb") as stream, np.load(stream) as data:
        return {name: data[name] for name in sorted(data.files) if kind is None or name.split("/")[0] == kind}
