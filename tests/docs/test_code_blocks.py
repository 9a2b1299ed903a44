"""Every code block of the docs and of the README runs, in order, in a folder with the files that pages speak of."""

from __future__ import annotations

import io
import re
import shutil
import sys
import types
from pathlib import Path

import blocks
import page_tables
import pytest

from wellfit.cli import main
from wellfit.sweeps.executor import InProcess

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_NOT_RUN = 3
NOISY = ("study.md", "your-own-loop.md")
"""Pages with other people's loops, which announce what their own next versions change, or that few epochs are few."""
PRELUDES = {
    "README.md": """
import numpy as np, pyarrow.csv
from torch import nn
y, y2 = np.arange(400) % 2, np.arange(200) % 2
p, p2 = np.where(np.arange(400) % 50 == 0, 1 - y, y), np.where(np.arange(200) % 9 == 0, 1 - y2, y2)
frame = pyarrow.csv.read_csv("churn.csv")
""",
}
"""Names that a page takes for granted."""
MAKES = re.compile(r"churn\.csv --target \w+( --human-error \S+)?( --budget \S+)?$|run\(frame", re.M)


class Terminal(io.StringIO):
    """A terminal at which somebody types one line."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The files, and churn.wellfit as `wellfit run` leaves it."""
    folder = tmp_path_factory.mktemp("made")
    page_tables.write_all(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WELLFIT_HOME", str(tmp_path_factory.mktemp("registry")))
        # A fixture of the session comes before that of the module, which trains in this process.
        patch.setattr("wellfit.sweeps.worker_pool.WorkerPool", InProcess)
        patch.chdir(folder)
        asked = ["--target", "churned", "--human-error", ".01", "--budget", "300updates"]
        assert main(["run", "churn.csv", *asked, "--quiet"]) == 0
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """An empty folder but for the files."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def _case(page):
    kinds = ("DeprecationWarning", "FutureWarning", "UserWarning") if page.name in NOISY else ()
    marks = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in kinds]
    return pytest.param(page, id=str(page.relative_to(ROOT)), marks=marks)


@pytest.mark.parametrize("page", [_case(page) for page in PAGES])
def test_the_blocks_of_a_page_run(page, request):
    found = blocks.blocks_of(page)
    if not any(block.lang != "text" and not block.skipped for block in found):
        return
    runner = Runner(request, page)
    for block in found:
        runner.take(block)


def test_few_blocks_are_left_out():
    skipped = [(page.name, block.skipped) for page in PAGES for block in blocks.blocks_of(page) if block.skipped]
    assert len(skipped) <= MOST_NOT_RUN, skipped


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_hides_from_the_runner(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^[ \t]+```(python|console)", text, re.M), "fences stand at the margin"
    assert not re.search(r"^~~~", text, re.M), "fences are backticks"
    for fence in blocks.FENCE.finditer(text):
        assert fence["lang"] != "console" or fence["body"].startswith("wellfit ")


@pytest.mark.parametrize(
    ("printed", "expected", "missing"),
    [
        ("a\nb\nc", "a\nb\nc", None),
        ("a\nb\nc", "a\n…", None),
        ("a\nb\nc", "…\nc", None),
        ("a\nb\nc", "a\nc", "c"),
        ("a\nb\nc", "…\nd", "d"),
        ("a\nb", "a", "(nothing more, but there is) b"),
    ],
)
def test_what_a_page_shows_is_compared_line_by_line(printed, expected, missing):
    assert blocks.missing_line(printed, expected) == missing


class Runner:
    """Runs the blocks of one page, one after the other; Python blocks share their names."""

    def __init__(self, request, page):
        self.page = page
        self.folder = request.getfixturevalue("folder")
        self.capsys = request.getfixturevalue("capsys")
        self.patch = request.getfixturevalue("monkeypatch")
        self.printed = ""
        self.module = types.ModuleType("page")
        self.patch.setitem(sys.modules, "page", self.module)
        exec(PRELUDES.get(page.name, ""), self.module.__dict__)
        text = page.read_text(encoding="utf-8")
        if "churn.wellfit" in text and not MAKES.search(text):
            made = request.getfixturevalue("made")
            shutil.copytree(made / "churn.wellfit", self.folder / "churn.wellfit")

    def take(self, block):
        if block.skipped:
            return
        if block.lang == "text":
            missing = blocks.missing_line(self.printed, block.body)
            assert missing is None, f"{self.page.name}:{block.line} shows {missing!r}; printed was\n{self.printed}"
            return
        self.capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            if block.fresh:
                self.start_anew(patch)
            self.run(block)
        self.printed = self.capsys.readouterr().out

    def run(self, block):
        if block.lang == "python":
            self.execute(block)
            return
        for command in block.commands():
            self.type_name(command)
            code = main(command)
            assert code == 0, f"{self.page.name}:{block.line} {command}: {self.capsys.readouterr().err}"

    def start_anew(self, patch):
        own = self.folder / "own"
        own.mkdir()
        for path in self.folder.iterdir():
            if path.is_file():
                shutil.copy(path, own)
        patch.chdir(own)
        patch.setenv("WELLFIT_HOME", str(own / "registry"))

    def execute(self, block):
        # A file of its own: wellfit reads the source of a user's module.
        path = self.folder / f"block_{block.line}.py"
        path.write_text("\n" * (block.line - 1) + block.smaller, encoding="utf-8")
        self.module.__file__ = str(path)
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), self.module.__dict__)

    def type_name(self, command):
        """What `wellfit unseal` asks for."""
        named = [word for word in command if word.endswith(".wellfit")]
        self.patch.setattr(sys, "stdin", Terminal(f"{Path(named[0]).stem}\n" if named else ""))
