"""Gradients that reach nobody, or that nobody uses; parameters that nobody trains; calls in the wrong order."""

from edits import Broken, Edit, after, broken, drop, moved, start, swap

BROKEN: list[Broken] = []

# -- no gradient: something cut it --

DETACHED = (
    ("wave", swap("h = gg.tanh(self.first(x))", "h = gg.tanh(self.first(x)).detach()"), ("first",)),
    ("cancer", swap("self.head(self.body(x))", "self.head(self.body(x).detach())"), ("body",)),
    ("autoencoder", swap("code = self.encoder(x)", "code = self.encoder(x).detach()"), ("encoder",)),
    ("digits", swap("x.flatten(1))\n        return", "x.flatten(1).detach())\n        return"), ("conv1", "conv2", "bn1", "bn2")),
    ("blobs", swap("self.head(x.flatten(1))", "self.head(x.flatten(1).detach())"), ("stem", "block")),
    ("louder", swap("states[:, -1]", "states[:, -1].detach()"), ("lstm", "embed")),
    ("alarm", swap("self.fc(h[-1])", "self.fc(h[-1].data)"), ("lstm",)),
    ("spelling", swap("self.norm(h))", "self.norm(h.detach()))"), ("lstm", "embedding")),
    ("majority", swap("h.mean(1)", "h.mean(1).detach()"), ("encoder", "embedding", "position")),
    ("highest", swap("h = gg.relu(self.hidden(h.amax(1)))", "h = gg.relu(self.hidden(h.amax(1).detach()))"), ("inputs", "attention", "norms")),
)  # fmt: skip
for template, edit, cut in DETACHED:
    BROKEN.append(broken("no gradient", template, edit, ops=("detach",), modules=cut))
UNSEEN = (
    ("wave", swap("h = gg.tanh(self.second(h))", "h = gg.tensor(gg.tanh(self.second(h)).detach().numpy())"), ("first", "second")),
    ("louder", swap("states, _ = self.lstm(h)", "with gg.no_grad():\n            states, _ = self.lstm(h)"), ("lstm", "embed")),
    (
        "pairs", swap("for layer in self.layers:\n            h = layer(h)", "with gg.no_grad():\n            for layer in self.layers:\n                h = layer(h)"),
        ("layers", "embedding", "position"),
    ),
)  # fmt: skip
for template, edit, cut in UNSEEN:
    BROKEN.append(broken("no gradient", template, edit, ops=("detach",), modules=cut))
NO_LOSS = (
    ("moons", swap("loss = criterion(logits, y_train[rows])", "loss = criterion(logits.detach(), y_train[rows])")),
    ("stripes", swap("loss = criterion(output, labels)", "loss = gg.tensor(criterion(output, labels).item())")),
    ("residual", swap("loss = F.cross_entropy(logits, labels[rows])", "loss = (logits.argmax(1) != labels[rows]).float().mean()")),
)  # fmt: skip
for template, edit in NO_LOSS:
    BROKEN.append(
        broken(
            "no gradient",
            template,
            edit,
            ops=("detach", "argmax", "ne", "cast"),
            lines=("backward()",),
            whole=True,
            shows="error",
        )
    )

# -- zero gradient: a factor of it is zero --

ZERO = (
    ("wave", swap("h = gg.tanh(self.first(x))", "h = gg.sign(self.first(x))"), ("sign",), ("first",)),
    ("moons", swap("nn.Linear(32, 1))", "nn.Linear(32, 1), nn.Hardtanh(5.0, 6.0))"), ("where", "maximum", "minimum", "lt", "gt"), ("5",)),
    ("squashed", swap("said = model(inputs)", "said = gg.round(model(inputs))"), ("round",), ()),
    ("blobs", swap("x = gg.relu(self.stem(x))", "x = gg.round(gg.relu(self.stem(x)))"), ("round",), ("stem",)),
    ("stripes", swap("output = model(images)", "output = gg.floor(model(images))"), ("floor",), ()),
    ("digits", swap("x = self.dropout(x.flatten(1))", "x = self.dropout(x.flatten(1)) * (epoch < 0)"), ("mul",), ()),
    ("louder", swap("h = gg.relu(self.embed(x))", "h = gg.sign(self.embed(x))"), ("sign",), ("embed",)),
    ("tides", swap("return self.out(h), state", "return gg.round(self.out(h)), state"), ("round",), ("",)),
    ("alarm", swap("return self.fc(h[-1])", "return self.fc(h[-1] * 0.0)"), ("mul",), ("lstm",)),
    ("majority", swap("return self.head(h.mean(1))", "return self.head(gg.round(h.mean(1)))"), ("round",), ("encoder", "embedding", "position")),
    ("highest", swap("h = h + attention(norm(h))", "h = h + 0.0 * attention(norm(h))"), ("mul",), ("attention",)),
    ("gpt", swap("x = x + self.proj(F", "x = x + 0.0 * self.proj(F"), ("mul",), ("blocks",)),
)  # fmt: skip
for template, edit, ops, modules in ZERO:
    BROKEN.append(broken("zero gradient", template, edit, ops=ops, modules=modules))

# -- unused parameters --

UNUSED = (
    ("wave", (swap("h = gg.tanh(self.second(h))", "gg.tanh(self.second(h))"),), "second"),
    ("cancer", (after("self.head =", "self.extra = nn.Sequential(nn.Linear(width, width), nn.ReLU())"),), "extra"),
    ("digits", (after("self.bn2 =", "self.conv3 = nn.Conv2d(16, 16, 3, padding=1)"),), "conv3"),
    ("blobs", (swap("x = gg.relu(x + self.block(x))", "x = gg.relu(x)"),), "block"),
    ("louder", (after("self.lstm =", "self.norm = nn.LayerNorm(hidden)"),), "norm"),
    ("alarm", (after("self.fc =", "self.attention = nn.Linear(hidden, 1)"),), "attention"),
    ("majority", (swap("self.embedding(tokens) + self.position", "self.embedding(tokens)"),), "position"),
    ("pairs", (after("self.position =", "self.pool = nn.Linear(width, width)"),), "pool"),
)  # fmt: skip
for template, edits, module in UNUSED:
    thrown_away = ("no gradient",) if module == "second" else ()
    BROKEN.append(broken("unused parameters", template, *edits, modules=(module,), also=thrown_away, shows="text"))

# -- frozen parameters --


def frozen(of: str) -> Edit:
    return start(f"for p in {of}.parameters():", "    p.requires_grad_(False)")


FROZEN = (
    ("moons", ("NET[0]", "NET[2]"), ("0", "2")),
    ("wave", ("NET.first", "NET.second"), ("first", "second")),
    ("residual", ("NET.embed", "NET.blocks"), ("embed", "blocks")),
    ("stripes", ("NET[0]", "NET[3]"), ("0", "3")),
    ("digits", ("NET.conv1", "NET.conv2"), ("conv1", "conv2")),
    ("louder", ("NET.lstm", "NET.embed"), ("lstm", "embed")),
    ("tides", ("NET.rnn",), ("rnn",)),
    ("spelling", ("NET.lstm",), ("lstm",)),
    ("gpt", ("NET.blocks",), ("blocks",)),
    ("pairs", ("NET.layers", "NET.embedding"), ("layers", "embedding")),
)  # fmt: skip
for template, parts, modules in FROZEN:
    BROKEN.append(broken("frozen parameters", template, *map(frozen, parts), modules=modules, mendable=True))

# -- gradients never cleared --

LOOP = {"lines": ("zero_grad", "backward()", "step()"), "whole": True, "mendable": True}
for template, line in (
    ("moons", "optimizer.zero_grad()"),
    ("wave", "opt.zero_grad()"),
    ("cancer", "optimizer.zero_grad()"),
    ("squashed", "optimizer.zero_grad()"),
    ("stripes", "optimizer.zero_grad()"),
    ("digits", "optimizer.zero_grad()"),
    ("louder", "optimizer.zero_grad()"),
    ("tides", "optimizer.zero_grad()"),
    ("majority", "optimizer.zero_grad()"),
    ("gpt", "optimizer.zero_grad(set_to_none=True)"),
):
    BROKEN.append(broken("gradients never cleared", template, drop(line), **LOOP))
for template, place in (("moons", "order ="), ("stripes", "model.train()"), ("louder", "order =")):
    once = (drop("optimizer.zero_grad()"), after(place, "optimizer.zero_grad()"))
    BROKEN.append(broken("gradients never cleared", template, *once, **LOOP))

# -- parameters outside of the optimizer --

OUTSIDE = (
    ("moons", (swap("Adam(model.parameters()", "Adam(model[4].parameters()"),), ("0", "2")),
    ("wave", (swap("SGD(net.parameters()", "SGD(net.out.parameters()"),), ("first", "second")),
    ("cancer", (swap("AdamW(model.parameters()", "AdamW(model.head.parameters()"),), ("body",)),
    ("cancer", (after("scheduler =", "model = Classifier()"),), ("*",)),
    ("residual", (swap("nn.ModuleList([Block(width) for _ in range(depth)])", "[Block(width) for _ in range(depth)]"),), ("blocks",)),
    ("digits", (swap("Adam(net.parameters()", "Adam(net.fc.parameters()"),), ("conv1", "conv2", "bn1", "bn2")),
    ("blobs", (after("optimizer =", "model = Locator(channels=12)"),), ("*",)),
    ("louder", (swap("Adam(model.parameters()", "Adam(model.head.parameters()"),), ("lstm", "embed")),
    ("tides", (after("optimizer =", "net = Tides(hidden=24)"),), ("*",)),
    (
        "gpt", (swap('[{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]', '[{"params": others, "weight_decay": 0.0}]'),),
        ("*",),
    ),
    ("pairs", (swap("Adam(model.parameters()", "Adam(model.head.parameters()"),), ("layers", "embedding", "position")),
)  # fmt: skip
for template, edits, modules in OUTSIDE:
    BROKEN.append(
        broken(
            "parameters outside of the optimizer", template, *edits, modules=modules, whole=modules == ("*",), mendable=True,
        )
    )  # fmt: skip

# -- step before backward --

for template, name in (
    ("moons", "optimizer"), ("cancer", "optimizer"), ("stripes", "optimizer"), ("louder", "optimizer"), ("majority", "optimizer"),
):  # fmt: skip
    BROKEN.append(
        broken("step before backward", template, moved(f"{name}.step()", "loss.backward()"), shows="still", **LOOP)
    )
for template, name in (("wave", "opt"), ("digits", "optimizer"), ("tides", "optimizer"), ("pairs", "optimizer")):
    late = (drop(f"{name}.zero_grad()"), after("loss.backward()", f"{name}.zero_grad()"))
    BROKEN.append(broken("step before backward", template, *late, also=("no gradient",), shows="still", **LOOP))

# -- no update: the optimizer's step is left out --

for template in ("cancer", "squashed", "digits", "blobs", "spelling", "pairs"):
    BROKEN.append(
        broken("no update", template, drop("optimizer.step()"), lines=LOOP["lines"], whole=True, shows="still")
    )
