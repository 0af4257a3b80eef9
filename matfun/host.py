"""Mark what is computed on the host from Python values, so that compilers take its answer as a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def host_constant(function: F) -> F:
    """Tell ``torch.compile`` to call the function while tracing, not to trace it.

    What it marks imports modules, fills caches or iterates in Python floats, none of which can be traced.  Objects
    that it makes are left in a module's dictionary and read from there by the caller, since only plain values can be
    returned into a trace.  The attribute is the one that ``torch.compiler.assume_constant_result`` sets; torch
    itself is not imported for it.

    Parameters
    ----------
    function : callable
        Of Python values only.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function
