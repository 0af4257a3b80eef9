"""Run the kernels in Triton's interpreter, on CPU tensors; ``python interpreted.py GROUP`` prints a line for each case:
its name, its error in units of the bound, and whether everything else about it holds.

A process of its own, because ``TRITON_INTERPRET`` is read when a kernel is defined.  Tiles are small here, so that
small matrices have many of them.
"""

import itertools
import os
import sys
import warnings

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
from matfun_backends.kernels import check, dispatch, fit, launch, tiles
from matfun_backends.kernels.tiles import Tile
from matfun_backends.torch import TorchOps
from torch.autograd import forward_ad
from triton.runtime import interpreter

import matfun
from matfun.polynomials.fitted import fit_interval, next_residual
from matfun.problems.matrix import MatrixProblem, MatrixResidual
from matfun.providers import ops_for
from matfun.rules.rule import ResidualView

_patched = interpreter._patch_lang_tensor


def _with_index(tensor, scope):
    """NumPy 2.4 no longer makes an index out of an array of one element, which Triton 3.6 relies on."""
    _patched(tensor, scope)
    scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())


interpreter._patch_lang_tensor = _with_index

CPU = torch.device("cpu")
launch.BAND = check.BAND = 2  # a triangle of two bands is four rows of tiles then

SQUARE = Tile(16, 1, 16, warps=4, stages=2)
WIDE = Tile(16, 2, 16, warps=4, stages=2)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def drawn(rng, dtype, *shape, by_columns=False):
    X = torch.from_numpy(rng.standard_normal(shape)).to(dtype)
    return X.mT.contiguous().mT if by_columns else X


def ratio(D, exact, sizes, depth):
    """Largest error in units of its bound; NaN where something was left unwritten."""
    D, exact, sizes = (np.asarray(x.double()) for x in (D, exact, sizes))
    return float(np.max(np.abs(D - exact) / check.bound(exact, sizes, depth, DTYPE)))


def symmetric(rng, tile, descriptors, stack, n, depth, *, side="tall", with_c=True, on_device=True, multiprocessors=3):
    """Error ratio of a Gram product, and whether it is symmetric to the last bit."""
    X = drawn(rng, DTYPE, *stack, depth, n, by_columns=side == "wide")
    C = drawn(rng, DTYPE, *stack, n, n)
    C = C + C.mT if with_c else None
    alpha, beta, gamma = torch.from_numpy(rng.standard_normal((3, *stack))).float() if on_device else (1.5, -0.5, 2.0)
    D = torch.full((*stack, n, n), torch.nan, dtype=DTYPE)
    how = {"tile": tile, "multiprocessors": multiprocessors, "descriptors": descriptors}
    launch.symmetric(X.mT, X.mT, C, alpha, beta, gamma, **how, out=D)
    a, b, g = (torch.as_tensor(x).double()[..., None, None] for x in (alpha, beta, gamma))
    W, eye = X.double(), torch.eye(n, dtype=torch.float64)
    Z = torch.zeros(()) if C is None else C.double()
    exact = a * (W.mT @ W) + b * Z + g * eye
    return ratio(D, exact, abs(a) * (abs(W).mT @ abs(W)) + abs(b * Z) + abs(g) * eye, depth), torch.equal(D, D.mT)


def lower_triangle(rng, tile, descriptors):
    """The lower triangle decides where a product is not quite symmetric, as roundings leave it."""
    A, B = drawn(rng, DTYPE, 40, 24), drawn(rng, DTYPE, 24, 40)
    D = launch.symmetric(A, B.mT, tile=tile, multiprocessors=3, descriptors=descriptors)
    A, B = A.double(), B.double()
    exact, sizes = (torch.tril(x) + torch.tril(x, -1).mT for x in (A @ B, abs(A) @ abs(B)))
    return ratio(D, exact, sizes, 24), torch.equal(D, D.mT)


def product(rng, tile, descriptors, stack, m, n, depth, *, columns=(False, False), c_columns=False):
    A = drawn(rng, DTYPE, *stack, m, depth, by_columns=columns[0])
    B = drawn(rng, DTYPE, *stack, depth, n, by_columns=columns[1])
    C = drawn(rng, DTYPE, *stack, m, n, by_columns=c_columns)
    alpha, beta = torch.from_numpy(rng.standard_normal((2, *stack))).float()
    before = C.clone()
    D = launch.product(C, A, B, alpha, beta, tile=tile, multiprocessors=3, descriptors=descriptors)
    assert torch.equal(C, before)
    assert D.data_ptr() != C.data_ptr()
    a, b = (x.double()[..., None, None] for x in (alpha, beta))
    A, B, C = A.double(), B.double(), C.double()
    return ratio(D, a * (A @ B) + b * C, abs(a) * (abs(A) @ abs(B)) + abs(b * C), depth), True


def kernels():
    """Every dtype, tile and access; sizes that fill no tile, stacks, and a triangle of two bands."""
    global DTYPE
    for DTYPE in DTYPES:
        rng = np.random.default_rng(0)
        name = str(DTYPE).removeprefix("torch.")
        yield f"{name} odd", symmetric(rng, SQUARE, False, (2,), 37, 19)
        yield f"{name} odd wide tile", symmetric(rng, WIDE, False, (), 37, 14)
        yield f"{name} descriptors", symmetric(rng, SQUARE, True, (2,), 40, 24)
        yield f"{name} descriptors wide tile", symmetric(rng, WIDE, True, (2,), 56, 24, side="wide")
        yield f"{name} product odd", product(rng, SQUARE, False, (2,), 21, 35, 19)
        yield f"{name} product descriptors", product(rng, WIDE, True, (), 40, 72, 24, columns=(True, False))
    rng = np.random.default_rng(1)
    DTYPE = torch.float32
    yield "two bands", symmetric(rng, SQUARE, True, (), 16 * 7, 16, with_c=False, multiprocessors=5)
    yield "without C, numbers", symmetric(rng, SQUARE, False, (2, 2), 18, 5, with_c=False, on_device=False)
    yield "lower triangle", lower_triangle(rng, WIDE, False)
    yield "lower triangle, descriptors", lower_triangle(rng, SQUARE, True)
    yield "product by columns", product(rng, SQUARE, True, (2,), 24, 40, 24, c_columns=True)
    yield "one element", symmetric(rng, SQUARE, False, (), 1, 1)


def passes():
    """One pass over matrices, and PRISM's fit, as the check of the provider sees them and as the plain path does."""
    launch.LONGEST_PIECE, check.ROWS, fit.ROWS, fit.DEPTH = 32, 16, 16, 32
    for dtype in DTYPES:
        name = str(dtype).removeprefix("torch.")
        for on_device, by_columns, two in itertools.product((False, True), repeat=3) if dtype != torch.bfloat16 else ():
            flags = ((on_device, False, on_device), (by_columns, by_columns), two, on_device)
            yield f"{name} {flags}", check.trusted(check.Case("combination", CPU, dtype, None, False, *flags))
        for highest in (3, 5) if dtype == torch.float32 else (5,):
            yield f"{name} fit {highest}", fitted(dtype, highest)


def fitted(dtype, highest):
    """Alpha against the quartic of inner products in float64, in units of the spacing of the rounded R."""
    case = check.Case("fit", CPU, dtype, None, False, (), (8, highest))
    rng = np.random.default_rng(highest)
    Q, _ = torch.linalg.qr(torch.from_numpy(rng.standard_normal((2, 50, 50))))
    R = (Q * (1 - torch.logspace(-2, 0, 50, dtype=torch.float64) ** 2)) @ Q.mT
    R[1] *= 0.5  # for which alpha is inside of the interval
    R = ((R + R.mT) / 2).to(dtype)
    S = drawn(rng, dtype, 50, 8) * 8**-0.5
    polynomials, interval = next_residual(2, (highest - 1) // 2), fit_interval(2, (highest - 1) // 2)
    alpha = launch.fit(R, S, polynomials, interval).alpha.double()
    residual = MatrixResidual(MatrixProblem(ops_for(R.double())), torch.eye(50) - R.double(), hermitian=True)
    residual.problem.sketch = lambda *_, **__: S.double()
    exact = ResidualView(2, 0, False, None, 0.0, residual).fit(polynomials, 8, interval)
    # alpha moves by a few times the change of R, which rounding of its products is like
    return float((alpha - exact).abs().max() / (8 * torch.finfo(dtype).eps)), check.trusted(case)


def checks():
    """The check that the provider relies on: what it trusts, and what it sees when a kernel is broken."""
    case = check.Case("symmetric", torch.device("cpu"), torch.float16, SQUARE, True, (True, True, True), (True, False))
    yield "symmetric trusted", check.trusted(case)
    yield "product trusted", check.trusted(case._replace(kernel="product", columns=(False, True)))
    yield "known", check.known(case) and not check.known(case._replace(has_c=False))
    original = launch.symmetric

    def unmirrored(*args, out=None, **how):
        D = original(*args, **how)
        return out.copy_(D.tril() + out.triu(1))  # the poison stays where the mirror image would be

    def slightly_wrong(*args, out=None, **how):
        return out.copy_(original(*args, **how) * 1.01)

    def raises(*args, **how):
        raise OSError("no such device")

    for said, broken in (("not symmetric", unmirrored), ("times the bound", slightly_wrong), ("OSError", raises)):
        launch.symmetric = broken
        case = case._replace(has_c=not case.has_c, dtype=torch.float32 if broken is raises else case.dtype)
        if broken is slightly_wrong:
            check.forget()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            verdicts = [check.trusted(case) for _ in range(2)]
        yield said, verdicts == [False, False] and len(seen) == 1 and said in str(seen[0].message)
    launch.symmetric = original


class Interpreted(TorchOps):
    """The provider as on a CUDA device: kernels serve CPU tensors."""

    name = "interpreted"
    served = 0

    def _on_cuda(self, _):
        return True

    def _kernel(self, name, *operands, **factors):
        found = getattr(dispatch, name)(*operands, **factors)
        self.served += found is not None
        return found


def refused(function):
    try:
        function()
    except RuntimeError:
        return True
    return False


def provider():
    """Whole runs through the kernels, against those without; and when the plain path is taken."""
    dispatch._device = lambda _: ((9, 0), 3, tiles.SHARED_MEMORY)
    tiles_before, check._difference = (tiles.TILES, tiles.TILES_32), lambda _: ""
    tiles.TILES = tiles.TILES_32 = (SQUARE, WIDE)
    tiles.LEAST_SIDE = tiles.LEAST_AREA = 0
    passes_from = dispatch.SMALLEST_COMBINATION
    dispatch.SMALLEST_COMBINATION = dispatch.SMALLEST_FIT = 0
    A = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 64, 48)))
    for dtype, name, close in ((torch.float32, "polar-express", 1e-4), (torch.bfloat16, "prism", 0.1)):
        X = A.to(dtype)
        ops = Interpreted(ops_for(X).xp)
        fast = matfun.orthogonalize(X, name, steps=2, rng=0, backend=ops)
        plain = matfun.orthogonalize(X, name, steps=2, rng=0, backend="torch_plain")
        served = ops.served
        yield f"{name} {dtype}", served >= 4 and float((fast - plain).abs().max()) < close
    dispatch.SMALLEST_COMBINATION = passes_from
    ops, X = Interpreted(ops_for(A).xp), A.float()
    S = ops.gram(X)
    before = ops.served
    yield "gram is symmetric", before == 1 and torch.equal(S, S.mT)
    c = torch.tensor([0.5, -1.0])
    P = ops.polynomial(S, (1.0, c, 2 * c))
    Z = c.double()[:, None, None] * (S.double() + 2 * S.double() @ S.double())
    yield (
        "polynomial with device factors",
        ops.served == 2 and bool(torch.allclose(P.double(), Z, rtol=1e-5, atol=1e-2)),
    )
    D = ops.add_matmul(X, X, P, alpha=c, beta=3.0)
    Z = 3 * X.double() + c.double()[:, None, None] * (X.double() @ P.double())
    yield "update with device factors", ops.served == 3 and bool(torch.allclose(D.double(), Z, rtol=1e-5, atol=1e-1))

    def is_plain(function):
        before = ops.served
        function()
        return ops.served == before

    leaf = X.clone().requires_grad_()
    yield "gradients are plain", is_plain(lambda: ops.gram(leaf).sum().backward()) and leaf.grad is not None
    yield "vmap is plain", is_plain(lambda: torch.func.vmap(ops.gram)(X))
    yield "jvp is plain", is_plain(lambda: torch.func.jvp(ops.gram, (X,), (X,)))
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(ops.gram(forward_ad.make_dual(X, torch.ones_like(X)))).tangent
    yield "forward derivatives are plain", tangent is not None
    yield "broadcasting is plain", is_plain(lambda: ops.symm_matmul(S, S[0]))
    yield "shapes that do not fit are refused", refused(lambda: ops.add_matmul(X, X, S[:, :40]))
    yield "float64 is plain", is_plain(lambda: ops.gram(A))
    yield "complex is plain", is_plain(lambda: ops.gram(X + 1j * X))
    yield "small is plain", is_plain(lambda: ops.gram(X[0, :, :16].contiguous()))
    yield "unaligned is plain", is_plain(lambda: ops.gram(X[:, :, 1:-1]))
    N = X[:, :48, :]
    Y = ops.polynomial(N, (1.0, 2.0, 3.0), hermitian=False).double() - 2 * N.double() - 3 * N.double() @ N.double()
    yield "what is not symmetric stays so", float(Y.abs().max()) < 1e-2
    with torch.no_grad():
        yield "no_grad is served", not is_plain(lambda: ops.gram(leaf))
    torch.set_float32_matmul_precision("high")
    yield "allowed TF32 is plain", is_plain(lambda: ops.gram(X))
    torch.set_float32_matmul_precision("highest")
    yield "served again", not is_plain(lambda: ops.gram(X))
    original = launch.symmetric
    launch.symmetric = lambda *_, **__: 1 / 0
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Y = ops.gram(X)
        yield "what raises is plain", torch.equal(Y, X.mT @ X) and "ZeroDivisionError" in str(seen[0].message)
        yield "and never tried again", is_plain(lambda: ops.gram(X)) and len(seen) == 1
    launch.symmetric = original
    check._difference = lambda _: "is broken"
    check.forget()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Y = ops.gram(X)
    yield "a broken kernel is plain", torch.equal(Y, X.mT @ X) and "is broken" in str(seen[0].message)
    tiles.TILES, tiles.TILES_32 = tiles_before


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case, found in {"kernels": kernels, "checks": checks, "provider": provider, "passes": passes}[sys.argv[1]]():
        error, holds = found if isinstance(found, tuple) else (0.0, found)
        print(f"{case}\t{error}\t{int(holds)}")
