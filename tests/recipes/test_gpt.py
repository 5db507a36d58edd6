"""The GPT: its cache against the whole block and against torch, what it sees, draws, learns and keeps."""

import importlib.util
import math
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import glassgrad as gg
from glassgrad.cli import app
from glassgrad.datasets import Blocks, DataNotFound
from glassgrad.errors import ArgumentError, GlassgradError
from glassgrad.recipes import gpt as recipes_gpt
from glassgrad.recipes.decoder import GPT, Writer, pick, turned
from glassgrad.train import Callback

SIZES = [(7, 6, 1, 1, 4), (11, 9, 2, 3, 12), (5, 16, 3, 2, 8)]
"""Vocabulary, block, layers, heads, width."""
BOOK = str(Path(recipes_gpt.__file__))
"""A short text: the recipe's own."""
SMALL = {"steps": 20, "layers": 1, "heads": 2, "width": 8, "block": 16, "batch": 2, "length": 20}


def model_of(sizes, seed=0):
    """A model whose weights are large enough for all that it does to matter."""
    gg.manual_seed(seed)
    model = GPT(*sizes)
    with gg.no_grad():
        for weight in model.parameters():
            weight.copy_(gg.randn(weight.shape) * 0.5)
    return model


def text_of(sizes, count, seed=1):
    return np.random.default_rng(seed).integers(sizes[0], size=count)


@pytest.mark.parametrize("sizes", SIZES)
def test_scores_with_the_cache_are_those_of_the_whole_block(sizes):
    model, writer = model_of(sizes), Writer(model_of(sizes))
    for seed in (1, 2):  # the second text finds the keys and values of the first in the cache
        ids = text_of(sizes, sizes[1], seed)
        whole = model(gg.tensor(ids[None])).detach().numpy()[0]
        told = np.stack([writer.scores(int(each), place).numpy() for place, each in enumerate(ids)])
        np.testing.assert_allclose(told, whole, rtol=1e-4, atol=1e-5)
    assert [len(plans) for plans in writer.step.plans.values()] == [1], "one trace for all places"


@pytest.mark.parametrize("sizes", SIZES)
def test_a_later_character_changes_nothing_before_it(sizes):
    model, ids = model_of(sizes), text_of(sizes, sizes[1])
    scores = model(gg.tensor(ids[None])).detach().numpy()[0]
    for place in range(sizes[1]):
        other = ids.copy()
        other[place] = (other[place] + 1) % sizes[0]
        changed = model(gg.tensor(other[None])).detach().numpy()[0]
        np.testing.assert_array_equal(changed[:place], scores[:place])
        assert (np.abs(changed[place:] - scores[place:]).max(1) > 0).all(), "every later place sees it"


def test_attention_weights_are_a_distribution_over_what_came_before():
    sizes = SIZES[1]
    _, looks = model_of(sizes).run(gg.tensor(text_of(sizes, 5)[None]), gg.arange(5))
    assert [tuple(look.shape) for look in looks] == [(1, 3, 5, 5)] * 2
    for look in looks:
        np.testing.assert_allclose(look.detach().numpy().sum(-1), 1, rtol=1e-6)
        assert not np.triu(look.detach().numpy(), 1).any()


def test_products_of_turned_features_depend_on_the_distance_alone():
    model = GPT(5, 16, 1, 1, 8)
    q, k = gg.randn(8), gg.randn(8)
    at = [turned(each.expand(16, 8), model.turns).numpy() for each in (q, k)]
    products = at[0] @ at[1].T
    for apart in range(-15, 16):
        along = np.diagonal(products, apart)
        np.testing.assert_allclose(along, along[0], atol=1e-5)
    np.testing.assert_allclose(products[3, 3], float(q @ k), rtol=1e-5)
    assert np.ptp(products[0]) > 0.1


@pytest.fixture(scope="module")
def peer():
    """The benchmark that has the same net in torch."""
    place = Path(__file__).parents[2] / "benchmarks" / "gpt_torch.py"
    spec = importlib.util.spec_from_file_location("gpt_torch", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scores_are_those_of_torch(peer):
    for sizes in SIZES:
        model, ids = model_of(sizes), gg.tensor(text_of(sizes, sizes[1])[None])
        theirs = peer.GPT(model)(peer.of(ids)).detach().numpy()
        np.testing.assert_allclose(model(ids).detach().numpy(), theirs, rtol=1e-4, atol=1e-4)


def test_losses_of_a_training_are_those_of_torch(peer):
    pieces, ours, theirs = Blocks(gg.tensor(text_of(SIZES[1], 500)), SIZES[1][1]), [], []
    model = model_of(SIZES[1])
    training = peer.Training(model, 0.01, compiled=False)
    lessons = recipes_gpt.Lessons(pieces, 4, 0, steps=20)
    schedule = peer.torch.optim.lr_scheduler.LambdaLR(training.optimizer, lessons.rate)
    gg.manual_seed(0)
    for _ in range(10):
        for ids, following in lessons:
            theirs.append(training.step(peer.of(ids), peer.of(following)))
            schedule.step()
    lessons = recipes_gpt.Lessons(pieces, 4, 0, steps=20)
    trainer = recipes_gpt.learner(model, lessons, 0.01, progress=False)
    trainer.callbacks.append(type("Kept", (Callback,), {"on_step": lambda _, trainer, loss: ours.append(loss)})())
    gg.manual_seed(0)
    trainer.fit(lessons, epochs=10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert theirs[-1] < theirs[0]


def test_weights_begin_as_in_gpt_2():
    gg.manual_seed(0)
    model = GPT(83, 128, 4, 4, 128)
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    assert state["blocks.2.qkv.weight"].std() == pytest.approx(0.02, rel=0.05)
    assert state["blocks.2.proj.weight"].std() == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert state["blocks.2.down.weight"].std() == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    ids = gg.tensor(text_of((83,), 128)[None])
    assert recipes_gpt.surprise(model(ids), ids).item() == pytest.approx(math.log(83), abs=0.2)


def test_ten_million_parameters():
    assert sum(weight.numel() for weight in GPT(83, 256, 6, 6, 384).parameters()) > 10_000_000


def test_a_width_that_cannot_be_divided_is_refused():
    with pytest.raises(ArgumentError, match="twice the heads"):
        GPT(5, 8, 1, 3, 9)


# -- drawing ---------------------------------------------------------------------------------------------------------


SCORES = gg.tensor([0.5, 2.0, -1.0, 1.9, 0.0, -30.0])


@pytest.mark.parametrize("how", [{"temperature": 0}, {"temperature": 1e-6}, {"temperature": 1e-320}, {"top_k": 1}])
def test_without_daring_the_best_is_drawn(how):
    gg.manual_seed(0)
    assert {pick(SCORES, **how) for _ in range(30)} == {1}


@pytest.mark.parametrize("top_k", [2, 3, 6, 100])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 3.0])
def test_draws_follow_the_softmax_of_the_best(temperature, top_k):
    weights = np.exp(SCORES.numpy().astype(float) / temperature)
    weights[np.argsort(-weights)[top_k:]] = 0
    chances, draws = weights / weights.sum(), 1500
    generator = gg.Generator().manual_seed(3)
    drawn = np.bincount([pick(SCORES, temperature, top_k, generator) for _ in range(draws)], minlength=6) / draws
    assert not drawn[weights == 0].any()
    assert (np.abs(drawn - chances) <= 4 * np.sqrt(chances * (1 - chances) / draws) + 1e-9).all()


@pytest.mark.parametrize("how", [{"temperature": -0.1}, {"temperature": math.nan}, {"top_k": -1}])
def test_a_senseless_draw_is_refused(how):
    with pytest.raises(ArgumentError, match="0 or more"):
        pick(SCORES, **how)


def test_a_seed_gives_the_same_text_again():
    writer = Writer(model_of(SIZES[1]))

    def text(seed):
        return writer.write([1, 2], 40, partial(pick, generator=gg.Generator().manual_seed(seed)))

    assert text(1) == text(1) != text(2)
    assert text(1)[:2] == [1, 2]
    assert len(text(1)) == 42


@pytest.mark.parametrize("given", [1, 5, 9, 30])
def test_a_text_longer_than_a_block_goes_on_from_half_a_block(given):
    sizes = SIZES[1]
    model = model_of(sizes)
    block, ids = sizes[1], text_of(sizes, given).tolist()

    def choose(scores):  # unlike the best one, it tells apart what differs only a little
        return int(abs(scores.numpy()).sum() * 20) % sizes[0]

    written = Writer(model).write(ids, 40, choose)
    begin = max(0, given - block)
    for _ in range(40):
        if len(ids) - begin > block:
            begin = len(ids) - block // 2
        ids.append(choose(model(gg.tensor([ids[begin:]]))[0, -1].detach()))
    assert written == ids


def test_nothing_cannot_be_written_on_from():
    with pytest.raises(ArgumentError, match="nothing to write on from"):
        Writer(model_of(SIZES[0])).write([], 3)


# -- training --------------------------------------------------------------------------------------------------------


def test_lessons_by_steps_are_ten_epochs_with_one_rise_and_fall():
    lessons = recipes_gpt.Lessons(Blocks(gg.arange(100), 4), batch=3, minutes=99, steps=200)
    rates = []
    for epoch in range(10):
        for x, y in lessons:
            rates.append(lessons.rate(0))
            assert tuple(x.shape) == (3, 4)
            assert bool((y == x + 1).all())
        assert len(rates) == 20 * (epoch + 1)
    top = int(np.argmax(rates))
    assert top < 10
    assert rates[top] == pytest.approx(1, abs=0.02)
    assert rates[99] == pytest.approx(0.51, abs=0.01)
    assert rates[-1] == pytest.approx(0.02)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) <= 0).all()


def test_lessons_by_time_end_in_time(monkeypatch):
    now = [50.0]
    monkeypatch.setattr(recipes_gpt.time, "perf_counter", lambda: now[0])
    lessons, steps = recipes_gpt.Lessons(Blocks(gg.arange(100), 4), batch=3, minutes=1), []
    for _ in range(10):
        for _ in lessons:
            now[0] += 0.25
        steps.append(now[0])
        now[0] += 0.5  # as a validation takes
    np.testing.assert_allclose(steps, 50 + 6 * np.arange(1, 11), atol=0.51)


@pytest.mark.parametrize("step", [1, 7])
def test_interrupted_it_leaves_its_page_and_its_weights(step, tmp_path, monkeypatch):
    pieces = recipes_gpt.Lessons.__iter__

    def interrupted(self):
        for batch in pieces(self):
            if self.taken == step:
                signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(recipes_gpt.Lessons, "__iter__", interrupted)
    page = recipes_gpt.gpt(BOOK, **SMALL, html=tmp_path / "page.html", weights=tmp_path / "weights")
    assert page.figures["steps"] == step
    assert "Ctrl-C" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "weights").exists()


def test_saved_weights_write_on(tmp_path):
    weights = tmp_path / "gpt.safetensors"
    recipes_gpt.gpt(BOOK, **SMALL, html=tmp_path / "page.html", weights=weights)
    call = ["recipe", "gpt", "--weights", str(weights), "--length", "30", "--seed", "4", "--sample"]
    first, second = (CliRunner().invoke(app, [*call, "def learn"]) for _ in range(2))
    assert first.exit_code == 0
    assert "def learn" in first.output
    assert first.output == second.output
    unknown = CliRunner().invoke(app, [*call, "日本"])
    assert unknown.exit_code == 1
    assert "not in the vocabulary" in unknown.output


def test_what_cannot_be_done_leaves_an_older_page_as_it_is(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("of the last run")
    for wrong in (
        {"heads": 3},
        {"block": 100_000},
        {"text": str(tmp_path / "none.txt")},
        {"weights": tmp_path / "no" / "w"},
    ):
        with pytest.raises(GlassgradError):
            recipes_gpt.gpt(**{"text": BOOK, **SMALL, **wrong}, html=page)
        assert page.read_text() == "of the last run"


def test_without_weights_nothing_is_written():
    run = CliRunner().invoke(app, ["recipe", "gpt", "--sample", "Call me"])
    assert run.exit_code == 1
    assert "--weights FILE" in run.output


def test_pythons_reference_stands_in_for_moby_dick(tmp_path, monkeypatch):
    load = recipes_gpt.load_text

    def offline(source, **options):
        if source == "moby-dick":
            raise DataNotFound("Moby-Dick was not found", fix="npm pack")
        return load(BOOK if source == "python" else source, **options)

    monkeypatch.setattr(recipes_gpt, "load_text", offline)
    recipes_gpt.gpt(**SMALL, html=tmp_path / "page.html")
    assert "Moby-Dick was not found" in (tmp_path / "page.html").read_text()
    with pytest.raises(DataNotFound):
        recipes_gpt.gpt(str(tmp_path / "none.txt"), html=tmp_path / "page.html")


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "own.txt").write_text("a rose is " * 300)
    page = recipes_gpt.gpt(str(tmp_path / "own.txt"), **SMALL, html=tmp_path / "page.html", rate=0.01)
    assert page.figures["validation loss"] < page.figures["loss before training"]
