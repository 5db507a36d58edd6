"""What the second set's files share: where its programs' nets begin, their optimizers, and other ones."""

from edits import Edit, after, swap

MADE = {
    "vintages": ("model = WineNet(", "model"), "savours": ("self.model = model", "model"),
    "outlines": ("net = UNet()", "net"), "heartbeats": ("net = PulseNet()", "net"),
    "clocks": ("model = ClockNet()", "model"), "ledger": ("model = Bookkeeper()", "model"),
    "grammar": ("tagger = Tagger()", "tagger"), "echoes": ("model = Mirror()", "model"),
    "twins": ("model = Contrast(Encoder())", "model"),
}  # fmt: skip
"""The line that makes the net, and its name."""
RULES = {
    "vintages": ("optim.SGD(", "model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)"),
    "gauges": ("gg.optim.RMSprop(", "params, lr=3e-3, alpha=0.95)"),
    "savours": ("gg.optim.Adam(", '[{"params": tables, "lr": lr}, {"params": dense, "lr": lr / 2}])'),
    "outlines": ("gg.optim.AdamW(", "net.parameters(), lr=0.01, weight_decay=1e-3)"),
    "heartbeats": ("gg.optim.SGD(", "net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)"),
    "clocks": ("optim.NAdam(", "model.parameters(), lr=4e-3)"),
    "ledger": ("optim.Adam(", "model.parameters(), lr=0.01)"),
    "grammar": ("optim.Adagrad(", "tagger.parameters(), lr=0.05)"),
    "echoes": ("gg.optim.Adam(", "model.parameters(), lr=4e-3, betas=(0.9, 0.98))"),
    "twins": ("gg.optim.AdamW(", "model.parameters(), lr=lr, weight_decay=0.01)"),
}
"""The optimizers as they stand there."""
PARAMETERS = {"gauges": "params", "savours": "model.parameters()"}


def begun(template: str, *lines: str) -> Edit:
    """Lines after the net is made; NET in them is its name."""
    line, net = MADE[template]
    return after(line, *(each.replace("NET", net) for each in lines))


def drawn(template: str, call: str, least: int = 2) -> Edit:
    """All parameters of at least so many axes drawn anew: "normal_(p, std=3.0)"."""
    return begun(template, "for p in NET.parameters():", f"    if p.ndim >= {least}:", f"        nn.init.{call}")


def rule(template: str, name: str, rest: str) -> Edit:
    """Another optimizer over all parameters: rule("outlines", "SGD", "lr=0.1")."""
    optim, old = RULES[template]
    params = PARAMETERS.get(template) or f"{MADE[template][1]}.parameters()"
    made = f"{'gg.' if optim.startswith('gg.') else ''}optim.{name}({params}, {rest})"
    return swap(optim + old, made)


PLAIN = {
    "gauges": rule("gauges", "SGD", "lr=0.05, momentum=0.9"),
    "clocks": rule("clocks", "SGD", "lr=0.1, momentum=0.9"),
    "ledger": rule("ledger", "SGD", "lr=0.2, momentum=0.9"),
    "grammar": rule("grammar", "SGD", "lr=0.3, momentum=0.9"),
    "echoes": rule("echoes", "SGD", "lr=0.1, momentum=0.9"),
}  # fmt: skip
"""The same trained by gradient descent with momentum."""
