"""A net learns to keep a simulated car in its lane, by trial and policy gradient: highway-env's lane-keeping-v0."""

from __future__ import annotations

import math
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import engine, nn, optim, saving
from .. import functions as fn
from ..dispatch import no_grad
from ..nn.utils import clip_grad_norm_
from ..tensor import Tensor
from ..train.interrupt import Interrupt
from ..view import needed
from .options import Html, Seed, Short, Weights
from .page import Page
from .pictures import curves, tiles

Array = np.ndarray[Any, Any]
DISCOUNT, SMOOTH, CLIP, BATCH, PASSES = 0.95, 0.95, 0.2, 64, 8
SCALE = np.array([1 / 5, 2, 1 / 2, 1 / 2, 1 / 8, 1 / 2, 1 / 20, 1 / 20], np.float32)  # brings what is seen near 1


def observed(given: dict[str, Array]) -> Array:
    """Metres off the middle, angle to the lane, sliding, turning; the change of each. The sensors are noisy."""
    off = given["state"] - given["reference_state"]  # (4, 1)
    return np.concatenate((off, given["derivative"]), None, dtype=np.float32) * SCALE  # (8,)


class Drive(NamedTuple):
    """One episode of n decisions."""

    seen: Array  # (n + 1, 8), before each decision and after the last
    steering: Array  # (n,)
    rewards: Array  # (n,)
    way: Array  # (n, 2), metres


def drive(env: Any, decide: Callable[[Array], Array], seed: int, *, whole: bool = True) -> Drive:
    """An episode; unless it is to be whole, it ends at a reward below zero: a lane's width off the middle."""
    given, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    seen, steps, over = [observed(given)], [], False
    while not over:
        action = decide(seen[-1])  # (1,)
        given, reward, _, over, _ = env.step(action.clip(-1, 1))
        over = over or (reward < 0 and not whole)
        seen.append(observed(given))
        steps.append((action[0], reward, env.unwrapped.vehicle.position))
    return Drive(np.stack(seen), *map(np.array, zip(*steps, strict=True)))


def mean_return(drives: list[Drive]) -> float:
    """The sum of an episode's rewards, none counted below zero, on average."""
    return float(np.mean([each.rewards.clip(0).sum() for each in drives]))


class Driver(nn.Module):
    """A Gaussian policy, whose mean is a net, and beside it a net that tells the value of what is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(0))
            for _ in range(2)
        )  # (n, 8) to (n,)
        self.log_sd = nn.Parameter(fn.tensor(-0.7))
        nn.init.xavier_uniform_(self.actor[4].weight, gain=0.01)  # straight on: Andrychowicz et al. 2021, section 3.2

    def policy(self) -> Callable[[Array], Array]:
        """The mean steering, compiled: (8,) to (1,)."""
        mean = engine.compile(no_grad()(self.actor.forward), threads=1)
        return lambda seen: mean(fn.from_numpy(seen[None])).numpy()


def log_density(action: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Of a normal distribution."""
    return -log_sd - 0.5 * (((action - mean) / log_sd.exp()) ** 2 + math.log(2 * math.pi))


def advantages(rewards: Array, values: Array, discount: float = DISCOUNT, smooth: float = SMOOTH) -> Array:
    """How much better each of n decisions was than its state's value; the last of n + 1 values is that of the end."""
    gains = rewards + discount * values[1:] - values[:-1]  # (n,)
    for t in reversed(range(len(gains) - 1)):
        gains[t] += discount * smooth * gains[t + 1]  # generalized estimation: Schulman et al. 2016, eq. 16
    return gains


def surrogate(log_new: Tensor, log_old: Tensor, gains: Tensor) -> Tensor:
    """What the policy shall make large, but not by leaving the one that drove. Schulman et al. 2017, eq. 7."""
    ratio = (log_new - log_old).exp()  # (n,)
    return fn.minimum(ratio * gains, ratio.clamp(1 - CLIP, 1 + CLIP) * gains).mean()


@no_grad()
def judged(driver: Driver, each: Drive) -> tuple[Array, ...]:
    """Of every decision what was seen, the steering, its log density, its advantage, the value that the state had."""
    seen, steering = fn.from_numpy(each.seen), fn.from_numpy(each.steering)
    chance = log_density(steering, driver.actor(seen[:-1]), driver.log_sd).numpy()  # (n,)
    values = driver.critic(seen).numpy().copy()  # (n + 1,)
    if each.rewards[-1] < 0:  # lost; a time that is up, though, says nothing of what follows: Pardo et al. 2018
        values[-1] = 0
    gains = advantages((1 - DISCOUNT) * each.rewards.clip(0), values).astype(np.float32)  # values within 0 and 1
    return each.seen[:-1], each.steering, chance, gains, gains + values[:-1]


def learn(driver: Driver, env: Any, rounds: int, steps: int, seed: int) -> Iterator[list[Drive]]:
    """Proximal policy optimisation: each round drives for so many steps, and learns from them in several passes."""
    rng = np.random.default_rng(seed)
    optimizer = optim.Adam(driver.parameters(), lr=1e-3)

    def update(seen: Tensor, steering: Tensor, log_old: Tensor, gains: Tensor, values: Tensor) -> None:
        optimizer.zero_grad()
        gains = (gains - gains.mean()) / (gains.std() + 1e-6)
        aim = surrogate(log_density(steering, driver.actor(seen), driver.log_sd), log_old, gains)
        (nn.functional.mse_loss(driver.critic(seen), values) - aim).backward()
        clip_grad_norm_(driver.parameters(), 0.5)
        optimizer.step()

    mean, compiled = driver.policy(), engine.compile(update, threads=1)

    def explore(seen: Array) -> Array:
        return mean(seen) + np.float32(math.exp(driver.log_sd.item()) * rng.standard_normal())

    for _ in range(rounds):
        drives: list[Drive] = []
        while sum(len(each.rewards) for each in drives) < steps:
            drives.append(drive(env, explore, int(rng.integers(2**31)), whole=False))
        columns = [np.concatenate(column) for column in zip(*(judged(driver, each) for each in drives), strict=True)]
        order = np.concatenate([rng.permutation(len(columns[0])) for _ in range(PASSES)])
        for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            compiled(*(fn.from_numpy(column[rows]) for column in columns))
        yield drives


def driving(
    rounds: int = 40, weights: Weights = None, short: Short = False, seed: Seed = 0, html: Html = Path("driving.html")
) -> Page:
    """Steer a simulated car along its lane."""
    rounds, episodes = (6, 10) if short else (rounds, 100)
    needed("highway_env", "simulated driving")
    gymnasium = needed("gymnasium", "simulated driving")
    env = gymnasium.make("lane-keeping-v0")
    fn.manual_seed(seed)
    with Page("Simulated driving", html, command="glassgrad recipe driving", rounds=rounds, seed=seed) as page:
        page.say(
            "A simulated car (highway-env's lane-keeping-v0) drives at 30 km/h for 20 s and is steered ten times a "
            "second. A step's reward is 1 on the lane's middle, 0 a lane's width (10 m) beside it, negative beyond. A "
            "return sums 200 steps, none counted below zero: at most 200, and who is lost is not charged for how far. "
            f"It is the mean of {episodes} episodes: of the net, of random steering, of a rule by hand that steers "
            "against offset and angle. All begin 4 m off the middle; only the noise of the sensors differs."
        )
        driver, history = Driver(), list[float]()
        with Interrupt() as interrupt:
            for drives in learn(driver, env, rounds, 1000, seed):
                history.append(mean_return(drives))
                page.console.print(f"round {len(history)}: return {history[-1]:.1f} in {len(drives)} episodes")
                if interrupt.asked:
                    page.say(f"Ctrl-C ended the training after {len(history)} of {rounds} rounds.")
                    break
        if weights:
            saving.save(driver.state_dict(), weights)
        net = driver.policy()
        rule, chance = lambda seen: -seen[:2].mean(keepdims=True), lambda _: env.action_space.sample()
        policies = {"net": net, "rule": rule, "random": chance}
        driven = {name: [drive(env, each, n) for n in range(episodes)] for name, each in policies.items()}
        for name, drives in driven.items():
            note = f"with all that is below zero: {np.mean([each.rewards.sum() for each in drives]):,.0f}"
            page.figure(f"return, {name}", mean_return(drives), "{:.1f}", note=note)
        random = page.figures["return, random"]
        page.figure("return, net over random", page.figures["return, net"] / random, "{:.2f}", asked="3")
        given, _ = env.reset(seed=seed)
        timed = 1e6 * np.array(timeit.repeat(lambda: net(observed(given)), number=1, repeat=10_000))
        page.figure("microseconds for a decision, median of 10,000", np.median(timed), "{:.1f}", asked="50")
        page.figure("99th percentile", np.quantile(timed, 0.99), "{:.1f}", asked="50")
        lines = {"while it explores": history, "three times random": [3 * random] * len(history)}
        page.picture(curves(lines, xlabel="rounds learned", ylabel="return"), "The mean return in each round.")
        lanes = [
            np.transpose([lane.position(lane.length * at, lane.width * side) for at in np.linspace(0, 1, 400)])
            for lane in env.unwrapped.road.network.lanes_list()
            for side in (-0.5, 0, 0.5)
        ]
        ways = {name: drives[0].way.T for name, drives in driven.items()}
        plot = curves(ways, behind=lanes, size=(8, 4), aspect="equal", xlim=(85, 215), ylim=(40, -20))
        page.picture(plot, "The ways of the first episodes, in metres, and the lanes.")
        turns = {name: (np.arange(200) / 10, 60 * drives[0].steering.clip(-1, 1)) for name, drives in driven.items()}
        behind = [turns.pop("random")]
        steered = curves(turns, behind=behind, xlabel="seconds", ylabel="degrees")
        page.picture(steered, "The steering in the first episodes; random is grey.")
        env.unwrapped.render_mode = "rgb_array"
        film = gymnasium.wrappers.RenderCollection(env)
        drive(film, net, 0)
        page.picture(tiles(np.stack(film.render()[10::50]), columns=2, size=4), "The net after 1, 6, 11 and 16 s.")
    return page
