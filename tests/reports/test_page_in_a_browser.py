"""The page in a browser: accessible by axe-core, nothing beyond its width, few printed pages.

Chromium and npm (for axe-core) must be there; `WELLFIT_CHROMIUM` names another browser. The page forbids scripts:
axe is put into a copy without that policy, in a frame of the width of a phone or of a screen.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from report_cases import CASES, summarize

from wellfit.reports.html import render_html

AXE = "axe-core@4.14.1"
CHROMIUM = os.environ.get("WELLFIT_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
MOST_PAGES = 5
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
NAMES = (
    "split only",
    "diagnosed",
    "finished",
    "regression",
    "with effects",
    "unsealed",
    "unknown reference",
    "hostile",
)
SCREENS = {"wide": (1280, "1"), "wide and dark": (1280, "0"), "phone": (390, "1"), "phone and dark": (390, "0")}
"""Width in pixels, and Chromium's number of the colour scheme."""

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here, from which axe-core comes")
    folder = tmp_path_factory.mktemp("axe")
    packed = subprocess.run(["npm", "pack", AXE], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip(f"npm pack {AXE} did not work: {packed.stderr[-200:]}")
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        member = archive.extractfile("package/axe.min.js")
        return member.read().decode()


def chromium(*options, page):
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", profile, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


def examined(name, axe, *, unfold, width, scheme, folder):
    """What axe finds, the part of the page beyond its width, and whether the page was dark."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render_html(summarize(CASES[name])))
    page = page.replace("<details", "<details open") if unfold else page
    tell = (
        f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then(found => {{"
        "const said = {violations: found.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))]),"
        " beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,"
        " dark: matchMedia('(prefers-color-scheme: dark)').matches};"
        "parent.document.getElementById('said').textContent = JSON.stringify(said)})"
    )
    scripts = "".join(f"<script>{each.replace('</script>', '')}</script>" for each in (axe, tell))
    inside = html.escape(page.replace("</body>", f"{scripts}</body>"))
    outer = folder / "outer.html"
    outer.write_text(f'<pre id="said"></pre><iframe width={width} height=3000 srcdoc="{inside}"></iframe>', "utf-8")
    options = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1400,3100")
    shown = chromium("--virtual-time-budget=60000", "--dump-dom", *options, page=outer)
    return json.loads(html.unescape(re.search(r'<pre id="said">(.*?)</pre>', shown, re.DOTALL)[1]))


@pytest.mark.parametrize("unfold", [False, True], ids=["folded", "unfolded"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", NAMES)
def test_everybody_can_use_the_page(name, screen, unfold, axe, tmp_path):
    width, scheme = SCREENS[screen]
    found = examined(name, axe, unfold=unfold, width=width, scheme=scheme, folder=tmp_path)
    assert found == {"violations": [], "beyond": 0, "dark": "dark" in screen}


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_printed_on_few_sheets(name, tmp_path):
    page, sheet = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(render_html(summarize(CASES[name])), encoding="utf-8")
    chromium(f"--print-to-pdf={sheet}", "--no-pdf-header-footer", page=page)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", sheet.read_bytes())) <= MOST_PAGES
