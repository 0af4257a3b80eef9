"""The command line: what it prints, what it writes, and what it says to wrong input."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest

import matfun
from matfun.lab import environment
from matfun.lab.load import convert, gallery_for, load
from matfun.lab.recorded import recorded
from matfun.lab.spectra import gaussian

SMALL = gaussian(6, 4, 0)


@pytest.fixture(autouse=True)
def a_file(run):
    """Leave `a.npy` in the empty folder."""
    np.save("a.npy", SMALL)


def strict(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_compare_a_file(run, tmp_path):
    result = run("compare", "a.npy", "--repeats", "1", "--method", "prism", "--method", "svd")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "a  6 x 4 float64" in result.stdout
    lines = result.stdout.split("\n")
    assert [line.split()[:2] for line in lines if line.startswith(("prism ", "svd "))] == [
        ["prism", "converged"], ["svd", "converged"]
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80
    assert "Ground truth: SciPy" in result.stdout
    assert "Figure: matfun-compare.png" in result.stdout
    assert (tmp_path / "matfun-compare.png").read_bytes().startswith(b"\x89PNG")


def test_json_on_stdout_is_alone_there(run, tmp_path):
    result = run("compare", "a.npy", "--repeats", "1", "--json", "-", "--steps", "4", "--seed", "7", "--no-plot")
    document = strict(result.stdout)
    assert [row["method"] for row in document["rows"]] == matfun.methods("polar")
    assert {(row["steps"], row["asked"]) for row in document["rows"]} == {(4, "4 steps")}
    assert document["environment"]["seed"] == 7
    assert "Ground truth" in result.stderr
    assert not (tmp_path / "matfun-compare.png").exists()


def test_json_and_plot_to_files(run, tmp_path):
    result = run("compare", "a.npy", "--repeats", "1", "--json", "out.json", "--plot", "curve.svg", "--tol", "1e-3")
    assert result.exit_code == 0
    document = strict((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert {row["asked"] for row in document["rows"]} == {"tol 0.001"}
    assert b"<svg" in (tmp_path / "curve.svg").read_bytes()
    assert "Figure: curve.svg" in result.stdout


def test_shipped_matrices_are_the_default(run, monkeypatch):
    shipped = dict(list(recorded("momentum").items())[:5])
    monkeypatch.setattr("matfun.lab.cli.recorded", lambda: shipped)
    result = run("compare", "--method", "prism", "--repeats", "1", "--no-plot", "--json", "found.json")
    assert result.exit_code == 0
    with open("found.json", encoding="utf-8") as stream:
        rows = strict(stream.read())["rows"]
    assert [(row["matrix"], row["shape"]) for row in rows] == [(n, list(a.shape)) for n, a in shipped.items()]
    assert "of 5" in result.stdout
    assert "Accurate on all 5 matrices: prism." in result.stdout


def test_each_gives_a_block_for_every_matrix(run):
    np.savez("many.npz", **{f"m{k}": gaussian(3, 3, k) for k in range(6)}, bias=np.ones(3))
    common = ("compare", "many.npz", "--method", "svd", "--repeats", "1", "--no-plot")
    assert "many/m3" not in run(*common).stdout
    result = run(*common, "--each")
    assert [f"many/m{k}  3 x 3 float64" in result.stdout for k in range(6)] == [True] * 6
    assert "bias" not in result.stdout


def test_gallery_leaves_out_what_does_not_fit(run):
    result = run("compare", "--gallery", "--dtype", "float32", "--method", "svd", "--repeats", "1", "--no-plot")
    everything, none = gallery_for(None, 0)
    fitting, omitted = gallery_for("float32", 0)
    assert none == 0
    assert len(fitting) + omitted == len(everything)
    assert result.exit_code == 0
    assert f"gallery: {omitted} matrices do not fit float32 and are left out" in result.stderr
    assert f"of {len(fitting)}" in result.stdout
    complex_cases, _ = gallery_for("complex64", 0)
    assert "complex-1e1" in complex_cases
    assert "complex-1e1" not in fitting


def test_nothing_to_draw_is_no_failure(run, tmp_path):
    result = run("compare", "a.npy", "--method", "svd", "--repeats", "1")
    assert result.exit_code == 0
    assert "no figure: matrices: none has a curve" in result.stdout.replace("\n", " ")
    assert not (tmp_path / "matfun-compare.png").exists()
    assert run("compare", "a.npy", "--method", "svd", "--repeats", "1", "--plot", "b.png").exit_code == 2


def test_without_matplotlib(run, monkeypatch):
    monkeypatch.setattr("matfun.lab.cli.find_spec", lambda _: None)
    result = run("compare", "a.npy", "--method", "prism", "--repeats", "1")
    assert result.exit_code == 0
    assert 'no figure: matplotlib is missing; pip install "matfun[plot]"' in result.stdout
    asked = run("compare", "a.npy", "--plot", "b.png")
    assert asked.exit_code == 2
    assert asked.stderr == 'matfun: --plot: no figure: matplotlib is missing; pip install "matfun[plot]"\n'


@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "array_api_strict"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex64"])
def test_backends_and_dtypes(run, backend, dtype):
    pytest.importorskip(backend)
    common = ("--method", "prism", "--repeats", "1", "--json", "-", "--no-plot")
    (row,) = strict(run("compare", "a.npy", "--backend", backend, "--dtype", dtype, *common).stdout)["rows"]
    assert (row["dtype"], row["status"]) == (dtype, "CONVERGED")
    assert row["eps"] == (2.0**-52 if dtype == "float64" else 2.0**-23)
    assert row["measured"][0][1] == pytest.approx(row["predicted"][0][1], rel=1e-5)


@pytest.mark.parametrize(("backend", "dtype"), [("torch", "bfloat16"), ("jax", "bfloat16"), ("numpy", "float16")])
def test_16_bit(run, backend, dtype):
    pytest.importorskip(backend)
    common = ("--method", "polar-express", "--repeats", "1", "--json", "-", "--no-plot")
    (row,) = strict(run("compare", "a.npy", "--backend", backend, "--dtype", dtype, *common).stdout)["rows"]
    assert (row["dtype"], row["status"]) == (dtype, "CONVERGED")
    assert row["eps"] == (2.0**-7 if dtype == "bfloat16" else 2.0**-10)


def test_tensors_stay_tensors(run):
    torch = pytest.importorskip("torch")
    torch.save({"layer": {"weight": torch.from_numpy(SMALL), "bias": torch.ones(3)}, "step": 3}, "m.pt")
    found = load("m.pt")
    assert list(found) == ["m/layer/weight"]
    assert isinstance(found["m/layer/weight"], torch.Tensor)
    assert np.array_equal(convert("x", found["m/layer/weight"], "numpy", None), SMALL)
    half = convert("x", found["m/layer/weight"], None, "bfloat16")
    assert half.dtype == torch.bfloat16
    assert convert("x", half, "numpy", "float64").dtype == np.float64
    assert "m/layer/weight  6 x 4 float64" in run("compare", "m.pt", "--repeats", "1", "--no-plot").stdout


def test_files_of_one_name_stay_apart(run, tmp_path):
    (tmp_path / "other").mkdir()
    np.save("other/a.npy", SMALL[:3])
    result = run("compare", "a.npy", "other/a.npy", "--method", "svd", "--repeats", "1", "--no-plot")
    assert "a  6 x 4 float64" in result.stdout
    assert "other/a.npy:a  3 x 4 float64" in result.stdout


def make_bad_files():
    np.save("object.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.save("text.npy", np.array([["a", "b"]]))
    np.save("vector.npy", np.ones(3))
    np.save("complex.npy", SMALL + 1j)
    np.save("large.npy", SMALL * 1e200)
    np.save("nan.npy", np.full((2, 2), np.nan))
    with open("junk.npz", "wb") as stream:
        stream.write(b"PK junk")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nix.npy"], "FILES: there is no file 'nix.npy'"),
        (["a.txt"], "FILES: expected a name that ends in .npy, .npz or .pt, got 'a.txt'"),
        (["object.npy"], "FILES: expected a .npy file of numbers (pickled objects are not loaded), got 'object.npy'"),
        (["text.npy"], "FILES: expected a .npy file of numbers (pickled objects are not loaded), got 'text.npy'"),
        (["junk.npz"], "FILES: expected a .npz file of numbers (pickled objects are not loaded), got 'junk.npz'"),
        (["vector.npy"], "FILES: expected at least two dimensions (..., m, n), got none such in 'vector.npy'"),
        (["nan.npy"], "A: expected finite elements, got NaN or infinity"),
        (["complex.npy", "--dtype", "float32"], "--dtype: 'complex' is complex, and float32 would lose its imaginary"),
        (["large.npy", "--dtype", "float32"], "--dtype: 'large' has elements beyond the range of float32"),
        (["a.npy", "--dtype", "int8"], "--dtype: expected one of float32, float64, bfloat16"),
        (["a.npy", "--dtype", "bfloat16"], "--dtype: numpy has no bfloat16"),
        (["a.npy", "--backend", "nump"], "--backend: expected one of numpy, torch, jax, cupy, array_api_strict, got"),
        (["a.npy", "--method", "prsm"], "method: no method for polar is called 'prsm'; did you mean 'prism'"),
        (["a.npy", "--tol", "3"], "tol: expected a number in (0, 1) or None, got 3.0"),
        (["a.npy", "--steps", "-1"], "steps: expected at least 0, got -1"),
        (["a.npy", "--steps", "2", "--tol", "0.1"], "tol, steps: expected at most one of the two"),
        (["a.npy", "--plot", "x.png", "--no-plot"], "--plot, --no-plot: expected at most one of the two"),
        (["a.npy", "--method", "prism", "--plot", "nix/x.png"], "--plot: "),
        (["a.npy", "--method", "prism", "--plot", "x.nix"], "--plot: "),
        (["a.npy", "--method", "svd", "--json", "nix/x.json"], "--json: cannot write 'nix/x.json'"),
        (["a.npy", "--nix"], "No such option: --nix"),
        (["a.npy", "--repeats", "0"], "Invalid value for '--repeats'"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(run, arguments, message):
    make_bad_files()
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("matfun: ")
    assert message in result.stderr


def test_code_in_a_tensor_file_is_not_run(run, tmp_path):
    torch = pytest.importorskip("torch")

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"w": Evil()}, "evil.pt")
    result = run("compare", "evil.pt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "FILES: expected a .pt file of numbers" in result.stderr
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("missing", "arguments", "message"),
    [
        ("torch", ["a.pt"], 'FILES: torch is not installed: pip install "matfun[torch]"'),
        ("jax.numpy", ["a.npy", "--backend", "jax"], '--backend: jax is not installed: pip install "matfun[jax]"'),
        ("cupy", ["a.npy", "--backend", "cupy"], "--backend: cupy is not installed: pip install "),
    ],
)
def test_missing_libraries_are_named(run, monkeypatch, tmp_path, missing, arguments, message):
    (tmp_path / "a.pt").write_bytes(b"")
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("compare", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def broken_cupy():
    """CuPy as it is on a machine without a driver: it imports, and everything else raises."""

    def fail(*_, **__):
        raise OSError("no CUDA-capable device is detected")

    runtime = types.SimpleNamespace(getDeviceCount=fail)
    module = types.ModuleType("cupy")
    module.asarray, module.cuda = fail, types.SimpleNamespace(runtime=runtime)
    return module


def test_cupy_without_a_device(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", broken_cupy())
    result = run("compare", "a.npy", "--backend", "cupy")
    assert (result.exit_code, result.stderr) == (
        2,
        "matfun: --backend: cupy finds no CUDA device that works (OSError)\n",
    )
    assert environment.devices()["cupy"] == "not usable: OSError: no CUDA-capable device is detected"
    assert run("info").exit_code == 0


def test_simulate_prints_the_curve(run, tmp_path):
    result = run("simulate", "newton-schulz", "--sigmas", "1,0.1,1e-3", "--steps", "4", "--plot", "c.png")
    assert result.exit_code == 0
    curve = matfun.simulate("newton-schulz", [1, 0.1, 1e-3], steps=4)
    rows = [line.split() for line in result.stdout.split("\n") if line.strip()[:1].isdigit()]
    assert rows == [
        [str(k), str(3 * k), f"{r:.3e}", f"{e:.3e}"]
        for k, (r, e) in enumerate(zip(curve.residuals, curve.errors, strict=True))
    ]
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_simulate_json(run):
    result = run("simulate", "prism", "--log-spaced", "1e-3", "5", "--steps", "3", "--seed", "2", "--json", "-")
    document = strict(result.stdout)
    assert document["sigmas"] == pytest.approx(np.geomspace(1, 1e-3, 5))
    assert document["products"] == [0, 3, 6, 9]
    assert document["thin_products"] == 9
    expected = matfun.simulate("prism", np.geomspace(1, 1e-3, 5), steps=3, rng=2)
    assert document["residuals"] == expected.residuals.tolist()
    assert document["errors"] == expected.errors.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prism"], "--sigmas, --log-spaced: expected exactly one of the two"),
        (["prism", "--sigmas", "1", "--log-spaced", "0.1", "3"], "expected exactly one of the two"),
        (["prism", "--sigmas", "1;2"], "--sigmas: expected numbers with commas between them, got '1;2'"),
        (["prism", "--sigmas", "-1"], "sigmas: expected a vector of non-negative numbers"),
        (["prism", "--log-spaced", "0", "3"], "--log-spaced: expected 0 < LOWER <= 1 and N >= 1, got 0 3"),
        (["prsm", "--sigmas", "1"], "method: no method for polar is called 'prsm'"),
    ],
)
def test_simulate_wrong_input(run, arguments, message):
    result = run("simulate", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_methods(run):
    text = run("methods").stdout
    for name in matfun.methods("polar"):
        assert f"{name}: " in text
    assert "prism: 3 products + 3 thin a step, converges\n    Sketched adaptive Newton-Schulz iteration." in text
    assert "muon: 3 products a step, does not converge" in text


def test_info_json(run):
    found = strict(run("info", "--json").stdout)
    assert found["matfun"] == matfun.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert {"numpy", "torch", "jax", "cupy"} <= set(found["providers"])
    assert found["processors"] >= 1
    for pool in found["blas"]:
        assert set(pool) == {"library", "architecture", "threads"}


def test_help(run):
    for command in ([], ["compare"], ["simulate"], ["design"], ["presets"], ["methods"], ["info"]):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Usage: matfun" in result.stdout or "Usage: root" in result.stdout
    assert "compare" in run().stdout
    assert run("--version").stdout == f"matfun {matfun.__version__}\n"
    assert "No such command 'compar'. Did you mean 'compare'?" in run("compar").stderr


def test_python_m_matfun_info():
    done = subprocess.run(
        [sys.executable, "-m", "matfun", "info"], capture_output=True, text=True, check=True, timeout=300
    )
    lines = dict(line.split(None, 1) for line in done.stdout.strip().split("\n"))
    assert lines["matfun"] == matfun.__version__
    assert lines["numpy"] == np.__version__
    assert "providers" in lines
    bad = subprocess.run(
        [sys.executable, "-m", "matfun", "compare", "nix.npy"], capture_output=True, text=True, check=False, timeout=300
    )
    assert (bad.returncode, bad.stdout, bad.stderr) == (2, "", "matfun: FILES: there is no file 'nix.npy'\n")
