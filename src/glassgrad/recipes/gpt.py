"""A GPT learns to tell the next character of a book, and then writes on by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import numpy as np
import typer

from .. import functions as fn
from .. import load, nn, no_grad, optim, save
from ..datasets import Blocks, DataNotFound, Text, Vocabulary
from ..datasets import text as load_text
from ..errors import ArgumentError
from ..tensor import Tensor
from ..train import Trainer
from .decoder import GPT, Writer, pick
from .options import Data, Html, Seed, Short
from .page import Page
from .pictures import matrix, tiles


class Lessons:
    """Batches of pieces from anywhere in a text, for some minutes, or steps. A tenth of that is an epoch."""

    def __init__(self, pieces: Blocks, batch: int, minutes: float, steps: int = 0) -> None:
        self.pieces, self.batch, self.seconds, self.steps = pieces, batch, 60 * minutes, steps
        self.began, self.taken, self.epoch = 0.0, 0, 0

    def share(self) -> float:
        """How much of the training is over, from 0 to 1."""
        spent = self.taken / self.steps if self.steps else (time.perf_counter() - self.began) / self.seconds
        return min(spent, 1.0)

    def rate(self, _: int) -> float:
        """The share of the highest rate that is due now: up in a fiftieth of the training, then down a cosine."""
        return min(50 * self.share(), 0.51 + 0.49 * math.cos(math.pi * self.share()))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.began, self.epoch = self.began or time.perf_counter(), self.epoch + 1
        while True:
            self.taken += 1
            yield self.pieces[fn.randint(0, len(self.pieces), (self.batch,)).tolist()]
            if self.share() >= self.epoch / 10:
                return


def surprise(scores: Tensor, following: Tensor) -> Tensor:
    """The mean over all characters of -log of the chance that was given to it."""
    return nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())


def learner(model: GPT, lessons: Lessons, rate: float, progress: Any = None) -> Trainer:
    """AdamW with a rate that follows the lessons."""
    optimizer = optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.1)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, lessons.rate)
    return Trainer(
        model, surprise, optimizer, schedule=schedule, schedule_every="step", clip_norm=1.0, progress=progress
    )


def opened(source: str, block: int, data: Path | None) -> tuple[Text, str]:
    """The text that was asked for, or Python's reference where Moby-Dick is not to be had; and what to say of that."""
    try:
        return load_text(source, block=block, data=data), ""
    except DataNotFound as error:
        if source != "moby-dick":
            raise
        instead = load_text("python", block=block)
        return instead, f"{error.asked}, so the text is Python's reference. To get it: {error.fix}."


def show_writing(page: Page, model: GPT, book: Text, length: int, choose: Callable[[Tensor], int], how: str) -> None:
    """Text that goes on from the held-out part, and where each head looked in what it went on from."""
    start, writer = book.valid.ids[: min(40, model.block)], Writer(model)
    writer.write(start.tolist(), 1)  # compiles
    began = time.perf_counter()
    written = writer.write(start.tolist(), length, choose)
    page.figure("characters a second", len(written) / (time.perf_counter() - began), "{:,.0f}")
    lines = [fill(line, 100, drop_whitespace=False) for line in book.vocabulary.decode(written).split("\n")]
    page.text("\n".join(lines), f"Written on from the first {len(start)} characters held out; {how}.")
    with no_grad():
        _, looks = model.run(fn.from_numpy(start).unsqueeze(0), fn.arange(len(start)))
    heads = np.concatenate([look[0].numpy() for look in looks])  # (layers · heads, t, t)
    names = [f"layer {n // model.heads + 1}, head {n % model.heads + 1}" for n in range(len(heads))]
    drawn = tiles(heads, names, columns=model.heads, size=1.9)
    page.picture(drawn, "Attention: a row for each of these characters, dark where it looks; itself on the diagonal.")
    back = int(np.tril(heads, -3)[:, :, 1:].max(2).mean(1).argmax())
    signs = [each if each.strip() else "␣" for each in book.vocabulary.decode(start)]
    drawn = matrix(heads[back], signs, signs, below="what it looks at", left="from", size=7.0)
    page.picture(drawn, f"The head that looks most sharply at what is further back: {names[back]}.")


def sampled(weights: Path | None, prompt: str, length: int, choose: Callable[[Tensor], int]) -> str:
    """What saved weights write."""
    if weights is None:
        raise ArgumentError("there are no weights to write with", fix="name those of a training: --weights FILE")
    state = load(weights)
    vocabulary = Vocabulary(state["characters"])
    model = GPT(len(vocabulary), **state["sizes"])
    model.load_state_dict(state["model"])
    return vocabulary.decode(Writer(model).write(vocabulary.encode(prompt or "\n").tolist(), length, choose))


Count = Annotated[int, typer.Option(min=1)]


def gpt(
    text: Annotated[str, typer.Option(help='"moby-dick", "python" (its reference), or a file of yours.')] = "moby-dick",
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to train.")] = 15,
    steps: Annotated[int, typer.Option(min=0, help="Train for so many steps instead.")] = 0,
    layers: Count = 4,
    heads: Count = 4,
    width: Count = 128,
    block: Annotated[int, typer.Option(min=2, help="The most characters that it sees at once.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="Pieces of text in a step.")] = 6,
    dropout: Annotated[float, typer.Option(min=0, max=1, help="Against learning the text by heart.")] = 0.1,
    rate: Annotated[float, typer.Option(min=0, help="The highest rate of learning.")] = 1.5e-3,
    weights: Annotated[Path | None, typer.Option(help="Where trained weights go; with --sample: come from.")] = None,
    sample: Annotated[str | None, typer.Option(help="Train nothing: write on from this with saved weights.")] = None,
    length: Annotated[int, typer.Option(min=1, help="How many characters it writes.")] = 600,
    temperature: Annotated[float, typer.Option(min=0, help="Below 1 it dares less; at 0 it takes the best.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from so many of the best; 0: from all.")] = 0,
    short: Short = False,
    seed: Seed = 0,
    html: Html = Path("gpt.html"),
    data: Data = None,
) -> Page:
    """Learn a book character by character, and write on."""
    if short:
        text, steps, layers, heads, width, block, batch, length = "python", 100, 2, 2, 64, 32, 12, 100
        dropout, rate = 0.0, 5e-3
    fn.manual_seed(seed)
    choose = partial(pick, temperature=temperature, top_k=top_k)
    how = f"temperature {temperature}, top-k {top_k or 'off'}"
    if sample is not None:
        with Page("A GPT writes", None) as page:
            page.text(sampled(weights, sample, length, choose), how)
        return page
    book, note = opened(text, block, data)
    characters, places = book.vocabulary.characters, range(len(book.valid))
    valid = [book.valid[places[at : at + 64]] for at in places[::64]]
    sizes = {"layers": layers, "heads": heads, "width": width, "block": block}
    model, lessons = GPT(len(characters), **sizes, dropout=dropout), Lessons(book.train, batch, minutes, steps)

    if weights and not weights.resolve().parent.is_dir():  # found out now, not after the training
        raise ArgumentError("there is no folder to keep the weights in", got=str(weights), fix="make it first")
    made = {"text": text, **sizes, "batch": batch, "dropout": dropout, "rate": rate}
    made |= {"steps": steps} if steps else {"minutes": minutes}
    with Page("A GPT", html, command="glassgrad recipe gpt", **made, seed=seed) as page:
        if note:
            page.say(note)
        size, known, held = sum(p.numel() for p in model.parameters()), len(book.train.ids), len(book.valid.ids)
        page.say(
            f"A GPT of {size:,} parameters learns to tell the next of {len(characters)} characters from up to {block} "
            f"before it, by {known:,} characters of a text. Its last {held:,} are held out."
        )
        trainer = learner(model, lessons, rate, page.console)
        page.figure("loss before training", trainer.evaluate(valid)["loss"], "{:.3f}")
        history = trainer.fit(lessons, valid, epochs=10)
        if history.stopped:
            page.say(f"{history.stopped} ended the training early.")
        if weights:
            save({"model": model.state_dict(), "sizes": sizes, "characters": characters}, weights)
        asked = "1.65" if text == "moby-dick" and not note else ""
        page.figure("validation loss", trainer.evaluate(valid)["loss"], "{:.4f}", asked=asked)
        page.figure("training loss", history.last.get("loss", math.nan), "{:.4f}")
        page.figure("steps", trainer.step, "{:,.0f}")
        page.figure("milliseconds a step", 1000 * batch / history.last.get("samples_per_second", math.nan), "{:.1f}")
        page.picture(history.figure(), "Loss and rate. An epoch is a tenth of the training.")
        show_writing(page, model, book, length, choose, how)
    return page
