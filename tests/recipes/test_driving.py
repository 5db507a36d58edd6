"""The driving recipe against outside truths: sums by their definition, SciPy's density, a bandit's exact gradient."""

import signal

import gymnasium
import highway_env
import numpy as np
import pytest
from scipy.stats import norm

import glassgrad as gg
from glassgrad.recipes.driving import (
    CLIP,
    DISCOUNT,
    SCALE,
    Drive,
    Driver,
    advantages,
    drive,
    driving,
    judged,
    learn,
    log_density,
    mean_return,
    observed,
    surrogate,
)

assert highway_env, "its import makes the environments known"


@pytest.fixture(scope="module")
def env():
    return gymnasium.make("lane-keeping-v0")


def straight(seen):
    return np.zeros(1, np.float32)


@pytest.mark.parametrize("discount, smooth", [(0.95, 0.9), (0.9, 1.0), (0.9, 0.0), (1.0, 1.0)])
def test_advantages_are_the_sums_of_their_definition(discount, smooth):
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=23), rng.normal(size=24)
    surprises = rewards + discount * values[1:] - values[:-1]
    n = len(rewards)
    told = [sum((discount * smooth) ** k * surprises[t + k] for k in range(n - t)) for t in range(n)]
    np.testing.assert_allclose(advantages(rewards, values, discount, smooth), told, atol=1e-12)
    if smooth == 1:  # all that came, and the value of the end, beyond what was expected
        ends = [discount ** (n - t) * values[-1] for t in range(n)]
        came = [sum(discount**k * rewards[t + k] for k in range(n - t)) for t in range(n)]
        np.testing.assert_allclose(told, np.array(came) + ends - values[:-1], atol=1e-12)


def test_the_log_density_is_that_of_a_normal_distribution():
    rng = np.random.default_rng(0)
    action, mean, log_sd = rng.normal(size=50), rng.normal(size=50), np.array(-0.7)
    told = log_density(*(gg.from_numpy(each) for each in (action, mean, log_sd))).numpy()
    np.testing.assert_allclose(told, norm.logpdf(action, mean, np.exp(-0.7)), atol=1e-12)


def test_the_gradient_of_a_bandit_is_its_closed_form():
    """One decision a, reward -(a - goal)²: its mean is -((mean - goal)² + sd²), so the slopes are -2 (mean - goal) by
    the mean and -2 sd² by log sd. Gauss and Hermite's points take the mean over the actions exactly."""
    goal, mean = 0.8, gg.tensor(0.3, dtype=gg.float64, requires_grad=True)
    log_sd = gg.tensor(-0.4, dtype=gg.float64, requires_grad=True)
    points, weights = np.polynomial.hermite_e.hermegauss(12)
    weights /= weights.sum()
    action = 0.3 + np.exp(-0.4) * points
    gains = gg.from_numpy(-((action - goal) ** 2) * weights * len(points))  # the surrogate is a plain mean
    log_new = log_density(gg.from_numpy(action), mean, log_sd)
    surrogate(log_new, log_new.detach(), gains).backward()
    assert mean.grad.item() == pytest.approx(-2 * (0.3 - goal), abs=1e-12)
    assert log_sd.grad.item() == pytest.approx(-2 * np.exp(-0.8), abs=1e-12)


@pytest.mark.parametrize(
    "ratio, gain, slope",
    [(1.0, 2.0, 2.0), (1.5, 2.0, 0.0), (1.5, -2.0, -3.0), (0.5, 2.0, 1.0), (0.5, -2.0, 0.0)],
)
def test_the_surrogate_pulls_no_further_where_the_policy_has_gone_far(ratio, gain, slope):
    assert CLIP < 0.5
    log_new = gg.tensor([np.log(ratio)], requires_grad=True)
    surrogate(log_new, gg.zeros(1), gg.tensor([gain])).backward()
    assert log_new.grad.item() == pytest.approx(slope, abs=1e-6)


def test_what_is_observed_is_the_offset_and_the_angle_up_to_the_noise(env):
    given, _ = env.reset(seed=0)
    car, lane = env.unwrapped.vehicle, env.unwrapped.lane
    along, offset = lane.local_coordinates(car.position)
    seen = observed(given) / SCALE
    assert seen.shape == (8,)
    assert seen.dtype == np.float32
    assert abs(seen[0] - offset) <= 0.051
    assert abs(seen[1] - (car.heading - lane.heading_at(along))) <= 0.051


def test_an_episode_is_200_steps_and_ends_sooner_a_lanes_width_off_where_that_is_asked(env):
    whole, ended = drive(env, straight, 0), drive(env, straight, 0, whole=False)
    assert whole.seen.shape == (201, 8)
    assert whole.rewards.shape == whole.steering.shape == (200,)
    assert whole.way.shape == (200, 2)
    first = int(np.flatnonzero(whole.rewards < 0)[0])
    assert len(ended.rewards) == first + 1
    np.testing.assert_array_equal(ended.rewards, whole.rewards[: first + 1])
    np.testing.assert_array_equal(ended.seen, whole.seen[: first + 2])
    sums = [each.rewards[each.rewards > 0].sum() for each in (whole, ended)]
    assert mean_return([whole, ended]) == pytest.approx(np.mean(sums))


def test_who_is_lost_has_nothing_to_come_and_whose_time_is_up_has():
    driver = Driver()
    seen = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    value = driver.critic(gg.from_numpy(seen)).detach().numpy()[-1]

    def target(last):
        made = Drive(seen, np.zeros(3, np.float32), np.array([0.9, 0.5, last]), np.zeros((3, 2)))
        return judged(driver, made)[-1][-1]

    assert target(-0.1) == pytest.approx(0, abs=1e-6)
    assert target(0.7) == pytest.approx((1 - DISCOUNT) * 0.7 + DISCOUNT * value, abs=1e-6)


def test_what_is_judged_is_what_drove(env):
    driver = Driver()
    each = drive(env, straight, 0, whole=False)
    seen, steering, chances, gains, values = judged(driver, each)
    assert {len(column) for column in (seen, steering, chances, gains, values)} == {len(each.rewards)}
    means = driver.actor(gg.from_numpy(each.seen[:-1])).detach().numpy()
    np.testing.assert_allclose(chances, norm.logpdf(0.0, means, np.exp(driver.log_sd.item())), atol=1e-5)


def test_the_compiled_policy_is_the_net_and_follows_its_weights():
    driver = Driver()
    policy = driver.policy()
    seen = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    for shift in (0.0, 0.5):
        with gg.no_grad():
            driver.actor[4].bias.add_(shift)
        told = driver.actor(gg.from_numpy(seen)).detach().numpy()
        np.testing.assert_allclose(np.concatenate([policy(each) for each in seen]), told, atol=1e-6)


def test_the_same_seed_gives_the_same_driver(env):
    def learned(seed):
        gg.manual_seed(seed)
        driver = Driver()
        returns = [mean_return(drives) for drives in learn(driver, env, rounds=2, steps=150, seed=seed)]
        return returns, driver.actor[0].weight.detach().numpy()

    (first, weights), (again, same), (other, _) = learned(0), learned(0), learned(1)
    assert first == again != other
    np.testing.assert_array_equal(weights, same)


def test_ctrl_c_leaves_a_page_and_the_weights_of_the_rounds_so_far(tmp_path, monkeypatch):
    def interrupted(driver, env, *given):
        yield [drive(env, straight, 0)]
        signal.raise_signal(signal.SIGINT)
        yield [drive(env, straight, 0)]
        raise AssertionError("it was to stop")

    monkeypatch.setitem(driving.__globals__, "learn", interrupted)
    page = driving(short=True, seed=5, html=tmp_path / "page.html", weights=tmp_path / "driver.safetensors")
    text = (tmp_path / "page.html").read_text()
    assert "Ctrl-C ended the training after 2 of 6 rounds" in text
    assert text.count("<figure><img") == 4
    driver = Driver()
    driver.load_state_dict(gg.load(tmp_path / "driver.safetensors"))
    again = [drive(gymnasium.make("lane-keeping-v0"), driver.policy(), seed) for seed in range(10)]
    assert mean_return(again) == pytest.approx(page.figures["return, net"])
