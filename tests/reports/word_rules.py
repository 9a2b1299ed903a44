"""Rules for every text that a user reads, whatever it is about."""

from __future__ import annotations

import html
import re

from wellfit.records.units import Unit

ALLOWED = {"keep_prob", "weight_decay", "log_loss", "balanced_error"}
"""The field's own words, and goals as a command takes them."""


def visible(page: str) -> str:
    """The text of a page, without its tags."""
    return html.unescape(re.sub(r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", "\n", page, flags=re.DOTALL))


def require_people_words(text: str, unit: Unit, *, names: frozenset[str] = frozenset()) -> None:
    """Fail where a text has signs of a program, two units, or two ways of writing; `names` come from the data."""
    assert "->" not in text
    assert not re.search(r"\b(True|False|nan)\b|\de\+", text)
    assert set(re.findall(r"\b\w+_\w+\b", text)) <= ALLOWED | names
    assert "points" not in text.replace("in points", "points") or unit.is_percent
    assert not re.search(r"\bMSE\b", text)
    assert not re.search(r"\d %", text)
