"""Published coefficient lists, as data with their source and claim; tests recompute the claims."""

from __future__ import annotations

POLAR_EXPRESS_PUBLISHED = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""Coefficients of x, x^3, x^5 by step; l = 1e-3 (arXiv 2505.16932 appendix, github.com/NoahAmsel/PolarExpress).

Claim: the composition for [1e-3, 1].  It holds for the cushioned composition (cushion 0.02407327424182761); row 7
is off by 2.5e-11, its Remez solve having lost those digits.
"""
