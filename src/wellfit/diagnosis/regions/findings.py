"""WF108 and WF109: in which regions a network under-fits, and in which it over-fits."""

from __future__ import annotations

from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.regions.find import FEWEST_ROWS, Region, find_regions
from wellfit.diagnosis.rows import Rows
from wellfit.diagnosis.words import gap_text
from wellfit.goals import Goal

_NAMED_AT_MOST = 3


def region_findings(
    train: Rows, dev: Rows, *, goal: Goal, tolerance: float, rival: Rows | None = None, seed: int = 0
) -> tuple[Finding, Finding]:
    """WF108 and WF109 of a network.

    Where a network under-fits cannot be read off its train loss alone: classes may overlap more in one region than in
    another. Another model's loss on dev rows of the region is an upper limit for what is reachable there.

    Args:
        train: rows that it was trained on, with its losses.
        dev: rows that it was not trained on, with its losses.
        goal: of the losses.
        tolerance: excess that does not matter.
        rival: dev rows with the losses of the best reference model, None without any.
        seed: of the halves.
    """
    under = None if rival is None else find_regions(train, rival, tolerance=tolerance, seed=seed)
    over = find_regions(dev, train, tolerance=tolerance, seed=seed)
    return (
        _of_regions("WF108", under, goal=goal, said="train is above what a reference model reaches on dev"),
        _of_regions("WF109", over, goal=goal, said="dev is above train"),
    )


def _of_regions(code: str, regions: tuple[Region, ...] | None, *, goal: Goal, said: str) -> Finding:
    if regions is None:
        why = f"This needs losses by row and {FEWEST_ROWS} rows of train and of dev (and a reference model for WF108)."
        return finding(code, fired=None, evidence=why)
    certain = [region for region in regions if region.certain]
    if not certain:
        return finding(code, fired=False, evidence="No region differs from the rest by more than the tolerance.")
    told = "; ".join(
        f"{region.rule} ({100 * region.share:.0f} % of the rows): {said} by {gap_text(goal, region.gap)}, elsewhere by "
        f"{gap_text(goal, region.elsewhere)}"
        for region in certain[:_NAMED_AT_MOST]
    )
    return finding(code, fired=True, evidence=f"{told}.")
