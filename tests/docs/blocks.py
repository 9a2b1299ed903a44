"""The code blocks of a page, and what a runner makes of them.

A block runs when it is Python, or when its first line begins with `wellfit `; all other blocks are text. A block
under `<!-- not run: why -->` does not run; one under `<!-- run in a folder of its own -->` finds the files as they
were, and no experiment: it says in another way what the blocks before it have said. A block ```text right after one
that ran must be what it printed; a line `…` in it stands for lines that are left out.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<lang>\w*)[^\n]*\n(?P<body>.*?)^```$", re.M | re.S)
FRESH = re.compile(r"<!-- run in a folder of its own -->\s*\Z")
NOT_RUN = re.compile(r"<!-- not run: (?P<why>[^>]+) -->\s*\Z")
SHELLS = {"", "console", "shell", "sh", "bash"}
SMALLER = (
    (re.compile(r"--budget \S+"), "--budget 300updates"),
    (re.compile(r'budget="[^"]+"'), 'budget="300updates"'),
    (re.compile(r"--members \d+"), "--members 4"),
    (re.compile(r"members=\d+"), "members=4"),
    (re.compile(r"^(wellfit sweep (?!.*--members)\S+)", re.M), r"\1 --members 4"),
    (re.compile(r"--refits \d+"), "--refits 12"),
)
"""What is made smaller, so that a page takes seconds: budgets, populations and refits, nothing else."""


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        lang: "python", "wellfit" (commands) or "text".
        body: its lines.
        line: number of its first line in the page.
        skipped: why it is not run; "" where it is.
        fresh: whether it starts anew.
    """

    lang: str
    body: str
    line: int
    skipped: str
    fresh: bool

    @property
    def smaller(self) -> str:
        """The body with small budgets and populations."""
        body = self.body
        for long, short in SMALLER:
            body = long.sub(short, body)
        return body

    def commands(self) -> list[list[str]]:
        """The arguments of each command, without the leading `wellfit`."""
        lines = self.smaller.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        assert all(each[0] == "wellfit" for each in words if each), f"line {self.line}: only `wellfit` lines here"
        return [each[1:] for each in words if each]


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page that is run or checked, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        lang = _kind(fence["lang"], fence["body"])
        if lang:
            marked = NOT_RUN.search(text, 0, fence.start())
            line = text.count("\n", 0, fence.start()) + 2
            fresh = FRESH.search(text, 0, fence.start()) is not None
            found.append(Block(lang, fence["body"], line, marked["why"] if marked else "", fresh))
    return found


def missing_line(printed: str, expected: str) -> str | None:
    """The first expected line that was not printed in its place; None where all were."""
    have = [line.rstrip() for line in printed.strip().splitlines()]
    at, free = 0, False
    for line in (line.rstrip() for line in expected.strip().splitlines()):
        if line == "…":
            free = True
            continue
        places = [place for place in range(at, len(have)) if have[place] == line]
        if not places or (not free and places[0] != at):
            return line
        at, free = places[0] + 1, False
    return None if free or at == len(have) else f"(nothing more, but there is) {have[at]}"


def _kind(lang: str, body: str) -> str:
    if lang == "python":
        return "python"
    if lang in SHELLS and body.startswith("wellfit "):
        return "wellfit"
    return "text" if lang == "text" else ""
