"""The gallery: every matrix a method should be tried on, as named cases that a test or a comparison can walk.

A case is deterministic: `case.matrix(seed)` always gives the same array.  Select by size and by tags, e.g.
`gallery(max_size=32, tags={"complex"})`.  Tags: shape ("square", "tall", "wide", "vector", "scalar"), field
("real", "complex"), and what is special: "ill-conditioned" (kappa above 1e7), "rank-deficient", "named",
"structured", "heavy-tailed", "scaled", "easy" (nothing special: a method that fails here is broken).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from matfun.lab import matrices as named
from matfun.lab import spectra as sp
from matfun.lab.htmp import htmp

Build = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One test matrix.

    `singular_values` are what the construction says (descending, min(m, n) of them), None where no formula is
    at hand; the array has them up to a few eps times the largest.  `kappa` is a note for people.
    """

    name: str
    shape: tuple[int, int]
    build: Build = field(repr=False, compare=False)
    singular_values: tuple[float, ...] | None = field(default=None, repr=False)
    kappa: str = ""
    tags: frozenset[str] = frozenset()

    def matrix(self, seed: int = 0) -> np.ndarray:
        """Build the matrix, shape `self.shape`, float64 or complex128."""
        return self.build(np.random.default_rng(seed))


def gallery(*, max_size: int | None = None, tags: str | Iterable[str] | None = None) -> list[Case]:
    """List the cases.

    Parameters
    ----------
    max_size : int, optional
        Only cases with max(m, n) at most this.
    tags : str or iterable of str, optional
        Only cases that carry all of these tags.

    Returns
    -------
    cases : list of Case
        In a fixed order; names are unique.
    """
    wanted = frozenset([tags] if isinstance(tags, str) else tags or ())
    cases = [*_by_spectrum(), *_by_name(), *_degenerate()]
    unknown = wanted - frozenset().union(*(case.tags for case in cases))
    if unknown:
        raise ValueError(f"no case has the tag {', '.join(sorted(unknown))}")
    return [c for c in cases if (max_size is None or max(c.shape) <= max_size) and wanted <= c.tags]


def _case(
    name: str,
    shape: tuple[int, int],
    build: Build,
    sigmas: np.ndarray | None = None,
    kappa: str = "",
    tags: str = "",
) -> Case:
    """Add the tags that follow from shape and spectrum."""
    m, n = shape
    all_tags = {*tags.split(), "square" if m == n else "tall" if m > n else "wide"}
    all_tags |= {"scalar"} if m == n == 1 else {"vector"} if min(m, n) == 1 else set()
    if "complex" not in all_tags:
        all_tags.add("real")
    values = None
    if sigmas is not None:
        values = tuple(float(s) for s in sorted(sigmas, reverse=True))
        if values[-1] == 0:
            all_tags.add("rank-deficient")
        elif values[0] / values[-1] > 1e7:
            all_tags.add("ill-conditioned")
        kappa = kappa or ("infinite" if values[-1] == 0 else f"{values[0] / values[-1]:.3g}")
    return Case(name, shape, build, values, kappa, frozenset(all_tags))


def _spectral(
    name: str,
    sigmas: np.ndarray,
    m: int | None = None,
    n: int | None = None,
    exponent: int = 0,
    tags: str = "",
) -> Case:
    """Haar factors around `sigmas`, times 2^exponent (exact)."""
    shape = (m or sigmas.size, n or sigmas.size)
    full = np.append(sigmas, np.zeros(min(shape) - sigmas.size))

    def build(rng: np.random.Generator) -> np.ndarray:
        made = sp.with_singular_values(sigmas, *shape, rng, complex_="complex" in tags.split())
        return np.asarray(made * 2.0**exponent)

    return _case(name, shape, build, full * 2.0**exponent, tags=tags)


def _by_spectrum() -> list[Case]:
    """Cases with chosen singular values."""
    cases = [_spectral(f"log-spaced-1e{d}", sp.log_spaced(32, 10.0**d)) for d in (3, 6, 9, 12, 15)]
    cases += [_spectral(f"one-tiny-1e{d}", sp.one_tiny(32, 10.0**d)) for d in (4, 8, 15)]
    cases += [
        _spectral("linear-1e2", sp.linear_spaced(32, 1e2), tags="easy"),
        _spectral("one-large-1e6", sp.one_large(32, 1e6)),
        _spectral("clustered-1e6", sp.clustered(32, 1e6)),
        _spectral("repeated", sp.repeated(32), tags="easy"),
        _spectral("spike-and-flat", sp.spike_and_flat(64)),
        _spectral("inner-minimum-1e3", sp.inner_minimum(32, 1e3)),
        _spectral("inner-minimum-1e8", sp.inner_minimum(32, 1e8)),
        _spectral("log-1e6-to-1e-6", 1e6 * sp.log_spaced(32, 1e12)),
        _spectral("orthogonal", np.ones(32)),
        _spectral("rank-half", sp.log_spaced(16, 10.0), 32, 32),
        _spectral("rank-n-minus-1", sp.log_spaced(31, 1e3), 32, 32),
        _spectral("tall-4-1e6", sp.log_spaced(16, 1e6), 64, 16),
        _spectral("tall-16-1e3", sp.log_spaced(16, 1e3), 256, 16),
        _spectral("tall-4-rank-deficient", sp.log_spaced(8, 10.0), 64, 16),
        _spectral("wide-4-1e6", sp.log_spaced(16, 1e6), 16, 64),
        _spectral("wide-2-rank-deficient", sp.log_spaced(8, 10.0), 16, 32),
        _spectral("complex-1e1", sp.log_spaced(24, 1e1), tags="complex easy"),
        _spectral("complex-1e10", sp.log_spaced(24, 1e10), tags="complex"),
        _spectral("complex-tall-1e4", sp.log_spaced(8, 1e4), 32, 8, tags="complex"),
        _spectral("complex-wide-1e4", sp.log_spaced(8, 1e4), 8, 32, tags="complex"),
        _spectral("unitary", np.ones(16), tags="complex"),
    ]
    cases += [_spectral(f"power-law-{alpha}", sp.power_law(48, alpha)) for alpha in (0.5, 1.0, 2.0)]
    cases += [_spectral(f"htmp-{k}", htmp(96, 48, k), 96, 48, tags="heavy-tailed") for k in (0.1, 0.5, 100.0)]
    for e in (-900, -100, 100, 900):
        cases.append(_spectral(f"scaled-2^{e}", sp.log_spaced(16, 1e4), exponent=e, tags="scaled"))
    cases.append(_spectral("complex-2^900", sp.log_spaced(8, 1e4), exponent=900, tags="scaled complex"))
    cases += [
        _case("gaussian", (32, 32), lambda rng: sp.gaussian(32, 32, rng), kappa="random"),
        _case("gaussian-tall", (128, 32), lambda rng: sp.gaussian(128, 32, rng), kappa="random"),
        _case("gaussian-wide", (32, 128), lambda rng: sp.gaussian(32, 128, rng), kappa="random"),
        _case("ginibre", (24, 24), lambda r: sp.gaussian(24, 24, r, complex_=True), tags="complex"),
    ]
    return cases


def _by_name() -> list[Case]:
    """Cases known by name, and those built with structure."""
    n, k = 16, np.arange(1, 17)
    minij_values = 1 / (4 * np.sin((2 * k - 1) * np.pi / (4 * n + 2)) ** 2)
    blocks = np.concatenate([sp.log_spaced(8, kappa) for kappa in (1e1, 1e6, 1e12)])
    levels = np.repeat([1.0, 2.0**-49], n)
    return [
        _case("hilbert", (8, 8), lambda _: named.hilbert(8), kappa="1.5e10", tags="named ill-conditioned"),
        _case("lotkin", (4, 4), lambda _: named.lotkin(4), kappa="1.7e4", tags="named"),
        _case("kahan", (n, n), lambda _: named.kahan(n), kappa="4.2e2", tags="named"),
        _case("frank", (8, 8), lambda _: named.frank(8), kappa="2.8e5", tags="named"),
        _case("lehmer", (n, n), lambda _: named.lehmer(n), kappa="below 4 n^2", tags="named"),
        _case("minij", (n, n), lambda _: named.minij(n), minij_values, tags="named"),
        _case("wilson", (4, 4), lambda _: named.wilson(), kappa="2984", tags="named"),
        _case("moler", (12, 12), lambda _: named.moler(12), kappa="about 4^n", tags="named ill-conditioned"),
        _case("grcar", (n, n), lambda _: named.grcar(n), kappa="below 4", tags="named"),
        _case("graded", (n, n), lambda r: named.graded(n, 0.3, r), tags="structured ill-conditioned"),
        _case("block-diagonal", (24, 24), lambda r: named.block_diagonal(8, rng=r), blocks, "", "structured"),
        _case("two-level-hadamard", (32, 32), lambda r: named.two_level(32, rng=r), levels, "", "structured"),
    ]


def _degenerate() -> list[Case]:
    """Zeros, vectors, scalars, permutations: where formulas divide by zero."""

    def zeroed(rng: np.random.Generator) -> np.ndarray:
        matrix = sp.gaussian(16, 12, rng)
        matrix[3], matrix[:, 5] = 0.0, 0.0
        return matrix

    one_to = np.arange(1.0, 9.0)
    norm = np.sqrt(204.0)  # 1 + 4 + ... + 64
    unit = np.append(np.ones(15), 0.0)
    return [
        _case("identity", (16, 16), lambda _: np.eye(16), np.ones(16)),
        _case("minus-identity", (5, 5), lambda _: -np.eye(5), np.ones(5)),
        _case("permutation", (9, 9), lambda r: np.eye(9)[r.permutation(9)], np.ones(9), tags="structured"),
        _case("nilpotent", (16, 16), lambda _: named.nilpotent(16), unit, tags="structured"),
        _case("zero", (8, 8), lambda _: np.zeros((8, 8)), np.zeros(8)),
        _case("zero-tall", (8, 3), lambda _: np.zeros((8, 3)), np.zeros(3)),
        _case("zero-rows-and-columns", (16, 12), zeroed, kappa="infinite", tags="rank-deficient structured"),
        _case("rank-one", (8, 8), lambda _: np.outer(one_to, one_to[::-1]), np.append(204.0, np.zeros(7))),
        _case("rounded-rank-4", (16, 16), lambda r: sp.rank_deficient(16, 16, 4, r), tags="rank-deficient"),
        _case("scalar", (1, 1), lambda _: np.array([[3.0]]), np.array([3.0])),
        _case("negative-scalar", (1, 1), lambda _: np.array([[-2.0]]), np.array([2.0])),
        _case("complex-scalar", (1, 1), lambda _: np.array([[3.0 + 4.0j]]), np.array([5.0]), tags="complex"),
        _case("zero-scalar", (1, 1), lambda _: np.zeros((1, 1)), np.zeros(1)),
        _case("column", (8, 1), lambda _: one_to[:, None].copy(), np.array([norm])),
        _case("row", (1, 8), lambda _: one_to[None, :].copy(), np.array([norm])),
        _case("complex-column", (8, 1), lambda _: 1j * one_to[:, None], np.array([norm]), tags="complex"),
    ]
