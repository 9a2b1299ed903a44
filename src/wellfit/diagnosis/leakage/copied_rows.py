"""Which training rows have a copy in dev, and which dev rows have one in train, where findings on the data say so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wellfit.data.prepare import Copies
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.duplicates import among, keys_of
from wellfit.diagnosis.leakage.near_duplicates import near_duplicates
from wellfit.diagnosis.rows import Rows

EXACT, NEAR = "WF203", "WF205"


def copied_rows(train: Rows, dev: Rows, *, findings: Iterable[Finding], seed: int = 0) -> Copies | None:
    """Find both ends of the copies.

    Args:
        train: rows that are trained on.
        dev: rows that are measured on.
        findings: on these rows: exact copies are looked for where WF203 fired, near ones where WF205 did.
        seed: of the search for near copies, as in the finding.

    Returns:
        None where no finding fired, or no row of dev has a copy (those of test are sealed).
    """
    fired = {found.code for found in findings if found.status == "fired"}
    of_train, of_dev = np.zeros(train.rows, dtype=bool), np.zeros(dev.rows, dtype=bool)
    if EXACT in fired:
        keys = keys_of(train.features), keys_of(dev.features)
        of_train |= among(keys[0], np.unique(keys[1]))
        of_dev |= among(keys[1], np.unique(keys[0]))
    if NEAR in fired and (found := near_duplicates(train, dev, seed=seed)) is not None:
        of_train[list(found.twins)] = True
        of_dev[list(found.suspects)] = True
    return Copies(of_train, of_dev) if of_dev.any() else None
