"""Published coefficient lists as schedules, and which of them are refused.

The data is in polynomials/presets.py, what the lists really are in docs/coefficients.md.
"""

from __future__ import annotations

from matfun.host import host_constant
from matfun.polynomials.certificate import exact_sup_error
from matfun.polynomials.presets import PRESETS
from matfun.rules.rule import unknown_name
from matfun.rules.schedule import Schedule

PROBLEMS = ("polar", "sign", "sqrt")
"""The lists are odd polynomials: p = 2."""

_made: dict[str, Schedule] = {}


def presets() -> list[str]:
    """Names of the published coefficient lists, which ``method=`` accepts for polar factor, sign and square roots.

    Returns
    -------
    list of str
        Sorted; a defective list is among them, but has to be asked for by ``preset(name, allow_defective=True)``.

    Examples
    --------
    >>> import matfun
    >>> "cubic5" in matfun.presets()
    True
    """
    return sorted(PRESETS)


def preset(name: str, *, allow_defective: bool = False) -> Schedule:
    r"""Return a published coefficient list, with its error recomputed.

    Parameters
    ----------
    name : str
        One of ``matfun.presets()``.
    allow_defective : bool
        Whether a list that is known to be wrong is meant.

    Returns
    -------
    Schedule
        ``interval`` is the one that the list is meant for and ``error`` the recomputed $\sup |1 - p|$ over it.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, and for a defective list that is not asked for as such.

    References
    ----------
    One for each list, in matfun/polynomials/presets.py.

    Examples
    --------
    >>> import matfun
    >>> plan = matfun.preset("cubic5")
    >>> len(plan), plan.products, plan.interval
    (5, 10, (0.007, 1.0))
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected a str, got {name!r}")
    if name not in PRESETS:
        raise ValueError(unknown_name("name", f"no published list is called {name!r}", name, PRESETS))
    defect = PRESETS[name].defect
    if defect and not allow_defective:
        raise ValueError(
            f"the published list {name!r} is defective: {defect.rstrip('.')}; expected another one, or "
            f"matfun.preset({name!r}, allow_defective=True) where that is meant"
        )
    _make(name)
    return _made[name]


@host_constant
def _make(name: str) -> bool:
    if name not in _made:
        found = PRESETS[name]
        error = exact_sup_error(found.polynomials, found.lower, 1.0)
        _made[name] = Schedule(
            found.polynomials,
            (found.lower, 1.0),
            error,
            name=name,
            repeat=found.repeat,
            note=f"{found.note}.  Source: {found.source}",
            defect=found.defect or "",
        )
    return True
