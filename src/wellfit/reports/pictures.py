"""The sheet of training pictures and their random changes, as the page shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wellfit._typing import Json
from wellfit.reports import values
from wellfit.reports.units import knob

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class PictureSheet:
    """One PNG in base64, what its rows are labelled, how many changes follow each picture, and their ranges.

    `worth` says in a sentence how many more pictures would do as much; it is empty where nobody measured that.
    """

    png: str
    labels: tuple[str, ...]
    changes: int
    ranges: tuple[tuple[str, str], ...]
    worth: str = ""


def picture_sheet(body: Json, *, curve: Json) -> PictureSheet | None:
    """Read the journal's entry, and the last learning curve for its worth; None where there is no picture in it."""
    png = values.text(body.get("png"))
    if not _BASE64.fullmatch(png):
        return None
    ranges = ((name.replace("_", " "), values.number(value)) for name, value in values.section(body, "ranges").items())
    return PictureSheet(
        png=png,
        labels=tuple(map(values.text, values.items(body, "labels"))),
        changes=values.count(body.get("changes")) or 0,
        ranges=tuple((name, knob(found)) for name, found in ranges if found is not None),
        worth=values.text(values.section(curve, "worth").get("sentence")),
    )
