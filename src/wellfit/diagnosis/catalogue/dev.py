"""WF4xx: what dev and test can be trusted with."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import VERDICT, CatalogueEntry

ENTRIES = (
    CatalogueEntry(
        "WF401",
        "dev set over-used",
        "The test error is above the dev error: choosing on dev has fitted dev.",
        f"Dev overfit = test error - dev error. {VERDICT} Not applicable while the test set is sealed.",
        "A bigger dev set, drawn anew; then choose again.",
    ),
    CatalogueEntry(
        "WF402",
        "too few rows to decide",
        "A verdict is 'cannot tell' and more held-out rows would decide it.",
        "The rows at which the 95 % interval of the gap, point values held, would leave the tolerance.",
        "A bigger dev set (train-dev where there is one), or a tolerance that matches what you need to know.",
    ),
    CatalogueEntry(
        "WF403",
        "dev set used up",
        "So many networks were compared on dev that the best looks better there than it is.",
        "Rows of dev are drawn with replacement, the best network on them is chosen and measured on the rows left out "
        "(BBC, Tsamardinos et al. 2018): corrected - best is the optimism of the choice. Fired when it is above the "
        "tolerance. The budget is the number of networks at which it would be (their shared errors cancel).",
        "Believe the corrected score, not the best. Draw a bigger dev set before you try more; the sealed test set is "
        "untouched.",
    ),
)
