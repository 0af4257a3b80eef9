"""Shared by all tests: JAX must have float64 before its first array exists."""

from importlib.util import find_spec

if find_spec("jax") is not None:
    import jax

    jax.config.update("jax_enable_x64", True)
