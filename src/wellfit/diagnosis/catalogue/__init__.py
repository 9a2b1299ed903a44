"""The catalogue of findings: for each code its meaning, its computation and its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from wellfit.diagnosis.catalogue import data, dev, model, shift
from wellfit.diagnosis.catalogue.entry import CatalogueEntry
from wellfit.exceptions import BadInput

CATALOGUE: Mapping[str, CatalogueEntry] = {
    entry.code: entry for entries in (model.ENTRIES, data.ENTRIES, shift.ENTRIES, dev.ENTRIES) for entry in entries
}


def entry_of(code: str) -> CatalogueEntry:
    """The entry of a code, in any case.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    found = CATALOGUE.get(code.strip().upper())
    if found is not None:
        return found
    nearest = difflib.get_close_matches(code.strip().upper(), CATALOGUE, n=1, cutoff=0.0)[0]
    raise BadInput(
        "a finding has a code such as WF102",
        found=repr(code),
        remedy=f"Did you mean {nearest}? Known codes: {', '.join(CATALOGUE)}",
    )


def explain(code: str) -> str:
    """Explain a finding: its meaning, its computation, and what to do.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    return str(entry_of(code))
