"""Write docs/findings/ from the catalogue: one page for each code, and an index. `make docs` runs it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from wellfit.checking.check import CHECKS as NETWORK_CHECKS
from wellfit.diagnosis.catalogue.entry import CatalogueEntry
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.findings import EXPLAINED

FOLDER = Path(__file__).parents[1] / "docs" / "findings"
GROUPS = {
    "WF1": "Bias and variance",
    "WF2": "Rows and columns",
    "WF3": "Mismatch of train and dev",
    "WF4": "What dev and test can be trusted with",
    "WF5": "The network itself, before it is trained",
}
_WIDTH = 118
_NOTE = "<!-- Written by scripts/findings_pages.py from the catalogue: edit src/wellfit/diagnosis/catalogue/. -->"
_INTRO = """\
A finding is a check with a code, evidence and a remedy. It has three states: **fired**, **passed**, and **not
applicable**, which is the answer where the numbers cannot tell or nothing was there to look at. `wellfit diagnose`
prints the fired ones first and keeps the passed ones visible; `wellfit explain WF102` prints a page in the terminal.
Thresholds are tolerances with intervals around them, not fixed points: a small table says "cannot tell" where a large
one decides."""


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    return {"index.md": _index(), **{f"{code}.md": page(entry) for code, entry in EXPLAINED.items()}}


def page(entry: CatalogueEntry) -> str:
    """The page of one code."""
    states = "\n".join(f"| {_state(state)} | {_linked(when)} |" for state, when in entry.states.items())
    commands = "\n\n".join(
        f"{_linked(_sentence(each.does))}:\n\n```console\n{each.line}\n```" for each in entry.commands
    )
    parts = (
        _NOTE,
        f"# {entry.code} {entry.title}",
        _linked(_filled(entry.meaning)),
        "## How it is measured",
        _linked(_filled(entry.computed)),
        f"| state | when |\n|---|---|\n{states}",
        "## What to do",
        _linked(_filled(entry.remedy)),
        f'!!! note "Take care"\n\n{textwrap.indent(_linked(_filled(entry.caution)), "    ")}',
        "## Commands",
        commands,
        "## Source",
        _filled(f"{entry.source} Computed in `src/wellfit/{_module(entry.code)}`. [All findings](index.md)."),
    )
    return "\n\n".join(parts) + "\n"


def _module(code: str) -> str:
    """The file that computes a finding, from the package's folder."""
    if code in CHECKS:
        return CHECKS[code].module
    return "/".join(NETWORK_CHECKS[code].__module__.split(".")[1:]) + ".py"


def _index() -> str:
    groups = "\n\n".join(f"## {name} ({prefix}xx)\n\n{_table(prefix)}" for prefix, name in GROUPS.items())
    return f"{_NOTE}\n\n# Findings\n\n{_INTRO}\n\n{groups}\n"


def _table(prefix: str) -> str:
    rows = [
        f"| [{code}]({code}.md) | {entry.title} | {entry.meaning} |"
        for code, entry in EXPLAINED.items()
        if code.startswith(prefix)
    ]
    return "\n".join(["| code | finding | what it means |", "|---|---|---|", *rows])


def _state(state: str) -> str:
    return "cannot tell (status `not applicable`)" if state == "Cannot tell" else state.lower()


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def _linked(text: str) -> str:
    return re.sub(r"\b(WF\d{3})\b", r"[\1](\1.md)", text)


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def write() -> None:
    """Write every page, and remove those of codes that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = pages()
    for name, text in found.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    for path in FOLDER.glob("*.md"):
        if path.name not in found:
            path.unlink()


if __name__ == "__main__":
    write()
