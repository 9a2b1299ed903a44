"""WF4xx: what dev and test can be trusted with."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import DIAGNOSE, GAP, MOVER, MOVER_SOURCE, CatalogueEntry, Command, States

ENTRIES = (
    CatalogueEntry(
        code="WF401",
        title="dev set over-used",
        meaning="The test error is above the dev error: choosing on dev has fitted dev.",
        computed=f"Dev overfit = test error - dev error. {MOVER}",
        states=States(GAP.fired, GAP.passed, f"{GAP.unknown} While the test set is sealed it is unknown."),
        remedy="A bigger dev set, drawn anew; then choose again.",
        caution="Once test was looked at to choose, it is a dev set too: that is why the seal opens once.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .03 --test-error .09 --human-error .01 "
                "--train-rows 50000 --dev-rows 2000 --test-rows 2000",
                "an example: 6 points of dev overfit",
            ),
            Command("wellfit unseal churn.wellfit --yes", "open the sealed test set, once"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF402",
        title="too few rows to decide",
        meaning="A verdict is 'cannot tell' and more held-out rows would decide it.",
        computed="The rows at which the 95 % interval of the gap, point values held, would leave the tolerance.",
        states=States(
            fired="a verdict is 'cannot tell', and a number of rows would decide it.",
            passed="every verdict that dev rows can decide is decided.",
            unknown="no interval could be put on the dev error: give the number of dev rows (for losses other than the "
            "error rate also the standard deviation of the per-row loss).",
        ),
        remedy="A bigger dev set (train-dev where there is one), or a tolerance that matches what you need to know.",
        caution="The number is a forecast: with other rows the point values move too.",
        commands=(
            Command(
                "wellfit diagnose --train-error .05 --dev-error .07 --human-error .04 --train-rows 5000 --dev-rows 300",
                "an example: 300 dev rows do not tell 2 points",
            ),
            Command("wellfit size --error .07 --margin .01", "rows for an interval of +-1 point"),
            Command("wellfit size --rows 5000", "a whole plan for a table of 5,000 rows"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF403",
        title="dev set used up",
        meaning="So many networks were compared on dev that the best looks better there than it is.",
        computed="Rows of dev are drawn with replacement, the best network on them is chosen and measured on the rows "
        "left out: corrected - best is the optimism of the choice. The budget is the number of networks at which it "
        "would reach the tolerance (their shared errors cancel).",
        states=States(
            fired="the optimism is above the tolerance.",
            passed="it is not; the evidence says how many more networks these rows carry.",
            unknown="fewer than two networks were compared, or dev has fewer than 50 rows.",
        ),
        remedy="Believe the corrected score, not the best. Draw a bigger dev set before you try more; the sealed test "
        "set is untouched.",
        caution="The journal counts what wellfit trained. Networks that you compared elsewhere on the same rows count "
        "too, and only you know them.",
        commands=(
            DIAGNOSE,
            Command("wellfit size --detect .01 --candidates 20", "dev rows to tell the best of 20 by 1 point"),
        ),
        source="Bootstrap bias-corrected selection (BBC; Tsamardinos et al., 2018).",
    ),
)
