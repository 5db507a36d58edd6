# ruff: noqa: E501
"""The second set: gradients that reach nobody or that nobody uses, calls in the wrong order, modes."""

from edits import Broken, after, broken, drop, moved, swap

from .second_common import begun

BROKEN: list[Broken] = []

# -- no gradient: something cut it --

BROKEN += [
    broken("no gradient", "vintages", swap("        loss.backward()\n        optimizer.step()\n        total", "        loss = gg.tensor(loss.item(), requires_grad=True)\n        loss.backward()\n        optimizer.step()\n        total"), modules=("*",), whole=True, shows="still"),
    broken("no gradient", "clocks", swap("0.5 * F.binary_cross_entropy_with_logits(how_long, long)", "0.5 * ((how_long > 0).float() - long).abs().mean()"), swap("both(model(validation[0]), *validation[1:]).item())", "F.binary_cross_entropy_with_logits(model(validation[0])[1], validation[2]).item())"), ops=("gt", "cast", "detach"), modules=("length",)),
    broken("no gradient", "savours", swap("p, f = self.person(people), self.film(films)", "p, f = self.person.weight.data[people], self.film.weight.data[films]"), ops=("detach",), modules=("person", "film"), also=("unused parameters",)),
]  # fmt: skip

# -- unused parameters --

TEXT = {"shows": "text"}
BROKEN += [
    broken("unused parameters", "echoes", swap("return x + self.mlp(self.ln2(x))", "return x + self.mlp(x)"), modules=("blocks.0.ln2", "blocks.1.ln2"), **TEXT),
    broken("unused parameters", "ledger", swap("        h = gg.relu(self.dense(outputs[-1]))\n        return self.total(h)[:, 0]", "        return self.total(outputs[-1])[:, 0]"), modules=("dense",), **TEXT),
    broken("unused parameters", "vintages", swap("x = self.relu(self.batchnorm2(self.layer_2(x)))", "x = self.relu(self.batchnorm1(self.layer_2(x)))"), modules=("batchnorm2",), **TEXT),
]  # fmt: skip

# -- frozen parameters --

BROKEN += [
    broken("frozen parameters", "savours", swap("self.person = nn.Embedding(PEOPLE, size)\n        self.film = nn.Embedding(FILMS, size)", "self.person = nn.Embedding.from_pretrained(gg.randn(PEOPLE, size))\n        self.film = nn.Embedding.from_pretrained(gg.randn(FILMS, size))"), modules=("person", "film"), mendable=True),
    broken("frozen parameters", "echoes", begun("echoes", "NET.blocks.requires_grad_(False)"), modules=("blocks",), mendable=True),
    broken("frozen parameters", "gauges", swap("return (gg.rand(fan_in, fan_out) * 2 * bound - bound).requires_grad_()", "return gg.rand(fan_in, fan_out) * 2 * bound - bound"), swap("params = [W1", "W3.requires_grad_()\nparams = [W1"), modules=("W1", "W2", "params.0", "params.2", "0", "2"), lines=("params = [",), whole=True, mendable=True),
]  # fmt: skip

# -- gradients never cleared --

LOOP = {"lines": ("zero_grad", ".grad = None", "backward()", "step()"), "whole": True, "mendable": True}
BROKEN += [
    broken("gradients never cleared", "savours", swap("self.optimizer.zero_grad()", "self.optimizer.zero_grad"), **LOOP),
    broken("gradients never cleared", "ledger", swap("                optimizer.step()\n                optimizer.zero_grad()\n", "                optimizer.step()\n"), drop("optimizer.zero_grad()"), **LOOP),
    broken("gradients never cleared", "echoes", swap("    optimizer.zero_grad()\n", "    if not history:\n        optimizer.zero_grad()\n"), **LOOP),
]  # fmt: skip

# -- parameters outside of the optimizer --

AWAY = {"mendable": True}
BROKEN += [
    broken("parameters outside of the optimizer", "vintages", after("optimizer =", "model.layer_out = nn.Sequential(nn.Linear(32, 4), nn.Tanh(), nn.Linear(4, 3))"), modules=("layer_out",), **AWAY),
    broken("parameters outside of the optimizer", "grammar", swap("optim.Adagrad(tagger.parameters(), lr=0.05)", "optim.Adagrad([p for p in tagger.parameters() if p.ndim == 1], lr=0.05)"), modules=("*",), whole=True, **AWAY),
    broken("parameters outside of the optimizer", "gauges", swap("params = [W1, b1, W2, b2, W3, b3]", "params = [W3, b3]"), modules=("*",), whole=True, **AWAY),
]  # fmt: skip

# -- step before backward --

STILL = {"shows": "still", **LOOP}
NONE = ("no gradient",)
BROKEN += [
    broken("step before backward", "gauges", swap("        for p in params:\n            p.grad = None\n        loss.backward()\n        optimizer.step()\n", "        loss.backward()\n        for p in params:\n            p.grad = None\n        optimizer.step()\n"), also=NONE, **STILL),
    broken("step before backward", "ledger", swap("                optimizer.step()\n                optimizer.zero_grad()\n", "                optimizer.zero_grad()\n                optimizer.step()\n"), also=NONE, **STILL),
]  # fmt: skip

# -- no update: the optimizer's step is left out --

LEFT_OUT = {"lines": LOOP["lines"], "whole": True, "shows": "still"}
BROKEN += [
    broken("no update", "savours", swap("self.optimizer.step()", "self.optimizer.step"), **LEFT_OUT),
    broken("no update", "ledger", swap("every=2", "every=64"), **LEFT_OUT),
    broken("no update", "heartbeats", swap("            optimizer.step()\n", "            if loss < 0.05:\n                optimizer.step()\n"), **LEFT_OUT),
]  # fmt: skip

# -- evaluation mode, and training mode in evaluation --

MODES = ("eval()", "train()")
TRAINS = {"lines": MODES, "whole": True, "mendable": True, "shows": "text"}
RESTS = {"lines": ("model(", "tagger(", "net(", "shadow(", "evaluate(", "validate("), "whole": True, "shows": "text"}
BROKEN += [
    broken("evaluation mode", "grammar", moved("tagger.train()", "for epoch in range(6):"), modules=("dropout",), **TRAINS),
    broken("evaluation mode", "heartbeats", after("net.train()", "for module in net.modules():", "    if isinstance(module, nn.BatchNorm1d):", "        module.eval()"), modules=("features",), **TRAINS),
    broken("evaluation mode", "twins", swap("    model.train()\n", "    model.train(mode=False)\n"), modules=("transformer", "encoder.transformer"), **TRAINS),
    broken("training mode in evaluation", "heartbeats", swap("shadow.eval()", "net.eval()"), modules=("features",), **RESTS),
    broken("training mode in evaluation", "twins", swap("model.eval()", "model.eval"), base=(swap("dropout=0.05", "dropout=0.15"),), modules=("transformer", "encoder.transformer"), **RESTS),
]  # fmt: skip

# -- batch norm of one row --

NORMED_DENSE = (
    swap("self.total = nn.Linear(hidden, 1)", "self.total = nn.Linear(hidden, 1)\n        self.norm = nn.BatchNorm1d(hidden)"),
    swap("gg.relu(self.dense(outputs[-1]))", "gg.relu(self.norm(self.dense(outputs[-1])))"),
)  # fmt: skip
PROJECTED = (
    swap("self.project = nn.Linear(width, width, bias=False)", "self.project = nn.Sequential(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width))"),
)  # fmt: skip
ONE_ROW = {"shows": "error", "whole": True}
BROKEN += [
    broken("batch norm of one row", "ledger", swap("size=20", "size=1"), base=NORMED_DENSE, modules=("norm",), lines=("size=", "model(x", "self.norm"), **ONE_ROW),
    broken("batch norm of one row", "twins", swap('        print(f"epoch {epoch}: {sum(losses) / len(losses):.3f}")', '        print(f"epoch {epoch}: {sum(losses) / len(losses):.3f}", model.encoder(left[:1]).abs().max().item())'), base=PROJECTED, also=("training mode in evaluation",), modules=("project", "encoder.project"), lines=("self.project",), **ONE_ROW),
]  # fmt: skip
