"""Shared by all tests: one BLAS thread per worker process, and float64 in JAX before its first array exists."""

import os
from importlib.util import find_spec

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when the libraries load, which is later than this line

if find_spec("jax") is not None:
    import jax

    jax.config.update("jax_enable_x64", True)
