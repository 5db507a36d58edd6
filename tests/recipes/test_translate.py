"""Translation: the exercises against Python's own dates and a reader of words, the split, the net and its decoding."""

import datetime
import re

import numpy as np
import pytest

import glassgrad as gg
from glassgrad.recipes import english
from glassgrad.recipes.english import FORMS, LONGEST, TWO_DIGITS, VALUES, Task, date_in, divided, exercises
from glassgrad.recipes.translate import CHARACTERS, END, Greedy, Lessons, Translator, before, encoded, exact

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
READ = dict(zip(SMALL.split(), [*range(20), *range(20, 100, 10)], strict=True))
DAYS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth "
    "twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
)
CODES = {
    "{d}": "%d", "{dd}": "%d", "{nth}": "%d", "{first}": "%d", "{m}": "%m", "{mm}": "%m", "{mon}": "%b",
    "{month}": "%B", "{y}": "%Y", "{yy}": "%y", "{year}": "%Y", "{day}": "%a", "{weekday}": "%A",
}  # fmt: skip
"""What strptime calls a part of a form."""


def number_of(words):
    """A number from its words, by another way than they were made."""
    total = part = 0
    for word in words.replace("-", " ").replace(" and ", " ").split():
        if word == "hundred":
            part *= 100
        elif word == "thousand":
            total, part = total + part * 1000, 0
        else:
            part += READ[word]
    return total + part


def year_of(words):
    if "thousand" in words or "hundred" in words:
        return number_of(words)
    hundreds, rest = words.replace(" oh ", " ").split()
    return 100 * number_of(hundreds) + number_of(rest)


def test_words_are_read_back():
    some = np.random.default_rng(0).integers(1_000_000, size=20_000).tolist()
    for number in [*range(2_000), *some, 999_999]:
        assert number_of(english.words(number)) == number
    assert english.words(110) == "one hundred and ten"
    assert english.words(342_000) == "three hundred and forty-two thousand"
    assert english.words(100_001) == "one hundred thousand and one"


def test_years_are_said_as_they_are_said():
    years = {1987: "nineteen eighty-seven", 1905: "nineteen oh five", 1900: "nineteen hundred", 2010: "twenty ten"}
    years |= {2005: "two thousand and five", 2000: "two thousand", 2100: "twenty-one hundred", 1811: "eighteen eleven"}
    for year, words in years.items():
        assert english.year_in_words(year) == words


def test_ordinals():
    assert [english.ordinal(day) for day in range(1, 32)] == DAYS.split()
    days = [english.nth(day) for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31, 111)]
    assert " ".join(days) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 30th 31st 111th"


def date_of(form, text):
    """The date that a text stands for, read by Python after words were turned into digits."""
    months = "|".join(datetime.date(2000, month, 1).strftime("%B") for month in range(1, 13))
    if "{year}" in form:
        words = re.search(rf"(?:{months}|[-a-z]+,|{months} ) ?([a-z][-a-z ]+)$", text)[1]
        text = text[: -len(words)] + str(year_of(words))
    if "{first}" in form:
        for day, word in reversed(list(enumerate(DAYS.split(), 1))):
            if re.search(rf"(?<![-a-z]){word}(?![-a-z])", text):
                text = re.sub(rf"(?<![-a-z]){word}(?![-a-z])", str(day), text)
                break
    if "{nth}" in form:
        text = re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", text)
    pattern = re.sub(r"\{\w+\}", lambda part: CODES[part[0]], form)
    return datetime.datetime.strptime(text, pattern).date()


@pytest.mark.parametrize("form", FORMS)
def test_python_reads_the_same_date(form):
    days = TWO_DIGITS if "{yy}" in form else range(1800, 2200)
    drawn = np.random.default_rng(0).permutation(VALUES[Task.dates])
    dates = [date for date in map(datetime.date.fromordinal, drawn[:4000].tolist()) if date.year in days]
    assert len(dates) > 900
    for date in dates[:900]:
        assert date_of(form, date_in(form, date)) == date


def test_exercises_are_of_their_values_and_fit():
    rng = np.random.default_rng(1)
    values = rng.choice(VALUES[Task.dates], 3000)
    pairs = exercises(Task.dates, values, rng)
    assert [right for _, right in pairs] == [datetime.date.fromordinal(value).isoformat() for value in values.tolist()]
    assert len({text for text, _ in pairs}) > 2900
    for text, right in pairs:
        year = int(right[:4])
        assert year in TWO_DIGITS or str(year) in text or english.year_in_words(year) in text.lower()
    assert {text.isupper() for text, _ in pairs} == {True, False}
    numbers = exercises(Task.numbers, range(0, 1_000_000, 997), rng)
    for number, (text, words) in zip(range(0, 1_000_000, 997), numbers, strict=True):
        assert int(text.replace(",", "")) == number == number_of(words)
    for task, some in ((Task.dates, pairs), (Task.numbers, numbers)):
        for text, right in some:
            assert (len(text) <= LONGEST[task][0]) and (len(right) <= LONGEST[task][1])
            assert set(text + right) <= set(CHARACTERS.characters) - {END}


def test_the_longest_texts_are_no_longer():
    days = [datetime.date(year, 9, day) for year in range(1800, 2200) for day in range(20, 31)]
    assert max(len(date_in(form, day)) for form in FORMS for day in days) == LONGEST[Task.dates][0]
    assert max(len(english.words(n)) for n in range(777, 1_000_000, 1000)) == LONGEST[Task.numbers][1]


@pytest.mark.parametrize("task", Task)
def test_what_is_held_out_is_never_met(task):
    known, held = divided(task, seed=3)
    assert not set(known.tolist()) & set(held.tolist())
    assert sorted([*known.tolist(), *held.tolist()]) == list(VALUES[task])
    assert len(held) == len(VALUES[task]) // 10
    assert (divided(task, seed=3)[1] == held).all()
    assert (divided(task, seed=4)[1] != held).any()
    met = set()
    for _, _, target in Lessons(task, known, 64, 20, np.random.default_rng(0)):
        met |= {CHARACTERS.decode(row).partition(END)[0] for row in target}
    answers = {right for _, right in exercises(task, held, np.random.default_rng(0))}
    assert met and not met & answers


def test_one_text_means_one_date():
    """So no text of a held-out date can have been met as that of another."""
    for form in FORMS:
        years = TWO_DIGITS if "{yy}" in form else range(1895, 1995)
        days = range(datetime.date(years[0], 1, 1).toordinal(), datetime.date(years[-1], 12, 31).toordinal() + 1)
        assert len({date_in(form, datetime.date.fromordinal(day)).lower() for day in days}) == len(days)


# -- the net -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    """A net whose weights are large enough for all that it does to matter."""
    gg.manual_seed(3)
    made = Translator((12, 9), 8, 2, 2)
    with gg.no_grad():
        for weight in made.parameters():
            weight.copy_(gg.randn(weight.shape) * 0.7)
    return made.eval()


TEXTS = ("3 May 2001", "no", "x", "1,2,3,4,5,6,")


def test_an_answer_begins_with_nothing_and_sees_what_it_has_told():
    assert before(gg.tensor([[5, 6, 7]])).tolist() == [[0, 5, 6]]
    assert encoded(["ab", ""], 3)[1].tolist() == [0, 0, 0]
    assert CHARACTERS.decode(encoded(["ab", ""], 3)[0]) == "ab_"


def test_a_later_character_changes_nothing_before_it(model):
    source, begun = encoded(TEXTS, 12), gg.tensor(np.random.default_rng(0).integers(1, 60, (4, 9)))
    scores = model(source, begun).detach().numpy()
    for place in range(9):
        other = begun.clone()
        other[:, place] = 7
        changed = model(source, other).detach().numpy()
        np.testing.assert_array_equal(changed[:, :place], scores[:, :place])
        assert (np.abs(changed[:, place] - scores[:, place]) > 0).any()


def test_nothing_looks_at_what_fills_a_text_up(model):
    source, begun = encoded(TEXTS, 12), gg.zeros((4, 9), dtype=gg.int64)
    scores, looks = model.tell(source, model.read(source), begun)
    for text, look in zip(TEXTS, looks.detach().numpy(), strict=True):
        assert not look[:, len(text) :].any()
        np.testing.assert_allclose(look.sum(1), 1, rtol=1e-5)
    places = model.places[0].detach().clone()
    with gg.no_grad():
        model.places[0][2:].add_(gg.randn(10, 8))  # beyond "no", and "x"
        moved = model(source, begun).detach().numpy()
        model.places[0].copy_(places)
    np.testing.assert_allclose(moved[1:3], scores.detach().numpy()[1:3], rtol=1e-4, atol=1e-5)
    assert np.abs(moved[0] - scores.detach().numpy()[0]).max() > 0.01


def test_greedy_tells_what_one_character_after_the_other_gives(model):
    told, looks = Greedy(model)(encoded(TEXTS, 12))
    for text, row in zip(TEXTS, told.tolist(), strict=True):
        begun = [0] * 9
        for place in range(9):
            scores = model(encoded([text], 12), gg.tensor([[0, *begun[:-1]]]))
            begun[place] = int(scores[0, place].argmax())
        assert row == begun
    assert len(set(map(tuple, told.tolist()))) > 1
    assert tuple(looks.shape) == (4, 9, 12)


def test_texts_are_translated_in_batches_of_one_shape(model):
    greedy = Greedy(model)
    answers, looks = greedy.translate(TEXTS, batch=3)
    alone = [greedy.translate([text], batch=3)[0][0] for text in TEXTS]
    assert answers == alone
    assert looks.shape == (6, 9, 12)
    assert all(sum(map(len, each.plans.values())) == 1 for each in (greedy.read, greedy.round))


def test_exact_counts_whole_rows():
    scores = gg.nn.functional.one_hot(gg.tensor([[1, 2], [1, 0], [0, 0]]), 3).float()
    assert exact(scores, gg.tensor([[1, 2], [1, 1], [0, 0]])).item() == pytest.approx(2 / 3)
