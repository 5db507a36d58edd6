"""Gradients that reach nobody, parameters that nobody trains."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, start, swap

BROKEN: list[Broken] = []

# -- no gradient --

BROKEN += [
    broken("no gradient", "dials", swap("features = self.trunk(F.silu(self.stem(images)))", "with gg.no_grad():\n            features = self.trunk(F.silu(self.stem(images)))"), ops=("detach",), modules=("stem", "trunk")),
    broken("no gradient", "films", swap("loss = F.mse_loss(predicted, rating)", "loss = gg.tensor(F.mse_loss(predicted, rating).item(), requires_grad=True)"), ops=("detach",), modules=("*",), lines=("backward()",), whole=True, shows="still"),
    broken("no gradient", "shapes", swap("logits = self.model(images)\n        return self.criterion(logits, mask) + 0.5 * dice_loss(logits, mask)", "found = (self.model(images) > 0).float()\n        return 1 - 2 * (found * mask).sum() / (found + mask).sum()"), ops=("gt", "cast", "detach"), lines=("backward()",), whole=True, shows="error"),
    broken("no gradient", "lookup", swap("context = F.softmax(scores, dim=-1) @ v", "context = F.one_hot(scores.argmax(-1), keys.shape[1]).float() @ v"), ops=("argmax", "eq", "cast", "detach"), modules=("to_query", "to_key")),
]  # fmt: skip

# -- zero gradient --

BROKEN += [
    broken("zero gradient", "lookup", swap("F.softmax(scores, dim=-1)", "F.softmax(scores, dim=1)"), ops=("softmax",), modules=("to_query", "to_key")),
    broken("zero gradient", "films", swap("return self.score(h).squeeze(-1)", "return self.score(h).squeeze(-1).clamp(2.0, 5.0)"), ops=("where", "maximum", "minimum", "lt", "gt", "clamp"), modules=("",)),
    broken("zero gradient", "shapes", swap("return self.criterion(logits, mask) + 0.5 * dice_loss(logits, mask)", "found = gg.round(gg.sigmoid(logits))\n        return 1 - 2 * (found * mask).sum() / (found + mask).sum()"), ops=("round",)),
    broken("zero gradient", "adding", swap("return self.readout(h)[:, 0]", "return nn.functional.layer_norm(self.readout(h), (1,))[:, 0]"), ops=("mul", "sub", "add", "div", "sqrt"), modules=("cell", "readout")),
]  # fmt: skip

# -- unused parameters --

BROKEN += [
    broken("unused parameters", "dials", swap("loss = (angle_loss + 0.5 * long_loss) / accumulate", "loss = angle_loss / accumulate"), also=("no gradient",), modules=("long_head",)),
    broken("unused parameters", "mirror", swap("self.mlp(self.ln2(x))", "self.mlp(self.ln1(x))"), modules=("blocks.0.ln2",), shows="text"),
    broken("unused parameters", "tagger", after("self.lstm =", "self.second = nn.LSTM(2 * hidden, hidden, batch_first=True, bidirectional=True)"), modules=("second",), shows="text"),
]  # fmt: skip

# -- frozen parameters --

BROKEN += [
    broken("frozen parameters", "shapes", after("self.model = model", "for name, p in model.named_parameters():", '    p.requires_grad = name.startswith("mask")'), modules=("down", "bottom", "up", "merge"), mendable=True),
    broken("frozen parameters", "films", after("self.films =", "self.films.weight.requires_grad = self.viewers.weight.requires_grad = False"), modules=("viewers", "films"), mendable=True),
    broken("frozen parameters", "tagger", start("for frozen in (tagger.embedding, tagger.lstm):", "    frozen.requires_grad_(False)"), modules=("embedding", "lstm"), mendable=True),
]  # fmt: skip

# -- parameters outside of the optimizer --

OUTSIDE = "parameters outside of the optimizer"
BROKEN += [
    broken(OUTSIDE, "lookup", swap('[{"params": attention, "lr": 0.01}, {"params": rest}], lr', "rest, lr"), modules=("to_query", "to_key"), mendable=True),
    broken(OUTSIDE, "friedman", swap("optim.Adam(params, lr", "optim.Adam(params[-2:], lr"), modules=("*",), whole=True, mendable=True),
    broken(OUTSIDE, "tagger", after("plateau =", 'tagger.lstm = nn.LSTM(config["embedding"], config["hidden"], batch_first=True, bidirectional=True)'), modules=("lstm",), mendable=True),
]  # fmt: skip
