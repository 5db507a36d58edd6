"""Numbers that are none, too large or too small for float32."""

from edits import Broken, after, broken, swap

BROKEN: list[Broken] = []
CANCER = "x_test, y_test = (test.tensors[0] - mean) / std, test.tensors[1]\n"

# -- numbers that are not finite --

NONE = (
    ("wave", swap("x, y = sample(600)", "x, y = sample(600)\nx[30, 1] = float('nan')"), (), ("the inputs", "first")),
    ("cancer", swap("x, y = train.tensors\n", "x, y = train.tensors\nx[:, 7] = 0.0\n"), ("div",), ("the inputs", "body.0")),
    ("moons", swap("loss = criterion(logits, y_train[rows])", "p = gg.relu(logits)\n        loss = -(y_train[rows] * gg.log(p) + (1 - y_train[rows]) * gg.log(1 - p)).mean()"), ("log",), ()),
    ("autoencoder", swap("code = self.encoder(x)", "code = gg.sqrt(self.encoder(x))"), ("sqrt",), ()),
    ("squashed", swap("loss = loss_fn(said, targets)", "loss = gg.log(loss_fn(said, targets) - loss_fn(said, targets))"), ("log",), ()),
    ("stripes", swap("output = model(images)", "output = model(images / gg.floor(images.amax((1, 2, 3), keepdim=True) - 2))"), ("div",), ()),
    ("blobs", swap("x = gg.relu(self.stem(x))", "x = gg.relu(gg.sqrt(self.stem(x)))"), ("sqrt",), ("stem",)),
    ("digits", swap("logits = net(images)\n        loss", "images = images / (images.amax((0, 1), keepdim=True))\n        logits = net(images)\n        loss"), ("div",), ("the inputs",)),
    ("louder", swap("h = gg.relu(self.embed(x))", "h = gg.relu(self.embed(x) ** 1.5)"), ("pow",), ("embed",)),
    ("tides", swap("said, state = net(x, state)", "said, state = net(x / (x - x[:, :1]), state)"), ("div",), ("the inputs",)),
    ("alarm", swap("return self.fc(h[-1])", "return self.fc(gg.log(h[-1]))"), ("log",), ()),
    (
        "highest", swap("weights = gg.softmax(scores, dim=-1)", "scores = scores.masked_fill(x[:, :, :1].abs() < 0.1, -float('inf'))\n        weights = gg.softmax(scores, dim=-1)"),
        ("softmax", "where"), ("attention",),
    ),
    (
        "pairs", swap("h = self.embedding(tokens) + self", "h = self.embedding(tokens) / (tokens > 0).float().unsqueeze(2) + self"),
        ("div",), (),
    ),
    (
        "gpt", swap("F.scaled_dot_product_attention(q, k, v, is_causal=True)", "gg.softmax((q @ k.transpose(1, 2)).masked_fill(gg.ones(x.shape[1], x.shape[1]).tril(-1) == 0, -float('inf')), dim=-1) @ v"),
        ("softmax", "where"), ("blocks",),
    ),
)  # fmt: skip
for template, edit, ops, modules in NONE:
    BROKEN.append(broken("numbers that are not finite", template, edit, ops=ops, modules=modules, shows="nan"))

# -- overflow --

OVER = (
    ("moons", (swap("loss = criterion(logits, y_train[rows])", "e = gg.exp(500 * logits)\n        loss = criterion(e / (1 + e), y_train[rows])"),), ("exp",)),
    ("wave", (swap("h = gg.tanh(self.second(h))", "h = gg.exp(self.second(h) ** 2 * 1000)"),), ("exp", "mul")),
    ("wave", (swap("loss = ((pred - yb) ** 2).mean()", "loss = ((1e22 * (pred - yb)) ** 2).mean()"),), ("pow", "mul")),
    ("stripes", (swap("output = model(images)", "output = gg.exp(300 * model(images))\n        output = gg.log(output / output.sum(1, keepdim=True))"),), ("exp", "mul")),
    ("blobs", (swap("loss = criterion(model(batch), target)", "loss = criterion(1e25 * model(batch), 1e25 * target)"),), ("mul", "pow")),
    ("louder", (swap("h = gg.relu(self.embed(x))", "h = gg.exp(60 * self.embed(x))"),), ("exp",)),
    ("alarm", (swap("loss = criterion(logits, y)", "loss = criterion(logits, y) * 1e20 * 1e20"),), ("mul",)),
    (
        "highest", (swap("weights = gg.softmax(scores, dim=-1)", "e = gg.exp(400 * scores)\n        weights = e / e.sum(-1, keepdim=True)"),),
        ("exp",),
    ),
    ("gpt", (swap("logits = self.head(self.norm(h))", "logits = gg.exp(3000 * self.head(self.norm(h)) ** 2)"),), ("exp",)),
)  # fmt: skip
for template, edits, ops in OVER:
    BROKEN.append(broken("overflow", template, *edits, ops=ops, also=("numbers that are not finite",), shows="nan"))

# -- underflow --

likelihood = (
    swap("loss = criterion(logits, y_train[rows])", "p = gg.sigmoid(logits)\n        loss = -gg.log(gg.where(y_train[rows] > 0.5, p, 1 - p).prod())"),
    swap("begin + 64]", "begin + 256]"), swap("len(x_train), 64)", "len(x_train), 256)"),
)  # fmt: skip
NOT = ("numbers that are not finite",)
UNDER = (
    ("moons", likelihood, ("mul", "log"), NOT),
    ("wave", (swap("h = gg.tanh(self.second(h))", "h = gg.exp(-1000 * (1 + self.second(h) ** 2))"),), ("exp",), ("zero gradient",)),
    ("wave", (swap("loss = ((pred - yb) ** 2).mean()", "loss = ((1e-25 * (pred - yb)) ** 2).mean()"),), ("pow", "mul"), ("zero gradient",)),
    ("stripes", (swap("loss.backward()", "(loss * 1e-46).backward()"),), ("mul",), ("zero gradient",)),
    ("blobs", (swap("x = gg.relu(x + self.block(x))", "x = gg.exp(-200 - gg.relu(x + self.block(x)))"),), ("exp",), ("zero gradient",)),
    ("stripes", (swap("loss = criterion(output, labels)", "p = gg.exp(output - 150)\n        loss = -gg.log(p / p.sum(1, keepdim=True)).mean()"),), ("exp",), NOT),
    ("louder", (swap("loss = criterion(logits, labels[rows])", "p = gg.softmax(500 * logits, 1)\n        loss = -gg.log(p[gg.arange(64), labels[rows]]).mean()"),), ("softmax", "log"), NOT),
    ("alarm", (swap("loss.backward()", "(1e-30 * loss * 1e-30).backward()"),), ("mul",), ("zero gradient",)),
    (
        "highest", (swap("weights = gg.softmax(scores, dim=-1)", "e = gg.exp(scores - 120)\n        weights = e / e.sum(-1, keepdim=True)"),),
        ("exp", "div"), NOT,
    ),
    (
        "gpt", (swap("F.cross_entropy(logits.flatten(0, 1), targets.flatten())", "-gg.log(gg.softmax(400 * logits.flatten(0, 1), -1).gather(1, targets.flatten()[:, None])).mean()"),),
        ("softmax", "log"), NOT,
    ),
)  # fmt: skip
for template, edits, ops, also in UNDER:
    BROKEN.append(broken("underflow", template, *edits, ops=ops, also=also))
_ = after
