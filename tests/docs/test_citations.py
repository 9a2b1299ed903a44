"""Pages that the code cites: each exists, and so does the section or the promise that is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "benchmarks", "scripts")
NOTES = re.compile(r'(?<![\w/."])(?:methods|design|training|ux|architecture)\.md')
"""A page without its folder: whoever reads the code cannot find it."""
CITED = re.compile(r'docs/([\w/-]+\.md)(?:,\s+"([^"]+)"|,\s+promise (\d))?')


def _texts():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != Path(__file__):
                # A citation may go on in the next line of a comment or of a docstring.
                yield path.relative_to(ROOT), re.sub(r"\n\s*#? *", " ", path.read_text(encoding="utf-8"))


CITATIONS = sorted({(str(path), *found.groups()) for path, text in _texts() for found in CITED.finditer(text)}, key=str)


def test_there_are_citations():
    assert len(CITATIONS) > 20


@pytest.mark.parametrize(("path", "page", "section", "promise"), CITATIONS)
def test_a_cited_page_has_the_section(path, page, section, promise):
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    if section is not None:
        assert section in headings, f'{path} cites "{section}"'
    if promise is not None:
        assert any(heading.startswith(f"{promise}. ") for heading in headings), f"{path} cites promise {promise}"


def test_no_page_is_cited_without_its_folder():
    assert {str(path): found for path, text in _texts() if (found := NOTES.findall(text))} == {}


def test_the_places_that_need_each_dependency_exist():
    """Comments of pyproject.toml name them: `filelock` is for journal/ and splits/registry.py."""
    comments = re.findall(r"# (.+)$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    places = {place for comment in comments for place in re.findall(r"[\w/]+(?:/|\.py)(?=[,: ]|$)", comment)}
    assert len(places) > 10
    assert {
        place for place in places if not any((root / place).exists() for root in (ROOT, ROOT / "src/wellfit"))
    } == set()
