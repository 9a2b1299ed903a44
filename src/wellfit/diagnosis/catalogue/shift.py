"""WF3xx: train, dev and deployment differ; WF4xx: how far dev and test can be trusted."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import (
    DIAGNOSE,
    GAP,
    MOVER,
    MOVER_SOURCE,
    TV_SOURCE,
    CatalogueEntry,
    Command,
    States,
)

_DEPLOYED = Command(
    "wellfit split churn.csv --target churned --deployment-data phones.csv -o deployed.wellfit",
    "dev and test are drawn from deployment, train and train-dev from the table",
)
_ON_DEPLOYED = Command("wellfit diagnose deployed.wellfit", "diagnose the rows, before anything is trained")
_BOUND = States(
    fired="the lower limit of the bound (95 %, one-sided) is above .10 of total variation.",
    passed="its upper limit is below .10.",
    unknown=".10 lies between the limits (the evidence says how many rows would decide), or a side has fewer than 30 "
    "rows.",
)

ENTRIES = (
    CatalogueEntry(
        code="WF301",
        title="train and dev differ",
        topic="mismatch",
        meaning="Dev is harder than rows of the training distribution that were not trained on: it comes from another "
        "distribution.",
        computed=f"Mismatch = dev error - train-dev error. {MOVER}",
        states=States(GAP.fired, GAP.passed, f"{GAP.unknown} Without a train-dev set it is unknown."),
        remedy="Collect training data that looks like deployment, or weight training rows towards it. Without a "
        "train-dev set: find out where dev comes from, and split again with a sample of deployment data "
        "(--deployment-data) before training.",
        caution="Never make dev more like train to get rid of the mismatch: dev is what matters.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --train-dev-error .02 --dev-error .10 --human-error .01 "
                "--train-rows 50000 --train-dev-rows 5000 --dev-rows 5000",
                "an example: 8 points of mismatch",
            ),
            _DEPLOYED,
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF302",
        title="the inputs of train and dev differ",
        topic="inputs of train and dev",
        meaning="A classifier can tell dev rows from training rows: dev has inputs of a kind that train has few of.",
        computed="Boosted trees are fit on one half of the rows, and their hits are counted on the other. True "
        "positive rate + true negative rate - 1 is at most the total variation between the two, so its lower limit is "
        "a bound. Columns that only count time are left out.",
        states=_BOUND,
        remedy="Read WF303 for the columns. If deployment looks like dev, collect such rows for training or weight "
        "them up.",
        caution="'Passed' means that this classifier sees no material difference; another may. Inputs that differ need "
        "not raise the error: WF301 measures by how much they do.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=f"The classifier two-sample test (Lopez-Paz and Oquab, 2017), read as an effect size. {TV_SOURCE}",
    ),
    CatalogueEntry(
        code="WF303",
        title="columns that shift",
        topic="each column of train and dev",
        meaning="The distribution of some columns differs between dev and train.",
        computed="Numbers: the Kolmogorov-Smirnov distance less its DKW band. Categories: the levels that dev has more "
        "of, chosen on one half and counted on the other. Both bound the total variation of the column, with "
        "Bonferroni's correction over the columns. Columns that only count time (dates, row numbers) are named "
        "separately.",
        states=States(
            fired="a column's lower limit is above .10 of total variation; the evidence says how it differs.",
            passed="no column's upper limit reaches .10.",
            unknown="neither, or a side has fewer than 30 rows.",
        ),
        remedy="Find out whether deployment differs from train as dev does. Collect such rows, or drop a column that "
        "only says when.",
        caution="Columns can shift together although none of them shifts alone: WF302 sees that.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=TV_SOURCE,
    ),
    CatalogueEntry(
        code="WF304",
        title="the targets of train and dev differ",
        topic="targets of train and dev",
        meaning="Classes (or values) are more or less frequent in dev than in train.",
        computed="A bound on the total variation of the targets: the classes that dev has more of, chosen on one half "
        "and counted on the other; for values the Kolmogorov-Smirnov distance less its DKW band.",
        states=_BOUND,
        remedy="If the shares in deployment are those of dev, weight the classes or move the threshold. If not, draw "
        "dev anew.",
        caution="A random split that is stratified on the target cannot make it fire. A split by time or by group can.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=TV_SOURCE,
    ),
    CatalogueEntry(
        code="WF305",
        title="what the mismatch is made of",
        topic="parts of the mismatch",
        meaning="Dev is harder because its inputs are harder (covariate share), or because the same inputs have "
        "another target (concept share).",
        computed="The gap of the losses is split over the inputs that both parts share, weighted by a cross-fitted "
        "domain classifier, with bootstrap intervals.",
        states=States(
            fired="the lower limit of a share is above the tolerance.",
            passed="all upper limits are below the tolerance.",
            unknown="neither; or there is no train-dev set, a part has fewer than 100 rows, or the shared inputs count "
            "as fewer than 50 rows.",
        ),
        remedy="Covariate: more training rows like dev. Concept: a column that says what changed, or newer labels; "
        "more rows of the old kind do not help.",
        caution="The split is only as good as the domain classifier; if a column is missing, its covariate share is "
        "counted as concept.",
        commands=(_DEPLOYED, Command("wellfit train deployed.wellfit", "one network"), _ON_DEPLOYED),
        source="DISDE (Cai, Namkoong and Yadlowsky).",
    ),
    CatalogueEntry(
        code="WF401",
        title="dev set over-used",
        topic="dev error against test error",
        meaning="The test error is above the dev error: by choosing on dev, the choice was fitted to dev.",
        computed=f"Dev overfit = test error - dev error. {MOVER}",
        states=States(GAP.fired, GAP.passed, f"{GAP.unknown} While the test set is sealed it is unknown."),
        remedy="A bigger dev set, drawn anew; then choose again.",
        caution="Once the test set was used to choose, it is a dev set too: that is why the seal opens once.",
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
        topic="number of rows",
        meaning="A verdict is 'cannot tell', and more held-out rows would settle it.",
        computed="The number of rows at which the 95 % interval of the gap would no longer contain the tolerance, if "
        "the values stayed the same.",
        states=States(
            fired="a verdict is 'cannot tell', and some number of rows would settle it.",
            passed="every verdict that more dev rows can settle is settled.",
            unknown="no interval could be put on the dev error: give the number of dev rows (for losses other than the "
            "error rate also the standard deviation of the per-row loss).",
        ),
        remedy="A bigger dev set (train-dev where there is one), or a tolerance that matches what you need to know.",
        caution="The number is a forecast: with other rows the values themselves move too.",
        commands=(
            Command(
                "wellfit diagnose --train-error .05 --dev-error .07 --human-error .04 --train-rows 5000 --dev-rows 300",
                "an example: 300 dev rows are too few to detect 2 points",
            ),
            Command("wellfit size --error .07 --margin .01", "rows for an interval of +-1 point"),
            Command("wellfit size --rows 5000", "a whole plan for a table of 5,000 rows"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF403",
        title="dev set used up",
        topic="choices on the dev set",
        meaning="So many networks were compared on dev that the best looks better there than it is.",
        computed="Rows of dev are drawn with replacement, the best network on them is chosen and measured on the rows "
        "left out: corrected - best is the optimism of the choice. The budget is the number of networks at which it "
        "would reach the tolerance (their shared errors cancel).",
        states=States(
            fired="the optimism is above the tolerance.",
            passed="it is not; the evidence says how many more networks can be compared on these rows.",
            unknown="fewer than two networks were compared, or dev has fewer than 50 rows.",
        ),
        remedy="Believe the corrected score, not the best. Draw a bigger dev set before you try more; the sealed test "
        "set is untouched.",
        caution="The journal counts what wellfit trained. Networks that you compared elsewhere on the same rows count "
        "too, and only you know them.",
        commands=(
            DIAGNOSE,
            Command(
                "wellfit size --detect .01 --candidates 20", "dev rows to tell the best of 20 when it leads by 1 point"
            ),
        ),
        source="Bootstrap bias-corrected selection (BBC; Tsamardinos et al., 2018).",
    ),
)
