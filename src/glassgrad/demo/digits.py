"""A small convolutional net learns to read handwritten digits, in the terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, saving
from ..datasets import digits
from ..errors import GlassgradError
from ..functions import manual_seed
from ..recipes.digits import learn, network
from ..tensor import Tensor

SHADES = " ░▒▓█"


def show(console: Any, *, epochs: int, seed: int, out: Path) -> float:
    """Train on scikit-learn's digits with a progress bar, draw some of the held-out images, save the weights.

    Returns the share of held-out images that are read rightly. Raises GlassgradError when the weights cannot be saved.
    """
    train, test = digits()
    manual_seed(seed)
    model = network()
    count = sum(p.numel() for p in model.parameters())
    console.rule("Handwritten digits")
    console.print(
        f"\nA convolutional net of {count:,} parameters sees {len(train):,} images of 8 x 8 pixels, {epochs} times, "
        f"and is then asked about {len(test)} it has never seen.\n",
        highlight=False,
    )
    start = time.perf_counter()
    trainer = learn(model, train, epochs, console)
    if trainer.history.stopped:
        raise KeyboardInterrupt
    images, labels = test.tensors
    reached = trainer.evaluate(test)["accuracy"]
    console.print(
        f"\nHeld-out accuracy: [bold]{reached:.2%}[/bold] ({round(reached * len(test))} of {len(test)}), "
        f"trained in {time.perf_counter() - start:.1f} s\n",
        highlight=False,
    )
    chances: Tensor = trainer.predict(images).softmax(1)
    draw(console, images, labels, chances)
    save(model, out)
    console.print(f"\nWeights saved to {out}; load them by glassgrad.load and model.load_state_dict.", highlight=False)
    return reached


def draw(console: Any, images: Tensor, labels: Tensor, chances: Tensor) -> None:
    """Four images that the net reads rightly, and the ones that it is most wrong about, with what it says of them."""
    said, sure = chances.argmax(1), chances.amax(1)
    right = (said == labels).tolist()
    wrong = sorted((i for i, ok in enumerate(right) if not ok), key=lambda i: -sure[i].item())
    fine = [i for i, ok in enumerate(right) if ok][:4]
    for title, places in (("Some it reads rightly", fine), ("Where it is wrong, the surest first", wrong[:4])):
        if not places:
            continue
        console.print(f"{title}:\n", highlight=False)
        rows = [picture(np.asarray(images[i, 0].tolist())) for i in places]
        for line in zip(*rows, strict=True):
            console.print("  ".join(line), highlight=False, style="default")
        notes = [f"says {said[i].item()} ({sure[i].item():.1%})" for i in places]
        console.print("  ".join(f"{note:16}" for note in notes), highlight=False)
        console.print("  ".join(f"{f'is {labels[i].item()}':16}" for i in places) + "\n", highlight=False)


def picture(image: np.ndarray) -> list[str]:
    """An image of numbers from 0 to 1 as lines of shaded blocks, two characters to a pixel."""
    levels = (image * (len(SHADES) - 1) + 0.5).astype(int).clip(0, len(SHADES) - 1)
    return ["".join(SHADES[level] * 2 for level in row) for row in levels]


def save(model: nn.Module, out: Path) -> None:
    """Write the weights as safetensors; an older file of the name stays whole until the new one is complete."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GlassgradError(
            f"the weights cannot be saved to {out}: {error}", fix="name another file with --out"
        ) from error
    saving.save(model.state_dict(), out)
