"""The site builds without a warning, holds every public name, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wellfit as wf

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|preload|dns-prefetch)\b[^>]*href=["']?(?:https?:)?//[^>]*>"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_page_is_there(site):
    pages = (ROOT / "docs").rglob("*.md")
    assert all((site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file() for page in pages)


@pytest.mark.parametrize("name", wf.__all__)
def test_the_api_page_holds_every_public_name(site, name):
    text = (site / "api.html").read_text(encoding="utf-8")
    assert f'id="wellfit.{name}"' in text


def test_nothing_is_loaded_from_elsewhere(site):
    found = {
        page.name: ELSEWHERE.findall(page.read_text(encoding="utf-8"))
        for page in site.rglob("*.html")
        if ELSEWHERE.search(page.read_text(encoding="utf-8"))
    }
    assert found == {}
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert not any(re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style) for style in styles)


def test_a_font_from_elsewhere_would_be_seen():
    assert ELSEWHERE.search('<link rel="stylesheet" href="https://fonts.googleapis.com/css?family=Roboto">')
    assert ELSEWHERE.search('<script src="//unpkg.com/x.js"></script>')
    assert not ELSEWHERE.search('<a href="https://pypi.org">')
    assert not ELSEWHERE.search('<script src="assets/x.js">')
