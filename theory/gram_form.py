r"""Gram form of a polynomial iteration for the polar factor: its price, and why it has to restart.

Map.  With $G = X^H X$ and h a polynomial in G, $X h(G)$ has the Gram matrix $h G h = G h^2$: all matrices are functions
of one G.  From $Q_0 = I$ the recursion $Q \leftarrow Q h(G)$, $G \leftarrow G h(G)^2$ gives $X Q_k = X_k$ in exact
arithmetic, so that every curve and limit is that of the standard form.

Price of a block of b steps that begin with X and end with X Q, with s_j products to form h_j: one Gram product and one
X Q; $\sum s_j$ for the h; b - 1 products for Q, none for the first; two for G, a square and $G h^2$, after all but the
last.  A block of one step is a standard step.  For b = 2 and 3 and quintics (s = 1) that is 5 and 9 products of the small
side and 2 of the large one each: with aspect a, five steps in two blocks cost $14 + 4 a$, where the standard form costs
$5 + 10 a$; with symmetric products at half price $14 + 6 a$ against $5 + 15 a$ (in $n^3$).

Why it restarts.  Let G carry an error of relative size u.  Where the true eigenvalue is 0 the carried one is
$\lambda = \pm u$, and $\lambda \leftarrow \lambda h(\lambda)^2$ multiplies it by $h(0)^2$ a step, 69 for the steepest
quintic; a positive one ends at the fixed point 1, a negative one has none: with $h(\lambda) > h(0)$ for
$\lambda < 0$ it grows without bound (``spurious``).

Source: Gram Newton-Schulz, Dao AI Lab, 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["price", "spurious"]


def price(products: Sequence[int], restarts: Sequence[int]) -> dict[str, int]:
    """Products of a run: ``gram`` and ``apply`` with the large side, ``symm`` with the small one.

    Parameters
    ----------
    products : sequence of int
        s_j, the products that form h in each step.
    restarts : sequence of int
        Steps before which a block begins, without the first.
    """
    found = {"gram": 0, "symm": 0, "apply": 0}
    for begin, end in pairwise((0, *restarts, len(products))):
        steps = end - begin
        found["gram"] += 1
        found["apply"] += 1
        found["symm"] += sum(products[begin:end]) + (steps - 1) + 2 * (steps - 1)
    return found


def spurious(coefficients: Sequence[Sequence[float]], start: float) -> list[float]:
    """Eigenvalue of the carried G before and after every step, for h by its coefficients in G.

    Parameters
    ----------
    coefficients : sequence of sequences of float
        Gram basis, from the constant up.
    start : float
    """
    values = [start]
    for c in coefficients:
        x = values[-1]
        h = sum(a * x**i for i, a in enumerate(c))
        values.append(x * h * h)
    return values
