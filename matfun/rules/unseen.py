"""Ask a rule what it will do while nobody sees the residual: its updates, as far as they are known in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matfun.polynomials.update import Update
from matfun.rules.rule import ResidualView, Rule


class LookedError(Exception):
    """A rule asked about the residual."""


class _Unseen:
    """A residual of which nothing is known."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):  # Python's own questions
            raise AttributeError(name)
        raise LookedError(name)


UNSEEN = _Unseen()


def answers_without_looking(
    rule: Rule, view_of: Callable[[int, Update | None], ResidualView], steps: int
) -> list[Update]:
    """What the rule answers step by step, up to the first step in which it looks at the residual.

    Parameters
    ----------
    rule : Rule
    view_of : callable
        View for a step and the update before, whose residual is ``UNSEEN``.
    steps : int
    """
    known: list[Update] = []
    for k in range(steps):
        try:
            known.append(rule.next(view_of(k, known[-1] if known else None)))
        except LookedError:
            break
    return known
