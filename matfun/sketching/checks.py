"""Checks of sizes, probabilities and generators, each message naming the argument, what was expected and what came."""

from __future__ import annotations

from math import inf
from numbers import Real
from typing import Any

import numpy as np


def check_integer(name: str, value: Any, *, least: int = 1) -> None:
    """Raise unless value is an integer of at least ``least``.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_fraction(name: str, value: Any) -> None:
    """Raise unless value is a number in (0, 1).

    Raises
    ------
    ValueError
    """
    if not (isinstance(value, Real) and 0 < float(value) < 1):
        raise ValueError(f"{name}: expected a number in (0, 1), got {value!r}")


def check_positive(name: str, value: Any) -> None:
    """Raise unless value is a positive finite number.

    Raises
    ------
    ValueError
    """
    if not (isinstance(value, Real) and 0 < float(value) < inf):
        raise ValueError(f"{name}: expected a positive finite number, got {value!r}")


def check_shape(size: Any, n: Any) -> None:
    """Raise unless both are positive integers.

    Raises
    ------
    ValueError, TypeError
    """
    check_integer("size", size)
    check_integer("n", n)


def check_goal(name: str, count: Any, distortion: Any, failure: Any) -> None:
    """Raise unless the count of that name is positive and the others are in (0, 1).

    Raises
    ------
    ValueError, TypeError
    """
    check_integer(name, count)
    check_fraction("distortion", distortion)
    check_fraction("failure", failure)


def generator(rng: Any) -> np.random.Generator:
    """Return rng itself if it is a generator, else a new one seeded by it.

    Parameters
    ----------
    rng : numpy.random.Generator, seed or None

    Raises
    ------
    ValueError, TypeError
    """
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng: expected a numpy.random.Generator, a seed or None, got {rng!r}") from None
