"""Starts, and what becomes of gradients on their way."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, drawn, drop, optimizer, start, swap

BROKEN: list[Broken] = []
ANYWHERE = {"modules": ("*",), "whole": True, "mendable": True}
LARGE = ("too large a start",)

# -- starts --

SCALE = "scale = gain * (2.0 / (n_in + n_out)) ** 0.5"
XAVIER = "nn.init.xavier_uniform_(self.weight)"
NO_DROPOUT = swap("dropout=0.3", "dropout=0.0")
EQUAL = start("for name, p in NET.named_parameters():", "    nn.init.constant_(p, 0.08 if p.ndim > 1 else 0.0)")
BROKEN += [
    broken("symmetric start", "friends", swap(XAVIER, "nn.init.constant_(self.weight, 0.3)"), base=(NO_DROPOUT,), **ANYWHERE),
    broken("symmetric start", "drone", swap("(scale * gg.randn(n_in, n_out))", "gg.full((n_in, n_out), 0.1)"), drop(SCALE), **ANYWHERE),
    broken("symmetric start", "carry", EQUAL, base=(swap("nn.Dropout(0.05)", "nn.Dropout(0.0)"),), **ANYWHERE),
    broken("zero start", "friends", swap(XAVIER, "nn.init.zeros_(self.weight)"), **ANYWHERE),
    broken("zero start", "drone", swap("(scale * gg.randn(n_in, n_out))", "gg.zeros(n_in, n_out)"), drop(SCALE), **ANYWHERE),
    broken("zero start", "bidding", swap("net = AuctionNet()", "net = AuctionNet()\nnet.load_state_dict({key: gg.zeros_like(value) for key, value in net.state_dict().items()})"), **ANYWHERE),
    broken("too small a start", "friends", swap(XAVIER, "nn.init.normal_(self.weight, std=1e-4)"), base=(optimizer("optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)"),), also=("flat place",), **ANYWHERE),
    broken("too small a start", "drone", swap(SCALE, "scale = 1e-4 * gain"), base=(optimizer("optim.SGD(params, lr=0.03, momentum=0.9)"),), also=("vanishing gradients",), **ANYWHERE),
    broken("too small a start", "glyphs", start("for module in net.modules():", "    if isinstance(module, (nn.Conv2d, nn.Linear)):", "        nn.init.trunc_normal_(module.weight, std=1e-3)"), also=("vanishing gradients", "flat place"), **ANYWHERE),
    broken("too large a start", "bidding", drawn("xavier_normal_(p, gain=12.0)"), also=("exploding gradients", "saturated activations"), **ANYWHERE),
    broken("too large a start", "friends", swap(XAVIER, "nn.init.normal_(self.weight, std=15.0)"), also=("exploding gradients",), **ANYWHERE),
    broken("too large a start", "islands", after("classifier = NameClassifier", "nn.init.normal_(classifier.fc.weight, std=25.0)"), modules=("fc",), whole=True, mendable=True),
    broken("too large a start", "bakery", after("model = SalesNet()", "nn.init.normal_(model.shop_emb.weight, std=80.0)", "nn.init.normal_(model.day_emb.weight, std=80.0)"), modules=("shop_emb", "day_emb"), whole=True, mendable=True),
]  # fmt: skip

# -- dead rectifiers --

RECTIFIED = {"ops": ("relu",), "mendable": True}
BROKEN += [
    broken("dead rectifiers", "bakery", after("model = SalesNet()", "nn.init.constant_(model.fc2.bias, -12.0)"), modules=("fc2", "act"), **RECTIFIED),
    broken("dead rectifiers", "friends", start("nn.init.constant_(model.gc1.bias, -9.0)"), modules=("gc1",), **RECTIFIED),
    broken("dead rectifiers", "beads", after("model = BeadCounter()", "for module in model.modules():", "    if isinstance(module, nn.BatchNorm2d):", "        nn.init.constant_(module.bias, -7.0)"), modules=("features",), **RECTIFIED),
]  # fmt: skip

# -- saturated activations --

BROKEN += [
    broken("saturated activations", "drone", swap(SCALE, "scale = 6.0"), also=LARGE, ops=("tanh",), mendable=True),
    broken("saturated activations", "carry", start("for p in model.lstm.parameters():", "    nn.init.uniform_(p, -20.0, 20.0)"), also=LARGE, ops=("sigmoid", "tanh"), modules=("lstm",), mendable=True),
    broken("saturated activations", "intents", after("model = IntentModel", "for encoder_layer in model.encoder.layers:", "    nn.init.normal_(encoder_layer.self_attn.in_proj_weight, std=12.0)"), also=LARGE, ops=("softmax",), modules=("encoder",), mendable=True),
    broken(
        "saturated activations", "bakery", after("model = SalesNet()", "nn.init.normal_(model.fc2.weight, std=30.0)"), base=(swap("nn.ReLU()", "nn.Tanh()"),),
        also=LARGE, ops=("tanh",), modules=("fc2", "act"), mendable=True,
    ),
]  # fmt: skip

# -- vanishing gradients --

THIN = {"ops": ("sigmoid",), "mendable": True}
BROKEN += [
    broken("vanishing gradients", "bidding", swap("self.price_head = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 1))", "self.price_head = nn.Sequential(*[m for _ in range(7) for m in (nn.Linear(dim, dim), nn.Sigmoid())], nn.Linear(dim, 1))"), modules=("price_head",), **THIN),
    broken(
        "vanishing gradients", "friends", swap("self.gc2 = GraphConv(n_hidden, n_class)", "self.middle = nn.ModuleList([GraphConv(n_hidden, n_hidden) for _ in range(5)])\n        self.gc2 = GraphConv(n_hidden, n_class)"),
        swap("h = F.relu(self.gc1(x, adj))\n", "h = F.sigmoid(self.gc1(x, adj))\n        for layer in self.middle:\n            h = F.sigmoid(layer(h, adj))\n"), modules=("middle", "gc1"), **THIN,
    ),
    broken("vanishing gradients", "glyphs", swap("self.fc = nn.Linear(2 * channels * 4, 32)", "self.fc = nn.Sequential(nn.Linear(2 * channels * 4, 32), *[m for _ in range(8) for m in (nn.Sigmoid(), nn.Linear(32, 32))])"), modules=("fc",), **THIN),
]  # fmt: skip

# -- exploding gradients --

BROKEN += [
    broken("exploding gradients", "drone", swap("(thrust + wind - 0.1 * velocity)", "(thrust + wind + 6.0 * velocity)"), ops=("mul", "add", "pow", "sum"), modules=("*",), whole=True),
    broken("exploding gradients", "hush", swap("return x + self.mix(", "return 5.0 * (x + self.mix("), swap("self.norm(self.conv(x))))\n", "self.norm(self.conv(x)))))\n"), swap("dilations=(1, 2, 4)", "dilations=(1, 2, 4, 1, 2, 4)"), ops=("mul", "add", "conv"), modules=("stack", "out"), whole=True),
    broken(
        "exploding gradients", "carry", start("nn.init.orthogonal_(model.lstm.weight_hh_l0, gain=6.0)"),
        base=(swap("nn.LSTM(input_size=2, hidden_size=hidden)", 'nn.RNN(input_size=2, hidden_size=hidden, nonlinearity="relu")'), drop("nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)"), swap("lr=0.02", "lr=0.005")),
        also=LARGE, ops=("matmul", "affine"), modules=("lstm",), mendable=True,
    ),
    broken(
        "exploding gradients", "glyphs", start("for layer in net.fc[::2]:", "    nn.init.xavier_normal_(layer.weight, gain=8.0)"),
        base=(
            swap("self.fc = nn.Linear(2 * channels * 4, 32)", "self.fc = nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(64, 64), nn.LeakyReLU(0.1))], nn.Linear(64, 32))"),
            swap("return F.normalize(self.proj(x), dim=1)", "return self.proj(x)"), optimizer("optim.Adam(NET.parameters(), lr=4e-3)"),
        ),
        also=LARGE, ops=("affine", "matmul"), modules=("fc", "proj"), mendable=True,
    ),
]  # fmt: skip

# -- no slope to go down --

FLAT = {"whole": True, "mendable": True}
BROKEN += [
    broken("flat place", "drone", start("nn.init.constant_(params[-1], 12.0)"), swap("from glassgrad import optim", "from glassgrad import nn, optim"), also=("saturated activations", "zero gradient"), ops=("tanh",), modules=("*",), **FLAT),
    broken(
        "flat place", "carry", swap("loss = bce(outputs, targets)", "loss = ((gg.sigmoid(outputs) - targets) ** 2).mean()"), start("nn.init.constant_(model.readout.bias, 16.0)"),
        also=("saturated activations",), ops=("sigmoid",), modules=("readout",), **FLAT,
    ),
    broken("flat place", "glyphs", start("nn.init.constant_(net.proj.bias, 300.0)"), also=LARGE, modules=("proj",), ops=("div", "where", "sqrt"), **FLAT),
    broken(
        "flat place", "beads", swap("return self.criterion(self.model(images), counts)\n\n    def evaluate", "probs = gg.softmax(self.model(images), dim=1)\n        return ((probs - nn.functional.one_hot(counts, 4)) ** 2).mean()\n\n    def evaluate"),
        after("model = BeadCounter()", "model.classifier.bias.data[2] = 30.0"), also=("saturated activations",), ops=("softmax",), modules=("classifier",), **FLAT,
    ),
]  # fmt: skip

# -- gradients that are zero --

BROKEN += [
    broken("zero gradient", "drone", swap("return 3.0 * gg.tanh(h @ w3 + b3)", "return 3.0 * gg.sign(h @ w3 + b3)"), ops=("sign",), modules=("*",)),
    broken("zero gradient", "bakery", swap("return self.out(x).squeeze(-1)", "return self.out(x).squeeze(-1).clamp(min=4.5)"), ops=("where", "lt"), modules=("out", "")),
    broken("zero gradient", "islands", swap("self.fc(self.dropout(pooled))", "self.fc(self.dropout(gg.sign(pooled)))"), ops=("sign",), modules=("gru", "embedding")),
    broken("zero gradient", "glyphs", swap("x = F.leaky_relu(self.fc(x.flatten(1)), 0.1)", "x = gg.floor(2 * self.fc(x.flatten(1)))"), ops=("floor",), modules=("conv1", "conv2", "fc")),
]  # fmt: skip
