"""The references: the exact function (1 - r)^(-1/p) of the start through a factorisation, then polished.

Eigenvalues for Hermitian matrices, a Schur form on the host for the others, LU for the inverse.  Newton-Schulz steps
follow only while the residual asks for them.  Theory: theory/eigh.py, theory/schur.py, theory/lu.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, Polynomial, Update
from matfun.rules.rule import ResidualView, rule


def _exact_then_polish(view: ResidualView, factorisation: str) -> Update:
    if view.step == 0:
        return ExactRoot(view.p, factorisation)
    return Polynomial(taylor_inverse_root(view.p, 1))


@rule("eigh", problems=("sign", "sqrt", "invroot"))
@dataclass(frozen=True)
class Eigh:
    """Q f(L) Q^H of the eigendecomposition of a Hermitian matrix.

    Notes
    -----
    One eigendecomposition (some 9 n^3 flops) and one product.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 4.6.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> matfun.sqrtm(np.diag([4.0, 9.0]), method="eigh")
    array([[2., 0.],
           [0., 3.]])
    """

    hermitian_only = ("sign", "sqrt", "invroot")
    exact = True

    def next(self, view: ResidualView) -> Update:
        """Return the exact function first, Newton-Schulz after."""
        return _exact_then_polish(view, "eigh")


@rule("schur", problems=("sign", "sqrt", "invroot"))
@dataclass(frozen=True)
class Schur:
    """Schur methods of a general matrix, on the host through SciPy.

    Notes
    -----
    Some 25 n^3 flops for the Schur form, 3 to 10 n^3 for the function of the triangle.

    References
    ----------
    Björck and Hammarling (1983); Deadman, Higham, Ralha (2013); Higham and Lin (2013).

    Examples
    --------
    >>> import numpy as np, matfun
    >>> bool(abs(matfun.sqrtm(np.array([[1.0, 4.0], [0.0, 9.0]]), method="schur") - [[1, 1], [0, 3]]).max() < 1e-14)
    True
    """

    exact = True

    def next(self, view: ResidualView) -> Update:
        """Return the exact function first, Newton-Schulz after."""
        return _exact_then_polish(view, "schur")


@rule("lu", problems=("inv",))
@dataclass(frozen=True)
class Lu:
    """Inverse by Gaussian elimination with partial pivoting.

    Notes
    -----
    2 n^3 flops.

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms (2002), ch. 14.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> matfun.invm(np.diag([4.0, 8.0]), method="lu")
    array([[0.25 , 0.   ],
           [0.   , 0.125]])
    """

    exact = True

    def next(self, view: ResidualView) -> Update:
        """Return the exact function first, Newton-Schulz after."""
        return _exact_then_polish(view, "lu")
