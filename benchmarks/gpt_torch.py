"""Trains the net of `glassgrad recipe gpt` in torch, for the same time, to compare what both reach in it.

    glassgrad recipe gpt --minutes 15
    python benchmarks/gpt_torch.py --minutes 15

First weights, batches, schedule, clipping and validation are the recipe's, and so is the first loss, or the run ends.
torch takes the quicker of its step as it is and compiled by torch.compile. To try and to compile them takes time that
is not counted, while glassgrad's compilation is. Validation counts for both.
"""

from __future__ import annotations

import argparse
import inspect
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import glassgrad
from glassgrad.datasets import text
from glassgrad.recipes import decoder, gpt

DEFAULTS = {name: each.default for name, each in inspect.signature(gpt.gpt).parameters.items()}
TRIED = 3.0
"""Seconds for which each way to run a step is timed."""


class Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        b, t, c = x.shape
        parts = self.qkv(self.norm1(x)).split(c, 2)
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in parts)  # (b, heads, t, c / heads)
        y = F.scaled_dot_product_attention(turned(q, turns), turned(k, turns), v, is_causal=True)
        x = x + self.drop(self.proj(y.transpose(1, 2).reshape(b, t, c)))
        return x + self.drop(self.down(F.relu(self.up(self.norm2(x))).square()))


def turned(x: Tensor, turns: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return x * turns[0] + torch.cat([-b, a], -1) * turns[1]


class GPT(nn.Module):
    """`glassgrad.recipes.decoder.GPT`, with the same names; scores (b, t, vocabulary) of characters (b, t)."""

    turns: Tensor

    def __init__(self, like: decoder.GPT) -> None:
        super().__init__()
        vocabulary, width = like.tokens.weight.shape
        self.tokens, self.drop = nn.Embedding(vocabulary, width), nn.Dropout(like.drop.p)
        self.blocks = nn.ModuleList(Block(width, like.heads, like.drop.p) for _ in like.blocks)
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("turns", torch.tensor(like.turns.numpy()), persistent=False)
        self.load_state_dict({name: torch.tensor(value.detach().numpy()) for name, value in like.state_dict().items()})

    def forward(self, ids: Tensor) -> Tensor:
        x = self.drop(self.tokens(ids))
        for block in self.blocks:
            x = block(x, self.turns[:, : ids.shape[1]])
        scores: Tensor = self.head(self.norm(x))
        return scores


class Training:
    """A net with its optimizer, and a step as it is or compiled."""

    def __init__(self, like: decoder.GPT, rate: float, compiled: bool) -> None:
        self.net = GPT(like)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.1, fused=True
        )
        self.loss: Callable[[Tensor, Tensor], Tensor] = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, ids: Tensor, following: Tensor) -> Tensor:
        return F.cross_entropy(self.net(ids).flatten(0, 1), following.flatten())

    def step(self, ids: Tensor, following: Tensor) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(ids, following)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def evaluate(self, valid: Any) -> float:
        """The mean loss of all pieces."""
        self.net.eval()
        pairs = [(of(ids), of(following)) for ids, following in valid]
        total = sum(self._loss(*pair).item() * len(pair[0]) for pair in pairs)
        self.net.train()
        return total / sum(len(ids) for ids, _ in pairs)


def of(tensor: glassgrad.Tensor) -> Tensor:
    return torch.tensor(tensor.numpy())


def milliseconds(training: Training, batch: tuple[Tensor, Tensor]) -> float:
    """The median time of a step, after those that compile it."""
    for _ in range(3):
        training.step(*batch)
    times, end = [], time.perf_counter() + TRIED
    while time.perf_counter() < end:
        start = time.perf_counter()
        training.step(*batch)
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[len(times) // 2]


def check(like: decoder.GPT, net: GPT, batch: tuple[Any, Any]) -> None:
    """Ends the run if the two nets do not compute the same loss."""
    ours = gpt.surprise(like.eval()(batch[0]), batch[1]).item()
    theirs = F.cross_entropy(net.eval()(of(batch[0])).flatten(0, 1), of(batch[1]).flatten()).item()
    if not math.isclose(ours, theirs, rel_tol=1e-5):
        sys.exit(f"the nets differ: glassgrad's loss is {ours:.7f}, torch's {theirs:.7f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("text", "minutes", "steps", "layers", "heads", "width", "block", "batch", "dropout", "rate", "seed"):
        given = DEFAULTS[name]
        kind = float if name in ("minutes", "dropout", "rate") else type(given)
        parser.add_argument(f"--{name}", type=kind, default=given, help=f"as in the recipe (default: {given})")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", choices=("quicker", "eager", "compiled"), default="quicker")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    torch.set_num_threads(given.threads)
    glassgrad.manual_seed(given.seed)
    book = text(given.text, block=given.block)
    like = decoder.GPT(len(book.vocabulary), given.block, given.layers, given.heads, given.width, given.dropout)
    batch = book.train[list(range(given.batch))]
    check(like, GPT(like), batch)
    names = ["eager", "compiled"] if given.step == "quicker" else [given.step]
    trainings = {name: Training(like, given.rate, name == "compiled") for name in names}
    times = {name: milliseconds(each, (of(batch[0]), of(batch[1]))) for name, each in trainings.items()}
    best = min(times, key=times.__getitem__)
    print(", ".join(f"{name}: {each:.1f} ms a step" for name, each in times.items()), flush=True)
    training, places = trainings[best], range(len(book.valid))
    valid = [book.valid[places[at : at + 64]] for at in places[::64]]
    training.net.load_state_dict(GPT(like).state_dict())
    training.optimizer.state.clear()
    lessons = gpt.Lessons(book.train, given.batch, given.minutes, given.steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(training.optimizer, lessons.rate)
    for epoch in range(10):
        losses = []
        for ids, following in lessons:
            losses.append(training.step(of(ids), of(following)))
            schedule.step()
        loss, held_out = sum(losses) / len(losses), training.evaluate(valid)
        print(f"epoch {epoch + 1}/10  step {lessons.taken}  loss {loss:.4f}  valid_loss {held_out:.4f}", flush=True)
    seconds = time.perf_counter() - lessons.began
    print(f"torch {torch.__version__} ({best}): validation loss {held_out:.4f} after {seconds:.0f} s")


if __name__ == "__main__":
    main()
