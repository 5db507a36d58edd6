"""Dates in many forms and numbers in words: the exercises of `translate`, each with one right answer."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
)  # fmt: skip

FORMS = (
    "{d} {month} {y}", "{nth} {month} {y}", "the {nth} of {month}, {y}", "{month} {d}, {y}", "{month} {nth}, {y}",
    "{mon} {d}, {y}", "{mon} {d} '{yy}", "{d}/{mon}/{yy}", "{d}-{mon}-{y}", "{dd}{mon}{y}", "{d}.{m}.{y}",
    "{dd}.{mm}.{yy}", "{y}/{m}/{d}", "{y}, {month} {d}", "{weekday}, {d} {month} {y}", "{day}, {dd} {mon} {y}",
    "{day} {mon} {nth} {y}", "the {first} of {month}, {year}", "{day}, the {first} of {month} {year}",
    "{month} {first}, {year}",
)  # fmt: skip
"""How a date is written. Where day and month are both numbers the order is day, month, year, or the other way round."""
TWO_DIGITS = range(1969, 2069)
"""The years that two digits can mean, as POSIX has it."""


def words(number: int) -> str:
    """A number from 0 to 999,999.

    >>> from glassgrad.recipes.english import words
    >>> words(40), words(1_987), words(612_005)
    ('forty', 'one thousand nine hundred and eighty-seven', 'six hundred and twelve thousand and five')
    """
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    many, rest = divmod(number, unit)
    after = "" if not rest else f" and {words(rest)}" if rest < 100 else f" {words(rest)}"
    return f"{words(many)} {name}{after}"


def year_in_words(year: int) -> str:
    """A year from 1000 to 9999 as it is said.

    >>> from glassgrad.recipes.english import year_in_words
    >>> [year_in_words(year) for year in (1987, 1905, 1900, 2005)]
    ['nineteen eighty-seven', 'nineteen oh five', 'nineteen hundred', 'two thousand and five']
    """
    hundreds, rest = divmod(year, 100)
    if hundreds % 10 == 0 and rest < 10:
        return words(year)
    return f"{words(hundreds)} " + (words(rest) if rest > 9 else f"oh {words(rest)}" if rest else "hundred")


def ordinal(number: int) -> str:
    """First, second and so on to ninety-ninth."""
    if number < 20:
        return ORDINALS[number - 1] if number < 13 else f"{ONES[number]}th"
    ten, one = TENS[number // 10 - 2], number % 10
    return f"{ten}-{ORDINALS[one - 1]}" if one else f"{ten[:-1]}ieth"


def nth(number: int) -> str:
    """1st, 2nd and so on."""
    ending = "th" if number % 100 // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def date_in(form: str, date: datetime.date) -> str:
    """A date in one of `FORMS`.

    >>> import datetime
    >>> from glassgrad.recipes.english import date_in
    >>> date_in("{day}, the {first} of {month} {year}", datetime.date(1987, 3, 3))
    'Tue, the third of March nineteen eighty-seven'
    """
    month, weekday = MONTHS[date.month - 1], WEEKDAYS[date.weekday()]
    return form.format(
        d=date.day, dd=f"{date.day:02}", nth=nth(date.day), first=ordinal(date.day),
        m=date.month, mm=f"{date.month:02}", mon=month[:3], month=month,
        y=date.year, yy=f"{date.year % 100:02}", year=year_in_words(date.year),
        day=weekday[:3], weekday=weekday,
    )  # fmt: skip


class Task(StrEnum):
    """What is translated."""

    dates = "dates"
    numbers = "numbers"


VALUES = {
    Task.dates: range(datetime.date(1800, 1, 1).toordinal(), datetime.date(2200, 1, 1).toordinal()),
    Task.numbers: range(1_000_000),
}
LONGEST = {Task.dates: (61, 10), Task.numbers: (7, 72)}
"""The most characters of a text and of its translation."""


def exercises(task: Task, values: Sequence[int] | np.ndarray, rng: np.random.Generator) -> list[tuple[str, str]]:
    """A text for each value, in a form drawn at random, and its translation."""
    make = date_exercise if task is Task.dates else number_exercise
    return [make(int(value), rng) for value in values]


def divided(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All values of a task in random order: those to learn from, and a tenth that is held out in whatever form."""
    order = np.random.default_rng(seed).permutation(VALUES[task])
    held, known = np.split(order, [len(order) // 10])
    return known, held


def date_exercise(day: int, rng: np.random.Generator) -> tuple[str, str]:
    """The day of a number (`datetime.date.fromordinal`) in some form, at times all in one case; and in ISO form."""
    date = datetime.date.fromordinal(day)
    forms = [form for form in FORMS if date.year in TWO_DIGITS or "{yy}" not in form]
    text = date_in(forms[rng.integers(len(forms))], date)
    return (text, text, text.lower(), text.upper())[rng.integers(4)], date.isoformat()


def number_exercise(number: int, rng: np.random.Generator) -> tuple[str, str]:
    """A number in digits, with or without a comma; and in words."""
    return f"{number:,}" if rng.integers(2) else str(number), words(number)
