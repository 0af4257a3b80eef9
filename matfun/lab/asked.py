"""What a comparison was asked for: a name for every matrix, a label for every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import matfun
from matfun.rules.rule import registered


def named_matrices(A: Any) -> dict[str, Any]:
    """Give every matrix a name, and make nested lists NumPy arrays."""
    if isinstance(A, Mapping):
        named = {str(name): matrix for name, matrix in A.items()}
    elif isinstance(A, (list, tuple)) and all(getattr(item, "ndim", 0) >= 2 for item in A):
        named = {f"A[{i}]": matrix for i, matrix in enumerate(A)}
    else:
        named = {"A": A}
    if not named:
        raise ValueError("A: expected at least one matrix, got none")
    return {name: np.asarray(item) if isinstance(item, (list, tuple)) else item for name, item in named.items()}


def named_methods(methods: Any) -> dict[str, Any]:
    """Label the methods, and refuse unknown ones before anything runs."""
    if methods is None:
        methods = matfun.methods("polar")
    elif isinstance(methods, str) or not isinstance(methods, Sequence):
        methods = [methods]
    if not methods:
        raise ValueError("methods: expected at least one method, got none")
    return {_label(method): method for method in methods}


def _label(method: Any) -> str:
    if isinstance(method, str) and method == "auto":
        return method
    name = matfun.simulate(method, [1.0], steps=0).method
    if isinstance(method, str) or not is_dataclass(method):
        return name
    options = [(f.name, getattr(method, f.name), f.default) for f in fields(method) if f.repr]
    changed = [f"{key}={value}" for key, value, default in options if value != default]
    return f"{name}({', '.join(changed)})" if changed else name


def converges(method: Any) -> bool:
    """Look a method up in the register; a rule that is not there is taken at its word."""
    return all(e.converges for e in registered().values() if e.name == method or e.make is type(method))
