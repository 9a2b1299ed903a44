"""The diagnosis of an experiment as JUnit XML, which continuous integration shows as tests: gaps and findings.

The elements are those of the JUnit 10 schema of Jenkins' xunit plugin: testsuite, testcase, failure, skipped.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from wellfit.reports.records import Diagnosed, Summary
from wellfit.reports.redact import redacted
from wellfit.reports.sentences import gap_interval, gap_text
from wellfit.reports.verdict import told

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STATUS = {"yes": "failure", "cannot tell": "skipped", "fired": "failure", "not applicable": "skipped"}
"""The element of a verdict or a finding; a test without one has passed."""


def render_junit(summary: Summary, *, redact: bool = False) -> str:
    """Return XML with a test for each gap and each finding: failed if it is too large or fired, skipped if unknown."""
    it = told(redacted(summary) if redact else summary)
    suite = Xml.Element("testsuite", name=_text(f"wellfit: {it.title}"))
    if it.after is not None:
        _gaps(suite, it, it.after)
    for found in it.findings:
        _test(suite, f"{found.code} {found.title}", kind="findings", status=found.status, says=found.evidence)
        if found.status == "fired":
            suite[-1][0].text = _text(found.remedy)
    counts = {name: sum(test.find(name) is not None for test in suite) for name in ("failure", "skipped")}
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failure"]))
    suite.set("skipped", str(counts["skipped"]))
    suite.set("errors", "0")
    Xml.indent(suite)
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _gaps(suite: Xml.Element, it: Summary, after: Diagnosed) -> None:
    for gap in after.gaps:
        says = f"{gap_text(it.unit, after, gap)} ({gap_interval(it.unit, after, gap)})"
        _test(suite, gap.kind.noun, kind="gaps", status=gap.verdict, says=says)


def _test(suite: Xml.Element, name: str, *, kind: str, status: str, says: str) -> None:
    test = Xml.SubElement(suite, "testcase", classname=f"wellfit.{kind}", name=_text(name))
    if element := _STATUS.get(status):
        Xml.SubElement(test, element, message=_text(says))


def _text(words: str) -> str:
    """Return words without the characters that XML forbids."""
    return _NOT_XML.sub("", words)
