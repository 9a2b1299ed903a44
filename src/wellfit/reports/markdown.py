"""The end of a run as Markdown, for a pull request: headline, errors, steps, findings, what is next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wellfit.records.units import typeset
from wellfit.reports.records import PARTS, Diagnosed, Summary
from wellfit.reports.redact import redacted
from wellfit.reports.sentences import gap_text, interval_text, optimal_text, shown, verdict_text
from wellfit.reports.verdict import cares, is_cut_short, next_steps, state_of, told

_SIGNS = re.compile(r"([\\*_{}\[\]<>#|~!&$]|(?<!\w)@(?=\w))")
"""Signs that Markdown would take as its own; an @ would send mail to somebody."""
_CODE = re.compile(r"`([^`]+)`")


def render_markdown(summary: Summary, *, redact: bool = False) -> str:
    """Return the report as GitHub's Markdown; text from a table or a user is escaped, or left out by `redact`."""
    it = told(redacted(summary) if redact else summary)
    return "\n".join(_lines(it)).strip() + "\n"


def _lines(it: Summary) -> Iterator[str]:
    yield f"### {_plain(it.title)}"
    yield ""
    yield f"**{_plain(it.headline)}**"
    yield ""
    yield from (f"- {_plain(said)}" for said in it.remarks)
    if it.after is not None:
        yield from _errors(it, it.after)
    yield from _steps(it)
    lists = {"Take care": list(cares(it)), "Next": [] if is_cut_short(it.best) else list(next_steps(it))}
    for name, said in lists.items():
        if said:
            yield ""
            yield f"**{name}**"
            yield ""
            yield from (f"- {_plain(each)}" for each in said)


def _errors(it: Summary, after: Diagnosed) -> Iterator[str]:
    unit, before = it.unit, it.before if it.before is not it.after else None
    rows = [("optimal", "", _plain(optimal_text(unit, after.diagnosis.errors.optimal)), "")]
    for part, error in after.errors.items():
        old = "" if before is None else shown(unit, before.errors.get(part))
        now = shown(unit, error) if error else "sealed"
        rows.append((PARTS[part].lower(), old, now, interval_text(unit, error) if error else ""))
    yield from _table((unit.noun, "before", "now", "95 % interval"), rows)
    gaps = [(gap.kind.noun, gap_text(unit, after, gap), verdict_text(after, gap)) for gap in after.gaps]
    yield from _table(("gap", unit.goal.loss_noun, "too large?"), gaps)


def _steps(it: Summary) -> Iterator[str]:
    unit = it.unit
    rows = [
        (
            f"{step.step}",
            _plain(step.did),
            f"{unit.show(step.before['dev'])} → {unit.show(step.after['dev'])}",
            state_of(it, step),
        )
        for step in it.steps
    ]
    if rows:
        yield from _table(("step", "", f"dev {unit.noun}", ""), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _plain(words: str) -> str:
    """Return words that Markdown shows as they are, in one line; commands between backticks stay code."""
    parts = _CODE.split(" ".join(words.split()))
    return "".join(
        f"`{part}`" if place % 2 else _SIGNS.sub(r"\\\1", typeset(part)).replace("`", "\\`")
        for place, part in enumerate(parts)
    )
