"""All that is known about where dev comes from, as findings."""

from __future__ import annotations

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.mismatch.attribution import attribute_gap, attribution_finding
from wellfit.diagnosis.mismatch.bounds import MATERIAL
from wellfit.diagnosis.mismatch.columns import (
    Describe,
    column_finding,
    column_shifts,
    direction,
    label_finding,
    label_shift,
)
from wellfit.diagnosis.mismatch.domain_classifier import domain_finding, domain_shift
from wellfit.diagnosis.rows import Rows


def mismatch_findings(
    train: Rows,
    dev: Rows,
    *,
    tolerance: float,
    train_dev: Rows | None = None,
    levels: tuple[str, ...] = (),
    tau: float = MATERIAL,
    seed: int = 0,
    describe: Describe = direction,
) -> tuple[Finding, ...]:
    """WF302 to WF305.

    Args:
        train: rows that are trained on.
        dev: rows of the distribution that matters.
        tolerance: gap in the loss that does not matter.
        train_dev: rows of the training distribution that were not trained on; without it no loss can be attributed.
        levels: names of the classes.
        tau: total variation that is material.
        seed: of every subsample.
        describe: says how a column differs.
    """
    split = None if train_dev is None else attribute_gap(train_dev, dev, seed=seed)
    return (
        domain_finding(domain_shift(train, dev, tau=tau, seed=seed)),
        column_finding(column_shifts(train, dev, tau=tau, seed=seed, describe=describe)),
        label_finding(label_shift(train, dev, levels=levels, tau=tau, seed=seed)),
        attribution_finding(split, tolerance=tolerance),
    )
