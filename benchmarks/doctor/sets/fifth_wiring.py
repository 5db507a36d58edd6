"""Parameters and gradients that do not find each other."""
# ruff: noqa: E501 - edits hold lines of programs

from edits import Broken, after, broken, optimizer, start, swap

BROKEN: list[Broken] = []

# -- cut --

BROKEN += [
    broken("no gradient", "drone", swap("        position = position + DT * velocity\n", "        position = (position + DT * velocity).detach()\n"), ops=("detach",), modules=("*",), whole=True),
    broken("no gradient", "carry", swap("self.readout(self.drop(states))", "self.readout(self.drop(states.data))"), ops=("detach",), modules=("lstm",)),
    broken("no gradient", "intents", swap("self.classifier(self.norm(h[:, 0]))", "self.classifier(self.norm(gg.tensor(h[:, 0].tolist())))"), ops=("detach",), modules=("encoder", "word_emb", "pos_emb", "cls")),
    broken("no gradient", "beads", swap("        return self.criterion(self.model(images), counts)\n\n    def evaluate", "        predicted = self.model(images).argmax(1)\n        return (predicted - counts).float().abs().mean()\n\n    def evaluate"), ops=("argmax", "cast", "sub", "detach"), lines=("backward()",), whole=True, shows="error"),
    broken("no gradient", "glyphs", swap("def embed_all", "@gg.no_grad()\ndef embed_all"), ops=("detach",), lines=("backward()",), whole=True, shows="error"),
]  # fmt: skip

# -- never called --

BROKEN += [
    broken("unused parameters", "bakery", swap("self.act(self.bn1(self.fc1(x)))", "self.act(self.fc1(x))"), modules=("bn1",), shows="text"),
    broken("unused parameters", "bidding", swap("x + self.ff(self.norm2(x))", "x + self.ff(x)"), modules=("blocks.0.norm2", "blocks.1.norm2"), shows="text"),
    broken("unused parameters", "islands", after("self.embedding = nn.Embedding", "self.score = nn.Linear(2 * hidden, 1)"), modules=("score",), shows="text"),
    broken("unused parameters", "hush", swap("for layer in self.stack:", "for layer in self.stack[:2]:"), modules=("stack.2",), shows="text"),
]  # fmt: skip

# -- frozen --

FROZEN = {"mendable": True}
BROKEN += [
    broken("frozen parameters", "carry", start("model.lstm.requires_grad_(False)"), modules=("lstm",), **FROZEN),
    broken("frozen parameters", "hush", after("model = Denoiser()", "for name, p in model.named_parameters():", '    p.requires_grad = name.startswith("out")'), modules=("inp", "stack"), **FROZEN),
    broken("frozen parameters", "intents", after("model = IntentModel", "for part in (model.word_emb, model.pos_emb, model.encoder):", "    for p in part.parameters():", "        p.requires_grad = False"), modules=("word_emb", "pos_emb", "encoder"), **FROZEN),
    broken("frozen parameters", "glyphs", start("for name, p in net.named_parameters():", '    if not name.startswith("proj"):', "        p.requires_grad_(False)"), modules=("conv1", "conv2", "fc"), **FROZEN),
]  # fmt: skip

# -- not handed to the optimizer --

OUTSIDE = {"mendable": True}
BROKEN += [
    broken("parameters outside of the optimizer", "drone", optimizer("optim.Adam(params[-1:], lr=0.01)"), modules=("*",), whole=True, **OUTSIDE),
    broken("parameters outside of the optimizer", "hush", swap("nn.ModuleList(Residual(channels, d) for d in dilations)", "[Residual(channels, d) for d in dilations]"), modules=("stack",), **OUTSIDE),
    broken("parameters outside of the optimizer", "bakery", after("optimizer = gg.optim.Adam", "model = SalesNet(hidden=40)"), modules=("*",), whole=True, **OUTSIDE),
    broken("parameters outside of the optimizer", "intents", swap("if not name.startswith(\"classifier\")]", "if name.startswith(\"norm\")]"), modules=("word_emb", "pos_emb", "encoder", "cls"), **OUTSIDE),
]  # fmt: skip
