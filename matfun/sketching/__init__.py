r"""Sketches: what is drawn, what was drawn, and how it is applied are three things.

* ``distributions.py``: random matrices S of shape (size, n) with $E[S^H S] = I$, and how many rows a theorem asks for.
* ``samples.py``: one drawn S, as host values.  Its application is the verb ``sketch`` of ``matfun/ops.py``.
* ``trace.py``, ``trace_sizes.py``: stochastic estimates of traces.

``matfun/ops.py`` imports the samples, so that nothing imported here may import it: estimators are imported by file.
"""

from matfun.sketching.distributions import Distribution, Gaussian, Rademacher, RowSampling, SparseSign, Srht
from matfun.sketching.trace_sizes import (
    hutchinson_size,
    hutchinson_size_indefinite,
    hutchpp_size,
    hutchpp_variance,
)

__all__ = [
    "Distribution",
    "Gaussian",
    "Rademacher",
    "RowSampling",
    "SparseSign",
    "Srht",
    "hutchinson_size",
    "hutchinson_size_indefinite",
    "hutchpp_size",
    "hutchpp_variance",
]
