"""What `show`, `report` and `graph` say of a compiled step is so."""

import numpy as np
import pytest

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.dispatch import constant, leaf
from glassgrad.engine import compile
from glassgrad.errors import ArgumentError
from glassgrad.op import REGISTRY

engines = pytest.mark.parametrize("engine", ["interpret", "native"])


def trained(**options):
    gg.manual_seed(0)
    net = nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, 7))
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    @compile(**options)
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(0)
    batch = gg.tensor(rng.normal(size=(20, 30)), dtype=gg.float32), gg.tensor(rng.integers(0, 7, 20))
    for _ in range(3):
        step(*batch)
    return step, net, batch


def test_products_are_counted():
    step, _, _ = trained()
    made = step.report()
    products = [k.operations for k in made.kernels if "matmul" in k.ops]
    # Forward and backward of two layers; the first layer needs no gradient of its input.
    least = 2 * 20 * 30 * 50 * 2 + 2 * 20 * 50 * 7 * 3
    assert least <= sum(products) <= 1.2 * least
    assert len(products) == 5
    assert all(any("test_report.py" in place for place in k.where) for k in made.kernels if "matmul" in k.ops)


def test_bytes_are_counted():
    go = compile(lambda x, y: (x[:2] * y).sum())
    x, y = gg.ones(5, 8, dtype=gg.float64), gg.ones(8, dtype=gg.float64)
    go(x, y), go(x, y)
    (kernel,) = go.report().kernels
    assert (kernel.read, kernel.written, kernel.operations) == (2 * 8 * 8 + 8 * 8, 8, 2 * 16)
    assert go.report().held == 5 * 8 * 8 + 8 * 8 + 8


def test_looking_changes_nothing(capsys):
    step, net, batch = trained(threads=2)
    before = [p.detach().numpy().copy() for p in net.parameters()]
    step.show(profile=True)
    assert "peak" in capsys.readouterr().out
    for p, held in zip(net.parameters(), before, strict=True):
        assert p.detach().numpy().tobytes() == held.tobytes()
    made = step.report(profile=True)
    assert all(k.seconds >= 0 for k in made.kernels)
    assert all(k.share <= 1.2 for k in made.kernels)
    assert sum(k.seconds for k in made.kernels) > 0
    assert step(*batch).item() > 0


@engines
def test_other_signatures_are_listed(engine, capsys):
    go = compile(lambda x, k=1: x * k, engine=engine)
    for x, k in ((gg.ones(2), 3), (gg.ones(3, 4), 3), (gg.ones(2), 5)):
        go(x, k=k)
        go(x, k=k)
    go.show()
    said = capsys.readouterr().out
    assert said.startswith("<lambda>(float32[2], k=5)")
    assert "(float32[2], k=3)" in said.split("also held:")[1]
    assert "(float32[3, 4], k=3)" in said.split("also held:")[1]


@engines
def test_nothing_to_show(engine):
    go = compile(lambda x: x * 2, engine=engine)
    for look in (go.show, go.report, lambda: go.graph):
        with pytest.raises(ArgumentError, match="nothing has been traced yet"):
            look()
    failed = compile(lambda x: x * x.sum().item(), engine=engine, fallback=True)
    failed(gg.ones(2))
    with pytest.warns(UserWarning):
        failed(gg.ones(2))
    with pytest.raises(ArgumentError, match=r"runs uncompiled: .*look at a value"):
        failed.show()


@engines
def test_the_printed_graph_computes_the_step(engine):
    step, net, (x, y) = trained(engine=engine)
    graph = step.graph
    text = str(graph)
    held = {name: p.detach().numpy() for name, p in net.named_parameters()}
    held |= {"argument 0": x.numpy(), "argument 1": y.numpy(), "the option 'lr'": np.array(0.1)}
    names = dict(REGISTRY) | {"constant": constant, "dtype": np.dtype}
    for number, node in enumerate(graph.leaves):
        label = graph.labels[node]
        assert f"# x{number}: {node.spec}, {label}" in text
        names[f"x{number}"] = node if label.startswith("the constant") else leaf(held[label])
    body = text.replace("return (", "found = (")
    exec(body, names)
    ends = [line.split("# ")[1] for line in text.splitlines() if line.startswith("    v")]
    expected = step(x, y).item()
    assert ends[0] == "result 0"
    assert names["found"][0].value.item() == pytest.approx(expected, rel=1e-6)
    for node, end in zip(names["found"][1:], ends[1:], strict=True):
        now = dict(net.named_parameters())[end.removeprefix("the new ")]
        np.testing.assert_allclose(node.value, now.detach().numpy(), rtol=1e-5, atol=1e-7)
