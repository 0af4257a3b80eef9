"""A comparison says what happened: planted faults, failures and prices appear in its rows, table, JSON and verdict."""

import json
import math

import numpy as np
import pytest

import matfun
from matfun.lab.compare import Comparison, Row
from matfun.lab.gallery import gallery
from matfun.lab.measure import Subject, to_host
from matfun.lab.prices import describe, spent
from matfun.lab.report import short
from matfun.lab.spectra import gaussian, log_spaced, with_singular_values

A = with_singular_values(log_spaced(8, 1e3), 12, 8, 0)
EPS = float(np.finfo(np.float64).eps)


class Cubic:
    """A rule that nobody registered."""

    def next(self, _):
        return matfun.Polynomial((1.0, 0.5))


@pytest.fixture(scope="module")
def found():
    return matfun.compare({"a": A, "b": gaussian(6, 6, 1)}, repeats=1)


def test_rows_agree_with_polar(found):
    assert isinstance(found, Comparison)
    assert found.matrices == ["a", "b"]
    assert found.methods == matfun.methods("polar")
    assert len(found.rows) == 2 * len(found.methods)
    for row in found.rows:
        assert isinstance(row, Row)
        a = {"a": A, "b": gaussian(6, 6, 1)}[row.matrix]
        steps = 5 if row.method == "muon" else None
        U, H = result = matfun.polar(a, method=row.method, steps=steps, rng=0)
        assert (row.status, row.steps) == (result.info.status.name, result.info.steps)
        assert (row.products, row.thin_products) == (result.info.products, result.info.thin_products)
        assert row.shape == a.shape
        assert row.dtype == "float64"
        assert row.eps == EPS
        assert row.seconds > 0
        assert row.limit == (12 + math.sqrt(min(a.shape))) * EPS
        size = np.linalg.norm(a)
        assert row.backward_error == pytest.approx(np.linalg.norm(a - U @ H) / size, rel=0.2, abs=EPS)
        gram = np.linalg.norm(U.T @ U - np.eye(a.shape[1])) / math.sqrt(a.shape[1])
        assert row.orthogonality == pytest.approx(gram, rel=0.2, abs=EPS)
        assert row.within == (max(row.backward_error, row.orthogonality) <= row.limit)
        # an SVD has several times the backward error of an iteration, which matfun.polar allows for
        assert (row.backward_error < 8 * row.limit) == (row.orthogonality < 8 * row.limit) == (row.method != "muon")


def test_condition_and_forward_error(found):
    row = next(r for r in found.rows if (r.matrix, r.method) == ("a", "svd"))
    norm = math.sqrt(sum(s * s for s in log_spaced(8, 1e3)) / 8)
    assert row.condition == pytest.approx(1e3 * norm, rel=1e-9)
    assert row.forward_units < 10
    muon = next(r for r in found.rows if (r.matrix, r.method) == ("a", "muon"))
    assert muon.forward_error > 1e-3


def test_muon_runs_its_customary_steps_and_says_so(found):
    rows = [r for r in found.rows if r.method == "muon"]
    assert {(r.asked, r.steps, r.status) for r in rows} == {("5 steps (customary)", 5, "UNCHECKED")}
    assert "muon is accurate on 0 of 2: after 5 steps (customary) the errors are up to" in found.verdict()
    assert "muon, 5 steps" in found.table()
    asked = matfun.compare(A, ["muon"], tol=1e-3, repeats=1).rows[0]
    assert (asked.asked, asked.status, asked.within) == ("tol 0.001", "STAGNATED", False)
    assert asked.limit == 1e-3
    by_class = matfun.compare(A, [matfun.Muon()], repeats=1).rows[0]
    assert by_class.asked == "5 steps (customary)"


def test_failure_is_a_row_not_an_exception_nor_a_warning(recwarn):
    found = matfun.compare(A, ["muon", "svd"], tol=1e-3, repeats=1)
    assert not recwarn.list
    assert "muon is accurate on 0 of 1: 1 STAGNATED (the residual stopped decreasing above the tolerance)" in (
        found.verdict()
    )
    assert "below the tolerance asked for" in found.verdict()
    assert "Accurate on the matrix: svd." in found.verdict()
    assert "factorisation" not in found.verdict(), "nothing to rank"


def test_verdict_ranks_by_numbers(found):
    text = found.verdict()
    good = [m for m in found.methods if all(r.within for r in found.rows if r.method == m)]
    assert f"Accurate on both matrices: {', '.join(good)}." in text
    iterations = [m for m in good if not any(r.factorisations for r in found.rows if r.method == m)]
    medians = {m: np.median([r.products for r in found.rows if r.method == m]) for m in iterations}
    assert len(medians) >= 3
    ranked = ", ".join(f"{m} {medians[m]:g}" for m in sorted(medians, key=medians.get))
    assert f"Matrix products, median, fewest first: {ranked}" in text
    assert "scipy.linalg.polar in float64" in text


def test_a_wrong_answer_is_called_wrong(monkeypatch):
    """The verdict must come from A and the truth, not from what the method says of itself."""
    honest = matfun.polar

    def lying(*args, **options):
        result = honest(*args, **options)
        return matfun.PolarResult.of(-result.U, result.H, result.info)

    monkeypatch.setattr(matfun, "polar", lying)
    found = matfun.compare(A, ["svd"], repeats=1)
    row = found.rows[0]
    assert row.status == "CONVERGED"
    assert row.orthogonality < row.limit
    assert row.backward_error == pytest.approx(2)
    assert row.forward_error == pytest.approx(2)
    assert not row.within
    assert "svd is accurate on 0 of 1: 1 CONVERGED with errors up to" in found.verdict()
    assert "No method is accurate on the matrix." in found.verdict()


def test_reference_is_scipy(found):
    for row, a in zip(found.references, (A, gaussian(6, 6, 1)), strict=True):
        assert (row.method, row.status, row.dtype) == ("scipy.linalg.polar", "REFERENCE", "float64")
        assert row.backward_error < 100 * EPS
        assert row.shape == a.shape


def test_same_seed_same_rows():
    one, two = (matfun.compare(A, ["prism"], rng=3, repeats=1).rows[0] for _ in range(2))
    assert one.measured == two.measured
    assert one.measured != matfun.compare(A, ["prism"], rng=4, repeats=1).rows[0].measured
    drawn = matfun.compare(A, ["prism"], rng=np.random.default_rng(5), repeats=1)
    assert drawn.environment["seed"] != 0


@pytest.mark.parametrize("method", [m for m in matfun.methods("polar") if m not in ("svd", "muon")])
def test_theory_and_run_agree_until_rounding(found, method):
    row = next(r for r in found.rows if (r.matrix, r.method) == ("a", method))
    assert len(row.measured) >= len(row.predicted) >= (3 if method == "zolotarev" else 4)
    # another draw of the sketch moves what is seen of the spectrum; Chen and Chow's steep polynomials magnify rounding
    tolerance = {"prism": 0.3, "prism-newton": 0.3, "window": 0.3, "chen-chow": 1e-4}.get(method, 1e-6)
    for (x, y), (px, py) in zip(row.measured, row.predicted, strict=False):
        assert x == px
        if py > 0.1:
            assert y == pytest.approx(py, rel=tolerance)
    assert row.measured[0][0] == 0
    assert row.measured[-1][1] == pytest.approx(row.orthogonality * math.sqrt(8), rel=0.5, abs=20 * EPS)


def test_products_along_the_curve_are_the_price():
    for method, step in (("newton-schulz", 3), (matfun.NewtonSchulz(degree=3), 2), (matfun.NewtonSchulz(degree=7), 4)):
        curve = matfun.simulate(method, [0.5, 1.0], steps=4)
        assert spent(curve).tolist() == [0, step, 2 * step, 3 * step, 4 * step]
        assert spent(curve)[-1] == curve.products
    exact_fit = matfun.simulate(matfun.Prism(sketch_size=None), [0.5, 1.0], steps=3)
    assert spent(exact_fit)[-1] == exact_fit.products
    assert spent(matfun.simulate("svd", [0.5], steps=0)).tolist() == [0]


def test_fixed_steps_have_the_end_of_the_run_as_their_measurement():
    row = matfun.compare(A, ["newton-schulz"], steps=3, repeats=1).rows[0]
    assert (row.status, row.asked, row.steps) == ("UNCHECKED", "3 steps", 3)
    assert len(row.predicted) == 4
    assert row.measured == ((9.0, pytest.approx(row.predicted[-1][1], rel=1e-9)),)


def test_stack_reports_its_worst_member():
    stack = np.stack([np.eye(5), gaussian(5, 5, 2), np.zeros((5, 5))])
    row = matfun.compare(stack, ["newton-schulz"], repeats=1).rows[0]
    alone = [matfun.compare(a, ["newton-schulz"], repeats=1).rows[0] for a in stack]
    assert row.shape == (3, 5, 5)
    assert row.status == "COMPLETED"
    assert row.steps == max(r.steps for r in alone)
    assert row.backward_error == pytest.approx(max(r.backward_error for r in alone), abs=4 * EPS)
    assert row.measured == row.predicted == ()


@pytest.mark.parametrize("case", [c for c in gallery(max_size=16)], ids=lambda c: c.name)
def test_svd_and_auto_are_accurate_on_the_gallery(case):
    found = matfun.compare(case.matrix(), ["svd", "auto"], repeats=1)
    assert all(row.orthogonality < row.limit and row.backward_error < 8 * row.limit for row in found.rows), found
    assert {row.status for row in found.rows} <= {"CONVERGED", "COMPLETED"}
    assert [row.ran for row in found.rows] == ["svd", "svd"]
    json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))


def test_json_is_strict_and_complete(found):
    document = json.loads(found.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert sorted(document) == ["environment", "format", "references", "rows"]
    assert document["format"] == 1
    assert len(document["rows"]) == len(found.rows)
    assert {*Row.__dataclass_fields__, "within"} == set(document["rows"][0])
    assert document["rows"][0]["backward_error"] == found.rows[0].backward_error
    assert document["environment"]["repeats"] == 1
    assert "after a warm-up" in document["environment"]["time"]
    assert document["environment"]["versions"]["numpy"] == np.__version__
    singular = matfun.compare(np.zeros((3, 3)), ["svd"], repeats=1)
    assert singular.rows[0].condition == math.inf
    assert json.loads(singular.to_json())["rows"][0]["condition"] is None


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_and_show_the_numbers(found, width):
    for summary in (True, False):
        text = found.table(summary=summary, width=width)
        assert max(map(len, text.split("\n"))) <= width
        assert "…" not in text
        for method in found.methods:
            assert method in text
        assert "scipy.linalg.polar" in text
    assert repr(found) == found.table(summary=False)
    row = next(r for r in found.rows if (r.matrix, r.method) == ("a", "newton-schulz"))
    line = next(line for line in repr(found).split("\n") if line.startswith("newton-schulz"))
    assert line.split()[1:6] == [
        "converged", str(row.steps), str(row.products), short(row.backward_error / EPS), short(row.orthogonality / EPS)
    ]  # fmt: skip
    assert "a  12 x 8 float64, condition 381" in repr(found)


def test_many_matrices_are_summarised():
    found = matfun.compare([gaussian(3, 3, k) for k in range(5)], ["svd", "muon"], repeats=1)
    assert found.matrices == [f"A[{k}]" for k in range(5)]
    assert "of 5" in repr(found)
    assert "A[0]" not in repr(found)
    assert "A[4]" in found.table(summary=False)
    assert "5 converged" in repr(found)


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.0, "0"), (0.5234, "0.523"), (14.13, "14.1"), (229.7, "230"), (9999.0, "9999"), (4.3e6, "4e6"), (1e-5, "1e-5"),
     (math.inf, "inf"), (math.nan, "nan")],
)  # fmt: skip
def test_short_numbers(x, text):
    assert short(x) == text


def test_options_of_rules_are_in_their_labels():
    found = matfun.compare(A, ["prism", matfun.Prism(), matfun.Prism(degree=3, warm_start=1), Cubic()], repeats=1)
    assert found.methods == ["prism", "prism(degree=3, warm_start=1)", "Cubic"]
    assert [row.ran for row in found.rows] == ["prism", "prism", "Cubic"]


def test_names_and_nested_lists():
    assert matfun.compare([[2.0, 0.0], [0.0, 1.0]], "svd", repeats=1).matrices == ["A"]
    assert matfun.compare([[2, 0], [0, 1]], "svd", repeats=1).rows[0].backward_error < EPS
    rows = [np.array([2.0, 1.0]), np.array([0.0, 1.0])]
    assert matfun.compare(rows, "svd", repeats=1).rows[0].shape == (2, 2)


def test_progress_is_told():
    seen = []
    matfun.compare({"p": A, "q": A}, ["svd"], repeats=1, progress=lambda *facts: seen.append(facts))
    assert seen == [(0, 2, "p"), (1, 2, "q"), (2, 2, "")]


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "array_api_strict"])
def test_other_libraries(library):
    xp = pytest.importorskip(library)
    a = xp.asarray(A.astype(np.float32))
    found = matfun.compare(a, ["svd", "newton-schulz"], repeats=1)
    assert all(row.within and row.dtype == "float32" and row.eps == 2.0**-23 for row in found.rows)


def test_bfloat16_is_measured_in_its_own_eps():
    torch = pytest.importorskip("torch")
    found = matfun.compare(torch.from_numpy(A).to(torch.bfloat16), ["polar-express"], repeats=1)
    row = found.rows[0]
    assert (row.dtype, row.eps) == ("bfloat16", 2.0**-7)
    assert row.limit == (12 + math.sqrt(8)) * 2.0**-7
    assert 2.0**-12 < row.backward_error < row.limit
    assert found.references[0].dtype == "float32"


def test_to_host_keeps_values():
    assert to_host(np.array([[1, 2]])).dtype == np.float64
    assert to_host(np.array([[1.5]], dtype=np.float16)).dtype == np.float32
    assert to_host(np.array([[1j]], dtype=np.complex64)).dtype == np.complex64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"A": A, "methods": "prsm"}, "no method for polar is called 'prsm'; did you mean 'prism'"),
        ({"A": A, "methods": []}, "methods: expected at least one method, got none"),
        ({"A": {}}, "A: expected at least one matrix, got none"),
        ({"A": A, "repeats": 0}, "repeats: expected a positive integer, got 0"),
        ({"A": A, "tol": 0.1, "steps": 3}, "tol, steps: expected at most one of the two"),
        ({"A": np.zeros((3, 0))}, "A: expected at least one element"),
        ({"A": np.ones(3)}, "A: expected at least two dimensions"),
        ({"A": np.full((2, 2), np.nan)}, "A: expected finite elements, got NaN or infinity"),
        ({"A": {"good": A, "bad": np.full((2, 2), np.inf)}}, r"got NaN or infinity \(matrix 'bad'\)"),
    ],
)
def test_bad_input_names_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        matfun.compare(**arguments)


def test_describe_lists_every_method_with_its_price():
    entries = {entry.name: entry for entry in describe()}
    assert list(entries) == matfun.methods("polar")
    assert (entries["newton-schulz"].price, entries["newton-schulz"].converges) == ("3 products", True)
    assert entries["prism"].price == "3 products + 3 thin"
    assert entries["svd"].price == "a factorisation"
    assert not entries["muon"].converges
    assert all(entry.summary.endswith(".") for entry in entries.values())


@pytest.mark.parametrize("factor", [1.0, 2.0**-9, 2.0**900])
def test_scale_does_not_move_the_prediction(factor):
    subject = Subject.of("a", A * factor)
    assert subject.members[0].condition == pytest.approx(Subject.of("a", A).members[0].condition)
    row = matfun.compare(A * factor, ["newton-schulz"], repeats=1).rows[0]
    assert row.measured[0][1] == pytest.approx(row.predicted[0][1], rel=1e-9)
