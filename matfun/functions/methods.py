"""``matfun.methods``: what can be given as ``method=``."""

from __future__ import annotations

from matfun.rules.rule import registered


def methods(problem: str = "polar") -> list[str]:
    """Names that ``method=`` accepts for a problem, besides ``"auto"``.

    Parameters
    ----------
    problem : {"polar", "sign", "sqrt", "invroot", "inv"}

    Returns
    -------
    list of str
        Sorted.

    Raises
    ------
    ValueError
        For a problem that no rule serves.

    Examples
    --------
    >>> import matfun
    >>> "prism" in matfun.methods("polar")
    True
    """
    entries = registered()
    problems = sorted({name for entry in entries.values() for name in entry.problems})
    if problem not in problems:
        raise ValueError(f"problem: expected {' or '.join(map(repr, problems))}, got {problem!r}")
    return [name for name, entry in entries.items() if problem in entry.problems]
