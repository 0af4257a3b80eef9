"""Figures show the numbers of the rows, and leave the world as it was."""

import subprocess
import sys

import numpy as np
import pytest

import matfun
from matfun.lab import plots
from matfun.lab.spectra import log_spaced, with_singular_values

matplotlib = pytest.importorskip("matplotlib", reason="figures are an extra")
matplotlib.use("Agg")

METHODS = ["muon", "newton-schulz", "prism", "svd"]


@pytest.fixture(scope="module")
def found():
    named = {f"kappa 1e{d}": with_singular_values(log_spaced(8, 10.0**d), rng=d) for d in (1, 2, 3, 4, 5)}
    named["singular"] = np.zeros((8, 8))
    named["stack"] = np.stack([np.eye(3)] * 2)
    return matfun.compare(named, METHODS, repeats=1)


def rows_of(found, matrix):
    return {row.method: row for row in found.rows if row.matrix == matrix}


def test_panels_are_spread_over_the_condition_numbers(found):
    figure = found.plot()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [t.split("   ")[0] for t in titles] == ["kappa 1e1", "kappa 1e2", "kappa 1e4", "kappa 1e5"]
    assert "8 x 8" in titles[0]


def test_markers_are_measured_and_lines_predicted(found):
    figure = plots.convergence(found, matrices=["kappa 1e3"])
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    rows = rows_of(found, "kappa 1e3")
    drawn = {line.get_label(): line for line in ax.lines if line.get_linestyle() == "None"}
    assert list(drawn) == ["muon", "newton-schulz", "prism"]
    for method, line in drawn.items():
        assert list(zip(*line.get_data(), strict=True)) == [p for p in rows[method].measured if p[1] > 0]
    theory = [line for line in ax.lines if line.get_linestyle() == "-"]
    for line, method in zip(theory, drawn, strict=True):
        assert list(zip(*line.get_data(), strict=True)) == [p for p in rows[method].predicted if p[1] > 0]
        assert line.get_color() == drawn[method].get_color()
    assert len({line.get_color() for line in theory}) == len({d.get_marker() for d in drawn.values()}) == 3
    eps = [line for line in ax.lines if line not in theory and line not in drawn.values()]
    assert [line.get_ydata()[0] for line in eps] == [2.0**-52]
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        "muon, 5 steps", "newton-schulz", "prism", "measured", "theory (matfun.simulate)"
    ]  # fmt: skip


def test_given_axes_are_used(found):
    figure = matplotlib.figure.Figure()
    ax = figure.subplots()
    assert found.plot(ax) is figure
    assert "products" in ax.get_xlabel()
    assert len(ax.lines) == 7
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["muon", "newton-schulz", "prism"]


def test_what_cannot_be_drawn_is_said(found):
    with pytest.raises(ValueError, match=r"matrices: expected names out of kappa 1e1, .*, got 'nix'"):
        found.plot(matrices=["nix"])
    with pytest.raises(ValueError, match="matrices: none has a curve"):
        found.plot(matrices=["stack"])
    with pytest.raises(ValueError, match="matrices: none has a curve"):
        matfun.compare(np.eye(2), ["svd"], repeats=1).plot()


def test_no_global_state_and_files(found, tmp_path):
    before = dict(matplotlib.rcParams)
    path = tmp_path / "figure.png"
    plots.save(found.plot(), str(path))
    plots.save(plots.simulated(matfun.simulate("prism", [0.1, 1.0], steps=4)), str(tmp_path / "curve.svg"))
    assert dict(matplotlib.rcParams) == before
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) < 300_000
    assert int.from_bytes(data[16:20], "big") >= 1800, "900 px at two device pixels each"
    assert b"<svg" in (tmp_path / "curve.svg").read_bytes()
    code = "import matfun.lab.plots, sys; sys.exit('matplotlib.pyplot' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_simulated_curve(found):
    curve = matfun.simulate("newton-schulz", [0.1, 1.0], steps=4)
    (ax,) = plots.simulated(curve).axes
    residuals, errors = (line.get_data() for line in ax.lines)
    assert list(residuals[0]) == list(errors[0]) == [0, 3, 6, 9, 12]
    assert list(residuals[1]) == list(curve.residuals)
    assert list(errors[1]) == list(curve.errors)


def test_missing_matplotlib_is_one_clear_sentence(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'drawing needs matplotlib: pip install "matfun\[plot\]"'):
        found.plot()


def test_a_method_that_factorises_anywhere_is_not_drawn_nor_ranked():
    """Its products must not make it a cheap iteration."""
    named = {"e": np.eye(4, 1), "dense": with_singular_values(log_spaced(6, 1e2), rng=0)}
    found = matfun.compare(named, ["svd", "prism"], repeats=1)
    assert [row.factorisations for row in found.rows if row.method == "svd"] == [1, 1]
    figure = found.plot()
    assert "svd" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert [ax.get_title(loc="left").split("   ")[0] for ax in figure.axes] == ["dense"]
    assert "(svd: a factorisation instead)" in found.verdict()
    line = next(line for line in found.table(summary=True).split("\n") if line.startswith("svd"))
    assert "f+" in line
