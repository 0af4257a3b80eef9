"""Published coefficient lists, as data: digits as printed, interval, claim, origin, defect.

What they really are is recomputed in docs/check_coefficients.py and told in docs/coefficients.md;
tests/design/test_presets.py holds both to this file.  A list is data of its source, not a recommendation: most were
made for 16 bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Polynomials = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Preset:
    """One published list of odd polynomials, applied one after the other.

    Attributes
    ----------
    name : str
    polynomials : tuple of tuple of float
        By step, the coefficients of x, x^3(, x^5).
    lower : float
        It is meant for singular values in [lower, 1].
    lower_from : {"source", "reproduced", "recomputed", "assumed"}
        Who says so: the source; the construction that gives its digits; the list itself, being the smallest value
        (rounded up) that ends no lower than the lowest plateau of the list; or nobody.
    source : str
        Where the digits are from, and where they were compared.
    note : str
        What it really is.
    claimed_error : float or None
        sup |1 - p| over [lower, 1] that the source states or that follows from its construction.
    band : tuple of float or None
        (least, greatest) final value, where the source aims at a band and not at 1.
    repeat : bool
        Whether the source applies the last polynomial in all further steps.
    defect : str or None
        What is wrong with it, where it must not be used.
    """

    name: str
    polynomials: Polynomials
    lower: float
    lower_from: Literal["source", "reproduced", "recomputed", "assumed"]
    source: str
    note: str
    claimed_error: float | None = None
    band: tuple[float, float] | None = None
    repeat: bool = False
    defect: str | None = None


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

JORDAN = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x^3, x^5 (github.com/KellerJordan/Muon, muon.py)."""

GRAM_SAFETY = 1.05
"""Dao-AILab/gram-newton-schulz, coefficients.py: p(x / 1.05) in each of five steps, the last one too."""

_LISTS = (
    Preset(
        "polar-express-published",
        POLAR_EXPRESS_PUBLISHED,
        lower=1e-3,
        lower_from="source",
        source="arXiv 2505.16932, algorithm 1; modichirag/GPT-opt; rows 1 to 6 again in kexue.fm/archives/11059",
        note="composition with cushion 0.02407327424182761, not the plain minimax one; row 7 off by 2.5e-11, row 8 the "
        "Taylor polynomial; the source applies p(x / 1.01) in all rows but the last",
        claimed_error=7.03e-28,
        repeat=True,
    ),
    Preset(
        "polar-express-folded",
        (
            (8.2051, -22.9019, 16.4607),
            (4.0664, -2.8612, 0.5184),
            (3.9096, -2.8234, 0.5250),
            (3.2856, -2.4153, 0.4853),
            (2.2779, -1.6198, 0.3985),
            (1.8726, -1.2307, 0.3585),
            (1.8564, -1.2132, 0.3568),
            (1.8750, -1.2500, 0.3750),
        ),
        lower=1e-3,
        lower_from="reproduced",
        source="NVIDIA-NeMo/Emerging-Optimizers, muon_utils.py, polar_express; "
        "NVIDIA/TransformerEngine, newton_schulz.py",
        note="polar-express-published with the safety factor 1.01 folded into rows 1 to 7, to 4 decimals; the first "
        "coefficient is 8.20516, cut to 8.2051",
        repeat=True,
    ),
    Preset(
        "gram-newton-schulz",
        tuple(tuple(c / GRAM_SAFETY ** (2 * i + 1) for i, c in enumerate(row)) for row in POLAR_EXPRESS_PUBLISHED[:5]),
        lower=1e-3,
        lower_from="reproduced",
        source="Dao-AILab/gram-newton-schulz, coefficients.py; first row as pinned in the tests of a port",
        note="rows 1 to 5 of polar-express-published with the safety factor 1.05 in all five, also in the last: the "
        "final values are not centred at 1",
    ),
    Preset(
        "modded-nanogpt",
        (
            (8.156554524902461, -22.48329292557795, 15.878769915207462),
            (4.042929935166739, -2.808917465908714, 0.5000178451051316),
            (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
            (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
            (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
        ),
        lower=1e-3,
        lower_from="reproduced",
        source="KellerJordan/modded-nanogpt, train_gpt.py; karpathy/nanochat, optim.py",
        note="cushion 0.02 (the comment there says 2), safety 1.02 inside the recursion, the last row without",
        claimed_error=0.1411274,
    ),
    Preset(
        "cans-quintic",
        (
            (8.4703, -25.1081, 18.6293),
            (4.1828, -3.1087, 0.5806),
            (3.9619, -2.9541, 0.5630),
            (3.2866, -2.4647, 0.5074),
            (2.2737, -1.6447, 0.4162),
        ),
        lower=1e-3,
        lower_from="reproduced",
        source="NVIDIA/TransformerEngine, newton_schulz.py, cans (after arXiv 2506.10935); Megatron, coefficient sets",
        note="plain minimax composition, rounded to 4 decimals; Megatron repeats the last row, of which 1 is no fixed "
        "point",
        claimed_error=0.1134485,
        repeat=True,
    ),
    Preset(
        "cans-cubic-7",
        (
            (5.181702879894027, -5.177039351076183),
            (2.585422564566848, -0.647862782007566),
            (2.565592012027513, -0.645264570196127),
            (2.516223347431526, -0.638782620243433),
            (2.401068707564606, -0.623585125272674),
            (2.170844761790119, -0.592849780534662),
            (1.839437716819516, -0.547668362229117),
        ),
        lower=9e-4,
        lower_from="reproduced",
        source="arXiv 2506.10935, appendix G (order 3, 7 steps, eps 0.3), from one transcription",
        note="plain minimax composition from a left end of 9e-4, a rounded one: eps 0.3 is reached from 8.929e-4 on",
        claimed_error=0.3,
    ),
    Preset(
        "cubic5",
        (
            (3.3656576, -3.3420992),
            (2.5744352, -1.4957376),
            (2.5368962, -1.4312570),
            (2.4418906, -1.2764040),
            (2.2230472, -0.9630650),
        ),
        lower=7e-3,
        lower_from="source",
        source="arXiv 2606.00371, from two implementations that print the same 7 decimals",
        note="minimax cubics, each scaled so that its maximum is 1.3, rounded to 7 decimals",
        band=(0.7, 1.3),
    ),
    Preset(
        "muon",
        (JORDAN,) * 5,
        lower=1.6e-3,
        lower_from="recomputed",
        source="KellerJordan/Muon, muon.py; NVIDIA-NeMo/Emerging-Optimizers, muon_utils.py, simple",
        note="tuned for a steep start; does not converge: 1 is no fixed point, values wander in a band for ever",
        band=(0.7, 1.3),
        repeat=True,
    ),
    Preset(
        "deepseek-v4",
        (JORDAN,) * 8 + ((2.0, -1.5, 0.5),) * 2,
        lower=2.7e-5,
        lower_from="recomputed",
        source="DeepSeek-V4 report, algorithm 1 and eq. 28; Megatron, muon coefficient sets, deepseekv4",
        note="the constant of muon, then 2 x - 1.5 x^3 + 0.5 x^5, for which 1 is a fixed point of second order",
        repeat=True,
    ),
    Preset(
        "you-5",
        (
            (4.0848, -6.8946, 2.9270),
            (3.9505, -6.3029, 2.6377),
            (3.7418, -5.5913, 2.3037),
            (2.8769, -3.1427, 1.2046),
            (2.8366, -3.0525, 1.2012),
        ),
        lower=2.5e-3,
        lower_from="recomputed",
        source="KellerJordan/modded-nanogpt, train_gpt_medium.py; NVIDIA-NeMo/Emerging-Optimizers, quintic",
        note="tuned by optimisation (J. You); its last four rows are what Turbo-Muon's own routine applies",
    ),
    Preset(
        "you-6",
        tuple(
            (a / 1024, b / 1024, c / 1024)
            for a, b, c in (
                (3955, -8306, 5008),
                (3735, -6681, 3463),
                (3799, -6499, 3211),
                (4019, -6385, 2906),
                (2677, -3029, 1162),
                (2172, -1833, 682),
            )
        ),
        lower=1.7e-3,
        lower_from="recomputed",
        source="gist.github.com/YouJiacheng/393c90cbdc23b09d5688815ba382288b; docs.modula.systems; "
        "kexue.fm/archives/10922",
        note="tuned by optimisation (J. You), multiples of 1/1024",
    ),
    Preset(
        "turbo-muon",
        (
            (4.6051846, -9.6552305, 5.676981),
            (4.750538, -6.086122, 2.1790226),
            (2.776319, -2.3190296, 0.55232877),
            (2.423169, -2.2861216, 0.81937317),
        ),
        lower=8.4e-3,
        lower_from="recomputed",
        source="thib-s/flash-newton-schulz, opt_params.py, the start of a search (arXiv 2512.04632)",
        note="tuned for the spectra that a row scaling leaves; the scaling changes the polar factor, the list does not",
    ),
    Preset(
        "turbo-muon-aol",
        (
            (4.0098, -7.0585, 2.4635),
            (3.4585, -5.5479, 2.5959),
            (2.7573, -3.2939, 1.4254),
            (2.7215, -3.0494, 1.3169),
        ),
        lower=1e-3,
        lower_from="assumed",
        source="NVIDIA-NeMo/Emerging-Optimizers, muon_utils.py, aol; NVIDIA/TransformerEngine, newton_schulz.py",
        note="an older tuned list of Turbo-Muon, kept there after its authors had changed theirs",
        defect="its first polynomial is negative above 0.8837, so that large singular values change sign",
    ),
    Preset(
        "prism-constant",
        ((2.95, -3.4, 1.45),) * 3,
        lower=5e-2,
        lower_from="recomputed",
        source="arXiv 2601.22137, sec. 4 and appendix E.2: alpha = 29/20 in the first three steps",
        note="h = 1 + r/2 + (29/20) r^2 at the upper end of PRISM's interval; 1 is a fixed point of second order",
    ),
)

PRESETS = {preset.name: preset for preset in _LISTS}
"""All of them, by name; one with a defect is here as a negative example."""
