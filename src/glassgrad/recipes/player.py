"""The net that plays: how it judges positions, learns from games, and plays against whoever sits at the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .. import compile, from_numpy, load, nn, no_grad, optim, save
from ..errors import ArgumentError
from ..tensor import Tensor
from .rules import Rules, Symmetry, padded
from .search import Sample, Search

RATE, KEPT = 2e-3, 200_000
"""Of learning, at its beginning; the most positions of which it is remembered what was said of them."""


def convolution(channels: int, filters: int, size: int) -> list[nn.Module]:
    """One that keeps the board's size, normalised over the batch."""
    convolved = nn.Conv2d(channels, filters, size, padding=size // 2, bias=False)
    return [convolved, nn.BatchNorm2d(filters), nn.ReLU()]


class Residual(nn.Module):
    """Two convolutions, which change what comes rather than replace it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*convolution(width, width, 3), *convolution(width, width, 3)[:2])

    def forward(self, x: Tensor) -> Tensor:  # (n, width, rows, columns)
        changed: Tensor = x + self.body(x)
        return changed.relu()


class Net(nn.Module):
    """Residual convolutions for boards, else linear layers; a head for the policy and one for the value."""

    def __init__(self, shape: tuple[int, ...], actions: int, width: int, depth: int) -> None:
        super().__init__()
        if len(shape) == 3:
            size = 8 * shape[1] * shape[2]
            self.body = nn.Sequential(*convolution(shape[0], width, 3), *[Residual(width) for _ in range(depth)])
            heads = [nn.Sequential(*convolution(width, 8, 1), nn.Flatten()) for _ in range(2)]
        else:
            size = 4 * width
            self.body = nn.Sequential(nn.Linear(shape[0], size), nn.ReLU(), nn.Linear(size, size), nn.ReLU())
            heads = [nn.Sequential(nn.Linear(size, size), nn.ReLU()) for _ in range(2)]
        self.policy = nn.Sequential(heads[0], nn.Linear(size, actions))
        self.value = nn.Sequential(heads[1], nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 1), nn.Tanh())

    def forward(self, seen: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:  # (n, planes, rows, columns), (n, k)
        x = self.body(seen)  # (n, width, rows, columns)
        logits = self.policy(x).gather(1, moves.clamp(min=0))  # (n, k): of all actions, those that are legal
        return logits.masked_fill(moves < 0, -1e9).log_softmax(1), self.value(x).squeeze(1)  # (n, k), (n,)


class Player:
    """A net with its two steps, both compiled: looking at positions, and learning from games."""

    def __init__(self, rules: Rules, width: int = 32, depth: int = 3) -> None:
        self.rules, self.net = rules, Net(rules.shape, rules.actions, width, depth).eval()
        self.optimizer = optim.AdamW(self.net.parameters(), lr=RATE, weight_decay=1e-2)
        self.look, self.learn = compile(self._look), compile(self._learn)
        self.said: dict[int, tuple[np.ndarray, float]] = {}
        """What was said of positions, by 64 bits of them, until the net learns more: games share their beginnings."""
        self.looked = self.learned = 0.0
        """Seconds in each of the steps."""

    def _look(self, seen: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
        policy, value = self.net(seen, moves)
        return policy.exp(), value

    def _learn(self, seen: Tensor, moves: Tensor, shares: Tensor, outcomes: Tensor) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad()
        policy, value = self.net(seen, moves)
        of_policy, of_value = -(shares * policy).sum(1).mean(), (value - outcomes).square().mean()
        (of_policy + of_value).backward()
        self.optimizer.step()
        return of_policy.detach(), of_value.detach()

    def judge(self, seen: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chances of moves and values of positions: a `search.Judge`."""
        if len(self.said) > KEPT:
            self.said.clear()
        keys = [hash((position.tobytes(), legal.tobytes())) for position, legal in zip(seen, moves, strict=True)]
        new = {key: row for row, key in enumerate(keys) if key not in self.said}
        if new:
            rows = list(new.values())
            rows += rows[:1] * (-len(rows) % 16)  # few sizes, for each is compiled
            began = perf_counter()
            with no_grad():
                policy, value = self.look(from_numpy(seen[rows]), from_numpy(moves[rows]))
            self.looked += perf_counter() - began
            self.said.update(zip(new, zip(policy.numpy(), value.tolist(), strict=True), strict=False))
        policies, values = zip(*[self.said[key] for key in keys], strict=True)
        return np.stack(policies), np.array(values, np.float32)

    def study(self, samples: Sequence[Sample], symmetry: Symmetry) -> tuple[float, float]:
        """One update; the losses of policy and value before it."""
        began, (turn, to) = perf_counter(), symmetry
        seen, moves, shares, outcomes = zip(*samples, strict=True)
        width = self.rules.columns(max(map(len, moves)))
        batch = (
            np.ascontiguousarray(turn(np.stack(seen).astype(np.float32))),  # (n, planes, rows, columns)
            to[padded(moves, width, -1, int)],  # (n, k)
            padded(shares, width, 0, np.float32),  # (n, k)
            np.array(outcomes, np.float32),  # (n,)
        )
        self.net.train()
        losses = self.learn(*map(from_numpy, batch))
        self.net.eval()
        self.said.clear()
        self.learned += perf_counter() - began
        return losses[0].item(), losses[1].item()

    def save(self, path: Path) -> None:
        """Write the weights, and which game they are for."""
        save({"game": str(self.rules.game), "net": self.net.state_dict()}, path)

    def load(self, path: Path) -> None:
        """Read what `save` wrote."""
        state = load(path)
        game = state.get("game") if isinstance(state, dict) else None
        if game != str(self.rules.game):
            fix = "give the game and the file that belong together"
            raise ArgumentError(
                f"{path} holds no net for {self.rules.game}", got=f"a net for {game or 'no game'}", fix=fix
            )
        self.net.load_state_dict(state["net"])


def opinion(names: list[str], chances: np.ndarray, value: float) -> str:
    """What is thought of a position: its value for who moves, and the likeliest moves."""
    best = np.argsort(-chances[: len(names)])[:4]
    return f"{value:+.2f}; " + ", ".join(f"{names[i]} {chances[i]:.0%}" for i in best)


def ask(names: list[str]) -> str:
    """A move that is typed, or "quit"."""
    while True:
        try:
            typed = input("your move: ").strip()
        except EOFError:
            return "quit"
        fitting = [name for name in names if name == typed] or [name for name in names if name.endswith(typed)]
        if typed == "quit" or len(fitting) == 1:
            return (fitting or ["quit"])[0]
        print(f"{typed!r} is no move here. Legal: {', '.join(names)}")


def play_in_terminal(player: Player, simulations: int, first: bool) -> Any:
    """A game against whoever types, who sees what the net and the search think of it; its last state."""
    search, own = Search(player.rules, player.judge, 1), 0 if first else 1
    print("Type the name of a move, or its end; quit leaves. Values are for who moves: -1 is lost, +1 is won.")
    while not player.rules.over(state := search.states[search.roots[0]]):
        for _ in range(simulations):
            search.simulate(np.arange(1))
        root, who, moves = search.roots[0], state.current_player(), search.legal(0)
        names, tried = [state.action_to_string(who, move) for move in moves], search.N[root, : len(moves)]
        value = (tried * search.Q[root, : len(moves)]).sum() / tried.sum()
        print(f"\n{state}\nthe net alone:   {opinion(names, search.P[root], search.value[root] * search.sign[root])}")
        print(f"with the search: {opinion(names, tried / tried.sum(), value)}")
        chosen = ask(names) if who == own else names[int(tried.argmax())]
        if chosen == "quit":
            return state
        print("you play" if who == own else "it plays", chosen)
        search.advance([0], [names.index(chosen)])
    result = player.rules.outcome(state) * (1 - 2 * own)
    print(f"\n{state}\n" + ("You have won." if result > 0 else "You have lost." if result < 0 else "A draw."))
    return state
