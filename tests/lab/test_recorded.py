"""The shipped record is what its provenance says, and the script that made it is reproducible."""

import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest

from matfun.lab.recorded import recorded

DATA = files("matfun.lab") / "data"


def test_provenance_matches_the_file():
    raw = (DATA / "recorded.npz").read_bytes()
    text = (DATA / "PROVENANCE.md").read_text(encoding="utf-8")
    stated = re.search(r"sha256 of recorded\.npz \| ([0-9a-f]{64})", text)
    assert stated is not None
    assert stated.group(1) == hashlib.sha256(raw).hexdigest()
    assert len(raw) < 3e6
    rows = re.findall(r"^\| ((?:gradient|momentum|factor)/\S+) \| (\d+) x (\d+) \| (\S+)", text, re.MULTILINE)
    matrices = recorded()
    assert {name for name, *_ in rows} == set(matrices)
    for name, m, n, norm in rows:
        assert matrices[name].shape == (int(m), int(n))
        assert np.linalg.norm(matrices[name].astype(np.float64)) == pytest.approx(float(norm), rel=1e-3)


def test_kinds():
    everything = recorded()
    parts = [recorded(kind) for kind in ("gradient", "momentum", "factor")]
    assert all(parts)
    assert sum(map(len, parts)) == len(everything)
    assert list(everything) == sorted(everything)
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in everything.values())
    with pytest.raises(ValueError, match="kind must be one of gradient, momentum, factor or None, got"):
        recorded("weights")


def test_exactly_zero_gradient():
    zero = [name for name, a in recorded().items() if not a.any()]
    assert zero == ["gradient/step0001/qkv-zero-init"]


@pytest.mark.parametrize("name", [n for n in recorded("gradient") if n.endswith(("/o", "/down"))])
def test_layer_norm_leaves_a_null_direction(name):
    """What feeds a LayerNorm has a gradient orthogonal to ones: rank n - 1 plus float32 rounding."""
    g = recorded("gradient")[name].astype(np.float64)
    s = np.linalg.svd(g, compute_uv=False)
    eps = float(np.finfo(np.float32).eps)
    assert np.linalg.norm(np.ones(len(g)) @ g) / np.sqrt(len(g)) < 4 * eps * np.linalg.norm(s)
    assert s[-1] < eps * np.linalg.norm(s)


@pytest.mark.parametrize("name", list(recorded("factor")))
def test_factors_are_semidefinite_up_to_rounding(name):
    f = recorded("factor")[name].astype(np.float64)
    eps = float(np.finfo(np.float32).eps)
    assert np.linalg.norm(f - f.T) < 2 * eps * np.linalg.norm(f)
    values = np.linalg.eigvalsh((f + f.T) / 2)
    assert values[0] > -len(f) * eps * values[-1]
    assert values[-1] > 1e3 * abs(values[0]), "the record should be ill-conditioned"


def test_script_is_reproducible(tmp_path):
    pytest.importorskip("torch", reason="recording needs torch; reading the shipped record does not")
    from matfun.lab.record import record

    sizes = {"width": 16, "layers": 1, "heads": 2, "context": 8, "batch": 2}
    first, second = (record(tmp_path / name, 2, **sizes) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    texts = [p.with_name("PROVENANCE.md").read_text(encoding="utf-8") for p in (first, second)]
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]
    with np.load(first) as data:
        assert {"gradient/step0001/qkv", "gradient/step0001/qkv-zero-init"} <= set(data.files)
        assert data["gradient/step0001/qkv"].shape == (48, 16)
        assert not data["gradient/step0001/qkv-zero-init"].any()
        assert data["gradient/step0001/qkv"].any()


def test_training_observes_momentum_and_factors():
    """Two steps by hand from the recorded gradients: m = 0.05 g + 0.95 b and L = 0.95 L + 0.05 G G^T."""
    pytest.importorskip("torch", reason="recording needs torch; reading the shipped record does not")
    from matfun.lab.record import train

    seen, losses = train(2, width=16, layers=1, heads=2, context=8, batch=2)
    assert len(losses) == 2
    g1, g2 = seen["gradient/step0001/o"], seen["gradient/step0002/o"]
    buffer = 0.95 * 0.05 * g1 + 0.05 * g2
    assert seen["momentum/step0002/o"] == pytest.approx(0.05 * g2 + 0.95 * buffer, rel=1e-4, abs=1e-8)
    left = 0.95 * 0.05 * (g1 @ g1.T) + 0.05 * (g2 @ g2.T)
    assert seen["factor/step0002/o/left/0.95"] == pytest.approx(left, rel=1e-4, abs=1e-8)
    right = 0.999 * 0.001 * (g1.T @ g1) + 0.001 * (g2.T @ g2)
    assert seen["factor/step0002/o/right/0.999"] == pytest.approx(right, rel=1e-4, abs=1e-9)
