"""An encoder and a decoder translate dates of many English forms into ISO form, or numbers into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import compile, nn, no_grad, optim
from .. import functions as fn
from ..datasets import Vocabulary
from ..tensor import Tensor
from ..train import Trainer
from .english import LONGEST, Task, divided, exercises
from .options import Html, Seed, Short
from .page import Page
from .pictures import matrix

END = "_"
CHARACTERS = Vocabulary(END + " ',-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""The number of END is 0: it fills texts up, ends translations, and stands before their first character."""


def encoded(texts: Sequence[str], length: int) -> Tensor:
    """Texts as rows of characters (n, length)."""
    return CHARACTERS.encode("".join(text.ljust(length, END) for text in texts)).reshape(len(texts), length)


def before(target: Tensor) -> Tensor:
    """What stands before each character."""
    return nn.functional.pad(target[:, :-1], (1, 0))


class Layer(nn.Module):
    """Attention to its own row, then to a memory if it has one, then a small net: each normalised before, and added."""

    def __init__(self, width: int, heads: int, remembers: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 + remembers))
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.recall = nn.MultiheadAttention(width, heads, batch_first=True) if remembers else None
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, empty: Tensor, later: Tensor | None = None, memory: Tensor | None = None) -> Any:
        h, looks = self.norms[0](x), None
        x = x + self.attend(h, h, h, empty if memory is None else None, attn_mask=later)[0]
        if self.recall is not None:
            found, looks = self.recall(self.norms[2](x), memory, memory, empty)  # (n, t, width), (n, t, s)
            x = x + found
        return x + self.think(self.norms[1](x)), looks


class Translator(nn.Module):
    """Reads a text, and tells its translation.

    A. Vaswani et al.: Attention is all you need (2017, arXiv:1706.03762), section 3; but places are learned.
    """

    later: Tensor

    def __init__(self, longest: tuple[int, int], width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.longest, self.characters = longest, nn.Embedding(len(CHARACTERS), width)
        self.places = nn.ParameterList([nn.Parameter(fn.randn(length, width)) for length in longest])
        self.encoder = nn.ModuleList(Layer(width, heads, remembers=False) for _ in range(layers))
        self.decoder = nn.ModuleList(Layer(width, heads, remembers=True) for _ in range(layers))
        self.norm1, self.norm2, self.head = nn.LayerNorm(width), nn.LayerNorm(width), nn.Linear(width, len(CHARACTERS))
        self.register_buffer("later", fn.ones((longest[1], longest[1]), dtype=fn.bool).triu(1), persistent=False)

    def read(self, source: Tensor) -> Tensor:
        """What the encoder makes of texts (n, s)."""
        x = self.characters(source) + self.places[0]  # (n, s, width)
        for layer in self.encoder:
            x, _ = layer(x, source == 0)
        memory: Tensor = self.norm1(x)
        return memory

    def tell(self, source: Tensor, memory: Tensor, begun: Tensor) -> tuple[Tensor, Tensor]:
        """The scores (n, t, characters) of what follows each place of ``begun``, and where it looks (n, t, s)."""
        x = self.characters(begun) + self.places[1]  # (n, t, width)
        for layer in self.decoder:
            x, looks = layer(x, source == 0, self.later, memory)
        return self.head(self.norm2(x)), looks

    def forward(self, source: Tensor, begun: Tensor) -> Tensor:
        return self.tell(source, self.read(source), begun)[0]


class Greedy:
    """Tells the likeliest character after those that it has told, to the end.

    All places are told at once, again and again, each by what was told before it. After k rounds the first k are what
    one after the other gives, and all are when a round changes nothing (A. Santilli et al. 2023, arXiv:2305.10427).
    """

    def __init__(self, model: Translator) -> None:
        self.model = model.eval()
        self.read, self.round = compile(model.read), compile(self._round)

    def _round(self, source: Tensor, memory: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        scores, looks = self.model.tell(source, memory, before(told))
        return scores.argmax(-1), looks

    def __call__(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """The translations (n, t) of texts (n, s), and where it looked for each of their characters (n, t, s)."""
        with no_grad():
            memory, told = self.read(source), fn.zeros((len(source), self.model.longest[1]), dtype=fn.int64)
            while True:
                last, (told, looks) = told, self.round(source, memory, told)
                if fn.equal(told, last):
                    return told, looks

    def translate(self, texts: Sequence[str], batch: int = 250) -> tuple[list[str], np.ndarray]:
        """Each text's translation, and where it looked (n, t, s)."""
        parts = [texts[at : at + batch] for at in range(0, len(texts), batch)]
        parts[-1] = [*parts[-1], *[texts[-1]] * (batch - len(parts[-1]))]  # so that all have one shape
        told, looks = zip(*(self(encoded(part, self.model.longest[0])) for part in parts), strict=True)
        answers = [CHARACTERS.decode(row).partition(END)[0] for ids in told for row in ids]
        return answers[: len(texts)], np.concatenate([look.numpy() for look in looks])


class Lessons:
    """Batches of exercises, in each epoch new ones."""

    def __init__(self, task: Task, values: np.ndarray, batch: int, count: int, rng: np.random.Generator) -> None:
        self.task, self.values, self.batch, self.count, self.rng = task, values, batch, count, rng

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for _ in range(self.count):
            pairs = exercises(self.task, self.rng.choice(self.values, self.batch), self.rng)
            source, target = map(encoded, zip(*pairs, strict=True), LONGEST[self.task])
            yield source, before(target), target


def surprise(scores: Tensor, target: Tensor) -> Tensor:
    """The mean over all characters of -log of the chance that was given to it."""
    return nn.functional.cross_entropy(scores.flatten(0, 1), target.flatten())


def exact(scores: Tensor, target: Tensor) -> Tensor:
    """The share of rows with every character right."""
    return (scores.argmax(-1) == target).all(1).float().mean()


def learn(model: Translator, lessons: Lessons, epochs: int, rate: float, progress: Any = None) -> Trainer:
    """Adam, whose rate rises to ``rate`` and falls once."""
    optimizer = optim.Adam(model.parameters(), lr=rate)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=len(lessons) * epochs, pct_start=0.1)
    trainer = Trainer(
        model, surprise, optimizer, schedule=schedule, metrics={"exact": exact}, clip_norm=1.0, progress=progress
    )
    trainer.fit(lessons, epochs=epochs)
    return trainer


def show(page: Page, pairs: Sequence[tuple[str, str]], told: Sequence[str], looks: np.ndarray) -> None:
    """What is told of each text, what of it is wrong, and where the decoder looked."""
    every = [(said, text, right) for said, (text, right) in zip(told, pairs, strict=True)]
    wrong = [f"{said}  {text}, which is {right}" for said, text, right in every if said != right]
    page.figure("held out, every character right", 1 - len(wrong) / len(every), "{:.2%}", asked="99 %")
    page.text("\n".join(f"{said}  {text}" for said, text, _ in every[:20]), "What it says of those held out.")
    page.text("\n".join(wrong[:20]) or "none", f"Wrong ones, of which there are {len(wrong)}.")
    some = sorted(zip(every[:20], looks[:20], strict=True), key=lambda each: len(each[0][1]))
    for (said, text, _), look in some[::9]:
        seen, size = look[: len(said), : len(text)], max(3.5, min(9, 0.24 * len(text)))
        drawn = matrix(seen, list(said), list(text), below="what it reads", left="says", form="{:.0%}", size=size)
        page.picture(drawn, f"Where it looks for each character of {said}.")


def translate(
    task: Annotated[Task, typer.Option(help="What is translated.")] = Task.dates,
    epochs: Annotated[int, typer.Option(min=1, help="Of 500 batches each.")] = 8,
    short: Short = False,
    seed: Seed = 0,
    html: Html = Path("translate.html"),
) -> Page:
    """Translate dates into ISO form, or numbers into words, with an encoder and a decoder."""
    width, layers, batch, batches, rate, asked = 64, 2, 64, 500, 2e-3, 10_000 if task is Task.dates else 2_000
    if short:
        width, layers, batch, batches, rate, asked, epochs = 32, 1, 32, 90, 5e-3, 250, 3
    fn.manual_seed(seed)
    rng, (known, held) = np.random.default_rng(seed), divided(task, seed)
    with Page("Translation", html, command="glassgrad recipe translate", task=task, epochs=epochs, seed=seed) as page:
        model = Translator(LONGEST[task], width, 4, layers)
        size = sum(p.numel() for p in model.parameters())
        page.say(f"{size:,} parameters learn from {len(known):,} {task}, and are asked about {asked:,} of the others.")
        trainer = learn(model, Lessons(task, known, batch, batches, rng), epochs, rate, page.console)
        if trainer.history.stopped:
            page.say(f"{trainer.history.stopped} ended the training early.")
        page.picture(trainer.history.figure(), "Loss, share of exercises that are right in every character, and rate.")
        pairs = exercises(task, held[:asked], rng)
        show(page, pairs, *Greedy(model).translate([text for text, _ in pairs]))
    return page
