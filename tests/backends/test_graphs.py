"""Is a function captured at the second call of a shape, replayed after, and run as usual where it cannot be?"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from matfun_backends.kernels import graphs  # noqa: E402
from matfun_backends.kernels.constants import NUMBER, Constants  # noqa: E402


class StandIn:
    """CUDA graphs on a CPU: what runs under capture is recorded with its argument, and replaying computes it again."""

    def __init__(self):
        self.pools, self.replays, self.modes, self.stream = 0, 0, [], 7

    def CUDAGraph(self):
        return SimpleNamespace(replay=self.replay, last=None)

    def replay(self):
        self.replays += 1
        self.rerun()

    @contextmanager
    def graph(self, graph, pool, capture_error_mode):  # noqa: ARG002 - the names of torch
        self.modes.append((pool, capture_error_mode))
        yield

    def graph_pool_handle(self):
        self.pools += 1
        return self.pools

    def current_stream(self, device):  # noqa: ARG002
        return SimpleNamespace(cuda_stream=self.stream)

    def device(self, device):  # noqa: ARG002
        return nullcontext()

    def is_current_stream_capturing(self):
        return False


@pytest.fixture
def cuda(monkeypatch):
    there = StandIn()
    names = ("CUDAGraph", "graph", "graph_pool_handle", "current_stream", "device", "is_current_stream_capturing")
    for name in names:
        monkeypatch.setattr(torch.cuda, name, getattr(there, name))
    monkeypatch.setattr(graphs, "_can_be_captured", lambda X: not (torch.is_grad_enabled() and X.requires_grad))
    return there


class Doubling:
    """Doubles into memory of its own, as a captured function does: a replay writes to the same place again."""

    def __init__(self, cuda):
        self.cuda, self.calls = cuda, 0

    def __call__(self, X):
        self.calls += 1
        answer = 2 * X
        self.cuda.rerun = lambda: torch.mul(X, 2, out=answer)
        return answer


def test_first_eager_then_captured_then_replayed(cuda):
    function = Doubling(cuda)
    update = graphs.Captured(function)
    for i in range(1, 5):
        X = torch.full((2, 3), float(i))
        assert torch.equal(update(X), 2 * X)
        assert torch.equal(X, torch.full((2, 3), float(i)))
    assert function.calls == 2  # the first as usual, the second under capture
    assert cuda.replays == 3
    assert cuda.modes == [(1, "thread_local")]


def test_answers_are_new_memory(cuda):
    update = graphs.Captured(Doubling(cuda))
    answers = [update(torch.full((2, 2), float(i))) for i in range(5)]
    assert len({X.data_ptr() for X in answers}) == 5
    assert [float(X[0, 0]) for X in answers] == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_each_shape_dtype_and_layout_has_its_graph_and_all_share_a_pool(cuda):
    function = Doubling(cuda)
    update = graphs.Captured(function)
    kinds = [torch.ones(2, 3), torch.ones(3, 2), torch.ones(2, 3, dtype=torch.float64), torch.ones(3, 2).mT]
    for X in kinds:
        assert torch.equal(update(X), 2 * X)
        assert torch.equal(update(X), 2 * X)
    assert function.calls == 2 * len(kinds)
    assert [pool for pool, _ in cuda.modes] == [1] * len(kinds)


def test_another_stream_has_memory_of_its_own(cuda):
    update = graphs.Captured(Doubling(cuda))
    X = torch.ones(2)
    for cuda.stream in (7, 7, 8, 8):
        update(X)
    assert [pool for pool, _ in cuda.modes] == [1, 2]


def test_what_cannot_be_captured_runs_as_usual_and_says_so_once(cuda, recwarn):
    calls = []

    def waits(X):
        calls.append(X)
        if len(calls) == 2:
            raise RuntimeError("operation not permitted when stream is capturing")
        return X + 1

    update = graphs.Captured(waits)
    X = torch.zeros(2)
    assert torch.equal(update(X), X + 1)
    with pytest.warns(RuntimeWarning, match="no CUDA graph for shape .2,.: RuntimeError: operation not permitted"):
        assert torch.equal(update(X), X + 1)
    assert torch.equal(update(X), X + 1)
    assert len(calls) == 4
    assert all(given is X for given in calls[2:])
    assert len(recwarn) == 0
    assert cuda.replays == 0


def test_derivatives_run_as_usual(cuda):
    update = graphs.Captured(Doubling(cuda))
    X = torch.ones(2, requires_grad=True)
    for _ in range(3):
        update(X).sum().backward()
    assert torch.equal(X.grad, torch.full((2,), 6.0))
    assert cuda.modes == []


def test_without_a_device_everything_runs_as_usual():
    update = graphs.Captured(lambda X: X + 1)
    for _ in range(3):
        assert torch.equal(update(torch.zeros(2)), torch.ones(2))


# ---- constants -----------------------------------------------------------------------------------


def test_constants_are_copied_to_the_device_once_and_handed_out_as_copies(monkeypatch):
    copies = []
    original = torch.as_tensor
    monkeypatch.setattr(torch, "as_tensor", lambda *args, **how: copies.append(args) or original(*args, **how))
    constants, cpu = Constants(), torch.device("cpu")
    first = constants.on_device([1.0, 2.0], torch.float32, cpu)
    first += 1  # whoever has it may change it
    second = constants.on_device([1.0, 2.0], torch.float32, cpu)
    assert second.tolist() == [1.0, 2.0]
    assert second.dtype == torch.float32
    assert len(copies) == 1
    assert constants.on_device([1.0, 2.0], torch.float64, cpu).dtype == torch.float64
    assert constants.on_device([[1.0, 2.0]], torch.float32, cpu).shape == (1, 2)
    assert len(copies) == 3


def test_constants_forget_the_oldest_but_nothing_that_a_graph_reads(monkeypatch):
    constants, cpu = Constants(), torch.device("cpu")
    monkeypatch.setattr("matfun_backends.kernels.constants._is_captured", lambda _: True)
    constants.on_device([-1.0], torch.float32, cpu)
    kept = next(iter(constants._captured.values()))
    monkeypatch.setattr("matfun_backends.kernels.constants._is_captured", lambda _: False)
    for i in range(3 * NUMBER):
        constants.on_device([float(i)], torch.float32, cpu)
    assert len(constants._recent) == NUMBER
    assert [float(value[0]) for value in constants._recent.values()] == [
        float(i) for i in range(2 * NUMBER, 3 * NUMBER)
    ]
    assert list(constants._captured.values()) == [kept]
