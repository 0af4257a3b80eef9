r"""Evaluation schemes: how h of one matrix is formed, what it costs, and how much rounding it amplifies.

Schemes form $c_1 S + \dots + c_q S^q$; the constant is left to whoever applies the result.

* Paterson-Stockmeyer with blocks of s: $S^2, \dots, S^s$, then Horner's rule in $S^s$ whose coefficients are
  polynomials of degree below s; $s - 1 + \lceil q/s \rceil - 1$ products, since $c_q S^s$ joins the leading block where
  s divides q (Paterson and Stockmeyer, SIAM J. Comput. 2(1), 1973).  s = 1 is Horner's rule.
* Degree 8 with three products instead of four: ``degree_eight.py``.

Prices, and the amplification as a derivative, in theory/evaluation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any

from matfun.host import host_constant
from matfun.polynomials.degree_eight import form, matched

LARGEST_SHARE = 2.0
"""Of the constant c_1^2 / (4 c_2) of a completed square in c_0: a choice."""

EMPIRICAL_RATIO = 2.5
"""The degree-8 scheme is taken where its amplification is at most this times Paterson-Stockmeyer's, for ||S|| <= 1.

Over the best polynomials of degree 17 in X for l = 1e-1 to 1e-8 and the later steps of their compositions, in both
bases, and over Taylor polynomials, the ratio was 1.28 to 1.77; for the bounds of their spectra in place of 1 it was 1.0
to 1.46 (tests/design/test_evaluation.py).
"""


@dataclass(frozen=True)
class Scheme:
    r"""One way to form $c_1 S + \dots + c_q S^q$.

    Parameters
    ----------
    coefficients : tuple of Scalar
        c_0, ..., c_q.
    block : int
        s of Paterson-Stockmeyer.
    parameters : tuple of float
        The sign of c_8 and c_1, ..., c_8 of the degree-8 scheme (see the header); empty for the others.

    Examples
    --------
    >>> from matfun.polynomials.evaluation import choose, horner
    >>> exponential = (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320)
    >>> [(s.name, s.products, round(s.amplification(), 1)) for s in (horner(exponential), choose(exponential))]
    [('horner', 7, 7.2), ('degree-8', 3, 7.9)]
    """

    coefficients: tuple[Any, ...]
    block: int
    parameters: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """``horner``, ``paterson-stockmeyer`` or ``degree-8``."""
        if self.parameters:
            return "degree-8"
        return "horner" if self.block == 1 else "paterson-stockmeyer"

    @property
    def products(self) -> int:
        """Products it takes; one less where S^2 is known, unless it is Horner's rule."""
        q = len(self.coefficients) - 1
        if self.parameters:
            return 3
        return self.block - 1 + (q - 1) // self.block if q > 1 else 0

    def evaluate(self, S: Any, square: Any, verbs: Any, multiply: Callable[[Any, Any], Any]) -> Any:
        """Form the polynomial without its constant.

        Parameters
        ----------
        S : array, shape (..., n, n)
        square : array, shape (..., n, n), or None
            S^2, which every scheme of at least one product needs, except Horner's rule.
        verbs : object
            Has ``scale(X, c)`` and ``add_diagonal(X, c)``, as an ``Ops`` does; results are added by ``+``.
        multiply : callable
            Product of two polynomials in S.
        """
        if self.parameters:
            return form(self.parameters, S, square, verbs.scale, multiply)
        c, s, q = self.coefficients, self.block, len(self.coefficients) - 1
        powers = [S] if s == 1 else [S, square]
        while len(powers) < s:
            powers.append(multiply(powers[-1], S))
        base = (q - 1) // s * s  # the highest multiple of s below q: up to s coefficients stand above it
        high = verbs.scale(S, c[base + 1])
        for j in range(2, q - base + 1):
            high = high + verbs.scale(powers[j - 1], c[base + j])
        while base > 0:
            high = multiply(powers[-1], verbs.add_diagonal(high, c[base]))
            base -= s
            for j in range(1, s):
                high = high + verbs.scale(powers[j - 1], c[base + j])
        return high

    def amplification(self, bound: Any = 1.0) -> Any:
        r"""Bound the rounding error for $\|S\| \le$ bound, to first order and in units of the unit roundoff.

        Every product, sum, scaling and constant is taken to be off by one unit of its size, sizes being those that the
        evaluation has on moduli.  That is so for real diagonal matrices; in products of full matrices of order n the
        unit is n times larger at worst (Higham, Accuracy and Stability, sec. 3.5), about $\sqrt n$ times in practice.

        Parameters
        ----------
        bound : float
            In the gram basis the square of the upper end of the interval, in the residual basis the larger of
            $1 - l^2$ and $u^2 - 1$.
        """
        if len(self.coefficients) == 1:
            return 0.0
        S = _Modulus(bound, 0.0)
        square = _MODULI.multiply(S, S) if self.products else None
        return self.evaluate(S, square, _MODULI, _MODULI.multiply).error


def completes_square(coefficients: Sequence[Any]) -> bool:
    """Whether c_1 S + c_2 S^2 may be formed as c_2 (S + c_1 / (2 c_2))^2 less a constant, coefficients being known.

    Where the constant is not much larger than c_0, whose rounding is there anyway: whatever S is measured in.  In the
    residual basis it would double the backward error of matrices of low rank, for which R is near I.
    """
    if len(coefficients) != 3 or not all(isinstance(c, (int, float)) for c in coefficients):
        return False
    c0, c1, c2 = coefficients
    return bool(c1 * c1 <= 4 * LARGEST_SHARE * abs(c0 * c2) and c2 != 0)


@dataclass(frozen=True)
class _Modulus:
    """Size of an intermediate result, and the error it may carry."""

    size: Any
    error: Any

    def __add__(self, other: _Modulus) -> _Modulus:
        size = self.size + other.size
        return _Modulus(size, self.error + other.error + size)


class _Moduli:
    """Verbs on moduli."""

    def scale(self, X: _Modulus, c: Any) -> _Modulus:
        c = abs(c)
        return _Modulus(c * X.size, c * X.error + 2 * c * X.size)  # c itself is rounded, too

    def add_diagonal(self, X: _Modulus, c: Any) -> _Modulus:
        return X + _Modulus(abs(c), abs(c))

    def multiply(self, X: _Modulus, Y: _Modulus) -> _Modulus:
        size = X.size * Y.size
        return _Modulus(size, X.error * Y.size + X.size * Y.error + size)


_MODULI = _Moduli()


def horner(coefficients: tuple[Any, ...]) -> Scheme:
    """Horner's rule: q - 1 products, and nothing stored but S and the sum."""
    return Scheme(coefficients, 1)


def paterson_stockmeyer(coefficients: tuple[Any, ...], block: int | None = None) -> Scheme:
    """Paterson-Stockmeyer with blocks of the given size, by default the one that costs least.

    Of equal ones the smallest, which stores the fewest powers, but not 1 where there is a product: the others profit
    from a square that is known already.

    Raises
    ------
    ValueError
        Where block is not in 1, ..., max(q, 1).
    """
    q = len(coefficients) - 1
    if block is None:
        block = _cheapest_block(q)
    if not 1 <= block <= max(q, 1):
        raise ValueError(f"block: expected 1 to {max(q, 1)}, got {block!r}")
    return Scheme(coefficients, block)


@host_constant
def _cheapest_block(q: int) -> int:
    return 1 if q < 2 else min(range(2, q + 1), key=lambda s: s + (q - 1) // s)


def degree_eight(coefficients: Sequence[Any]) -> Scheme | None:
    """Return the three-product scheme, with that of its two roots which amplifies less; None where there is none.

    Parameters
    ----------
    coefficients : sequence of float
        c_0, ..., c_8; or mpmath numbers, which give the parameters in their precision.
    """
    if len(coefficients) != 9:
        return None
    found = [Scheme(tuple(coefficients), 2, p) for p in matched(coefficients)]
    finite = [scheme for scheme in found if scheme.amplification() < inf]
    return min(finite, key=Scheme.amplification, default=None)


def choose(coefficients: tuple[Any, ...]) -> Scheme:
    """Return the scheme of least price, the degree-8 one only where it is as stable: ``EMPIRICAL_RATIO``.

    A function of the coefficients alone, so that a polynomial knows its price.  Coefficients on a device, whose values
    are not known, get Paterson-Stockmeyer.  Every scheme it returns that takes a product takes the square first.

    Parameters
    ----------
    coefficients : tuple of Scalar
        c_0, ..., c_q.

    Examples
    --------
    >>> from matfun.polynomials.evaluation import choose
    >>> [choose((1.0,) * (q + 1)).products for q in range(1, 13)]
    [0, 1, 2, 2, 3, 3, 4, 3, 4, 5, 5, 5]
    """
    if len(coefficients) == 9 and all(isinstance(c, (int, float)) for c in coefficients):
        # as text: torch.compile may carry numbers as unknowns, but must know the value of one to call its method
        parameters = _stable_degree_eight(tuple(float(c).hex() for c in coefficients))
        if parameters:
            return Scheme(coefficients, 2, parameters)
    return paterson_stockmeyer(coefficients)


@host_constant
def _stable_degree_eight(texts: tuple[str, ...]) -> tuple[float, ...]:
    return _remembered(texts)


@lru_cache(maxsize=512)
def _remembered(texts: tuple[str, ...]) -> tuple[float, ...]:
    coefficients = tuple(float.fromhex(text) for text in texts)
    scheme = degree_eight(coefficients)
    allowed = EMPIRICAL_RATIO * paterson_stockmeyer(coefficients).amplification()
    return scheme.parameters if scheme is not None and scheme.amplification() <= allowed else ()
