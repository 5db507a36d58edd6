"""No recursion: chains far deeper than Python's stack are computed, differentiated, printed and let go."""

import gc
import subprocess
import sys
import time

import pytest

import glassgrad as gg
from glassgrad.graph import Graph

DEEP = 200_000


def chain(x, length=DEEP):
    y = x
    for _ in range(length // 2):
        y = (y * 1.0000001) + 1e-7
    return y


def test_a_chain_of_200000_ops():
    assert sys.getrecursionlimit() <= 10_000
    x = gg.tensor(0.5, dtype=gg.float64, requires_grad=True)
    y = chain(x)
    assert y.item() == pytest.approx(0.5 * 1.0000001 ** (DEEP // 2) + sum_of_powers(), rel=1e-9)
    y.backward()
    assert x.grad.item() == pytest.approx(1.0000001 ** (DEEP // 2), rel=1e-9)


def sum_of_powers():
    return 1e-7 * (1.0000001 ** (DEEP // 2) - 1) / 1e-7


def test_an_unused_chain_is_let_go_without_recursion():
    """In a process of its own: a recursion in the interpreter's deallocation would end it."""
    code = (
        "import glassgrad as gg\n"
        "x = gg.tensor(0.5, requires_grad=True)\n"
        "for kept in (True, False):\n"
        "    y = x\n"
        f"    for _ in range({DEEP}):\n"
        "        y = y * 1.0000001\n"
        "    if kept: y.backward(retain_graph=True)\n"
        "    del y\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "alive"


def test_second_derivatives_of_a_deep_chain():
    x = gg.tensor(0.5, dtype=gg.float64, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * x.detach() + y.detach() * 1e-9 + x * x * 1e-9
    (slope,) = gg.autograd.grad(y, x, create_graph=True)
    (bend,) = gg.autograd.grad(slope, x)
    assert bend.item() == pytest.approx(4e-9, rel=1e-6)


def test_a_deep_graph_is_printed():
    x = gg.tensor(0.5, requires_grad=True)
    graph = Graph([chain(x, 20_000).node])
    assert str(graph).count("\n") == 20_001
    assert len(graph.leaves) == 1


def test_a_wide_graph():
    x = gg.tensor([1.0, 2.0], dtype=gg.float64, requires_grad=True)
    total = sum(x * float(n) for n in range(20_000))
    total.sum().backward()
    assert x.grad.tolist() == [sum(range(20_000))] * 2


def test_doubling_paths_are_walked_once():
    """2^60 paths lead from the result to the leaf; the walk goes over 60 nodes."""
    x = gg.tensor(1.0, dtype=gg.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    start = time.perf_counter()
    y.backward()
    assert x.grad.item() == 2.0**60
    assert time.perf_counter() - start < 5


def test_memory_of_a_loop_stays_level():
    """Graphs of earlier steps are gone when the next is built."""
    gc.collect()
    w = gg.ones(10, requires_grad=True)
    counts = []
    for _ in range(3):
        for _ in range(20):
            (w * w).exp().sum().backward()
            with gg.no_grad():
                w -= 1e-3 * w.grad
            w.grad = None
        counts.append(sum(type(x).__name__ == "Node" for x in gc.get_objects()))
    assert counts[2] <= counts[1] + 2
