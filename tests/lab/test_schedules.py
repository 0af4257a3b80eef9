"""Schedules on the command line and in figures: what is printed to 17 digits, what is drawn, and what is refused."""

import re
import sys

import numpy as np
import pytest

import matfun
from matfun.rules.schedule import Schedule

EXACT = ("--dtype", "exact", "--cushion", "0", "--safety", "1")


def numbers_in(text):
    """Third column of the table."""
    rows = [re.fullmatch(r"\s*(\d+)?\s+x(?:\^(\d+))?\s+(-?[\d.e+-]+)\b.*", line) for line in text.splitlines()]
    return [float(row[3]) for row in rows if row]


@pytest.mark.parametrize("degree", ["3", "9"])
def test_the_table_has_all_digits(run, degree):
    result = run("design", "--degree", degree, "--steps", "4", "--lower", "1e-2", *EXACT)
    assert result.exit_code == 0
    made = matfun.design(1e-2, degree=int(degree), steps=4, dtype=None, cushion=0, safety=1)
    assert numbers_in(result.stdout) == [c for row in made.coefficients for c in row]
    assert f"sup |1 - x| over [0.01, 1]: {made.error:.6g}" in result.stdout
    assert f"products: {made.products}" in result.stdout
    assert max(map(len, result.stdout.split("\n\n")[0].splitlines())) <= 80


def test_one_degree_for_each_step_and_another_power(run):
    result = run("design", "--degree", "3", "--degree", "5", "--lower", "0.3", "--p", "3", "--dtype", "exact")
    made = matfun.design(0.3, degree=(3, 5), p=3, dtype=None)
    assert numbers_in(result.stdout) == [c for row in made.coefficients for c in row]
    assert "x^4" in result.stdout
    assert "x^7" in result.stdout
    assert "x the power 1/3 of an eigenvalue of M" in result.stdout


def test_cushion_and_safety_are_shown(run):
    result = run("design", "--steps", "6", "--dtype", "bfloat16", "--degree", "3")
    stage = matfun.design(steps=6, degree=3, dtype="bfloat16").stages[0]
    assert f"cushion {stage.fitted:.4g}, safety {stage.safety:g}" in result.stdout
    assert "safe in: bfloat16, float16" in result.stdout


def test_target_price_and_widest_interval(run):
    for arguments, made in (
        (("--target", "1e-2"), matfun.design(target=1e-2)),
        (("--products", "12"), matfun.design(products=12)),
        (("--lower", "widest", "--steps", "4", "--target", "0.3"), matfun.design(None, steps=4, target=0.3)),
    ):
        result = run("design", *arguments)
        assert numbers_in(result.stdout) == [c for row in made.coefficients for c in row]


def test_json_python_and_figure(run, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = run("design", *EXACT, "--json", "-")
    made = matfun.design(dtype=None, cushion=0, safety=1)
    assert Schedule.from_json(result.stdout) == made
    result = run("design", *EXACT, "--python", "--json", "plan.json", "--plot", "plan.png")
    assert Schedule.from_json((tmp_path / "plan.json").read_text()) == made
    assert made.to_python() in result.stdout
    assert "Figure: plan.png" in result.stdout
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_published_lists(run):
    result = run("presets")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == matfun.presets()
    assert [line.split(":")[0] for line in result.stdout.splitlines() if "DEFECTIVE" in line] == ["turbo-muon-aol"]
    result = run("presets", "you-6")
    assert numbers_in(result.stdout) == [c for row in matfun.preset("you-6").coefficients for c in row]
    assert "note: " in result.stdout
    result = run("presets", "turbo-muon-aol")
    assert "DEFECTIVE: its first polynomial is negative above 0.8837" in result.stdout
    assert "safe in: no format" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("design", "--lower", "wide"), "--lower: expected a number, got 'wide'"),
        (("design", "--degree", "4"), "degree: expected one or several of (3, 5"),
        (("design", "--lower", "widest"), "lower: expected a number, or None with target and steps, got None"),
        (("design", "--target", "0.1", "--products", "9"), "target, products: expected at most one of the two"),
        (("design", "--dtype", "half"), "dtype: expected"),
        (("design", "--plot", "no/such/folder.png"), "--plot: "),
        (("presets", "cubic"), "name: no published list is called 'cubic'; did you mean 'cubic5'"),
        (("presets", "--python"), "NAME: expected one where --python, --json or --plot is given"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_wrong_input_is_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"matfun: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("steps", [1, 5, 7])
def test_the_figure_shows_the_error_and_every_equioscillation(steps):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    made = matfun.design(steps=steps, dtype=None, cushion=0, safety=1)
    whole, *parts = made.plot().subfigs
    (ax,) = whole.axes
    x, y = ax.lines[0].get_data()
    inside = (x >= 1e-3) & (x <= 1)
    assert np.abs(y[inside]).max() == pytest.approx(made.error, rel=1e-2)
    assert [line.get_ydata()[0] for line in ax.lines[1:]] == [made.error, -made.error]
    panels = [panel for panel in parts[0].axes if panel.lines]
    assert len(panels) == steps
    for panel, stage in zip(panels, made.stages, strict=True):
        marks = panel.lines[1].get_ydata()
        if stage.error > 1e-9:
            assert np.abs(marks) == pytest.approx([stage.error] * 4, rel=1e-4)  # q + 2 points
            assert (np.diff(np.sign(marks)) != 0).all()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'drawing needs matplotlib: pip install "matfun\[plot\]"'):
        matfun.design().plot()
