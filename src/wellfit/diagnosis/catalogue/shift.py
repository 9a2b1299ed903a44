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
    "draws dev and test from deployment, and train and train-dev from the table",
)
_ON_DEPLOYED = Command("wellfit diagnose deployed.wellfit", "diagnoses the rows before anything is trained")
_BOUND = States(
    fired="the lower limit (95 %, one-sided) of the total variation is above .10.",
    passed="its upper limit is below .10.",
    unknown=".10 lies between the limits (the evidence gives the number of rows that would decide), or one side has "
    "fewer than 30 rows.",
)

ENTRIES = (
    CatalogueEntry(
        code="WF301",
        title="train and dev differ",
        topic="mismatch",
        meaning="The network does worse on dev than on rows of the training distribution that it was not trained on, "
        "so dev comes from a different distribution.",
        computed=f"Mismatch = dev error - train-dev error. {MOVER}",
        states=States(GAP.fired, GAP.passed, f"{GAP.unknown} Without a train-dev set the mismatch is unknown."),
        remedy="Collect training data that looks like deployment, or weight training rows towards it. If there is no "
        "train-dev set, find out where dev comes from, and split again with a sample of deployment data "
        "(--deployment-data) before training.",
        caution="Never make dev more like train to get rid of the mismatch, because dev is what matters.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --train-dev-error .02 --dev-error .10 --human-error .01 "
                "--train-rows 50000 --train-dev-rows 5000 --dev-rows 5000",
                "shows an example with 8 points of mismatch",
            ),
            _DEPLOYED,
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF302",
        title="the inputs of train and dev differ",
        topic="inputs of train and dev",
        meaning="A classifier can tell dev rows from training rows, so dev has inputs of a kind that is rare in train.",
        computed="Boosted trees are fitted on one half of the rows, and their correct predictions are counted on the "
        "other half. True positive rate + true negative rate - 1 is at most the total variation between train and "
        "dev, so its lower limit is also a lower limit for the total variation. Columns that only count time are left "
        "out.",
        states=_BOUND,
        remedy="WF303 names the columns that differ. If deployment looks like dev, collect such rows for training or "
        "give them more weight.",
        caution="'Passed' means that this classifier finds no material difference; another one may. Inputs that "
        "differ need not raise the error: WF301 measures how much they do.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=f"The classifier two-sample test (Lopez-Paz and Oquab, 2017), read as an effect size. {TV_SOURCE}",
    ),
    CatalogueEntry(
        code="WF303",
        title="columns that differ between train and dev",
        topic="each column of train and dev",
        meaning="Some columns have different distributions in train and in dev.",
        computed="For numbers, the lower limit is the Kolmogorov-Smirnov distance minus its DKW band. For categories, "
        "the levels that are more frequent in dev are chosen on one half of the rows and counted on the other. Both "
        "give limits for the total variation of the column, with Bonferroni's correction over the columns. Columns "
        "that only count time (dates, row numbers) are named separately.",
        states=States(
            fired="the lower limit of a column's total variation is above .10; the evidence says how the column "
            "differs.",
            passed="no column's upper limit reaches .10.",
            unknown="neither holds, or one side has fewer than 30 rows.",
        ),
        remedy="Find out whether deployment differs from train in the same way as dev. Collect such rows, or drop "
        "columns that only depend on the time.",
        caution="Columns can differ jointly although none of them differs alone; WF302 detects this.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=TV_SOURCE,
    ),
    CatalogueEntry(
        code="WF304",
        title="the targets of train and dev differ",
        topic="targets of train and dev",
        meaning="Some classes (or values) are more or less frequent in dev than in train.",
        computed="The total variation of the targets gets a lower limit. For classes, those that are more frequent in "
        "dev are chosen on one half of the rows and counted on the other. For values, the limit is the "
        "Kolmogorov-Smirnov distance minus its DKW band.",
        states=_BOUND,
        remedy="If deployment has the same class shares as dev, weight the classes or move the threshold. If not, "
        "draw a new dev set.",
        caution="A random split that is stratified by the target cannot make this finding fire. A split by time or by "
        "group can.",
        commands=(_DEPLOYED, _ON_DEPLOYED),
        source=TV_SOURCE,
    ),
    CatalogueEntry(
        code="WF305",
        title="causes of the mismatch",
        topic="parts of the mismatch",
        meaning="Dev is harder because its inputs are harder (covariate share), or because the same inputs have a "
        "different target (concept share).",
        computed="A cross-fitted domain classifier gives weights that carry both losses to the inputs that the two "
        "parts share, and this splits the gap between them. The intervals are bootstrap intervals.",
        states=States(
            fired="the lower limit of a share is above the tolerance.",
            passed="all upper limits are below the tolerance.",
            unknown="neither holds, there is no train-dev set, a part has fewer than 100 rows, or the shared inputs "
            "amount to fewer than 50 effective rows.",
        ),
        remedy="For the covariate share, add training rows that are like dev. For the concept share, add a column "
        "that shows what changed, or collect newer labels; more rows of the old kind do not help.",
        caution="The result is only as good as the domain classifier. If a column is missing, its covariate share "
        "counts as concept share.",
        commands=(_DEPLOYED, Command("wellfit train deployed.wellfit", "trains one network"), _ON_DEPLOYED),
        source="DISDE (Cai, Namkoong and Yadlowsky).",
    ),
    CatalogueEntry(
        code="WF401",
        title="dev set over-used",
        topic="dev error against test error",
        meaning="The test error is above the dev error, because the network was chosen on dev and so was fitted to it.",
        computed=f"Dev overfit = test error - dev error. {MOVER}",
        states=States(
            GAP.fired, GAP.passed, f"{GAP.unknown} While the test set is sealed, the dev overfit is unknown."
        ),
        remedy="Draw a new and bigger dev set, and then choose again.",
        caution="Once the test set has been used to choose a network, it has become a dev set. This is why the seal "
        "opens only once.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .03 --test-error .09 --human-error .01 "
                "--train-rows 50000 --dev-rows 2000 --test-rows 2000",
                "shows an example with 6 points of dev overfit",
            ),
            Command("wellfit unseal churn.wellfit --yes", "opens the sealed test set, once"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF402",
        title="too few rows to decide",
        topic="number of rows",
        meaning="A verdict is 'cannot tell', and more held-out rows would decide it.",
        computed="wellfit computes the number of rows at which the 95 % interval of the gap would no longer contain "
        "the tolerance if the values stayed the same.",
        states=States(
            fired="a verdict is 'cannot tell', and some number of rows would decide it.",
            passed="every verdict that more dev rows could decide is already decided.",
            unknown="no interval could be computed for the dev error. Give the number of dev rows and, for losses "
            "other than the error rate, the standard deviation of the loss per row.",
        ),
        remedy="Use a bigger dev set (or a bigger train-dev set, if the evidence names it), or a tolerance that "
        "matches what you need to know.",
        caution="The number is a forecast. With other rows the values themselves will change too.",
        commands=(
            Command(
                "wellfit diagnose --train-error .05 --dev-error .07 --human-error .04 --train-rows 5000 --dev-rows 300",
                "shows an example in which 300 dev rows are too few to detect 2 points",
            ),
            Command("wellfit size --error .07 --margin .01", "gives the number of rows for an interval of +-1 point"),
            Command("wellfit size --rows 5000", "plans the whole split of a table of 5,000 rows"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF403",
        title="dev set used up",
        topic="choices on the dev set",
        meaning="So many networks have been compared on dev that the best one looks better there than it is.",
        computed="Rows of dev are drawn with replacement, the best network on them is chosen, and its error is "
        "measured on the rows left out. This corrected error minus the best dev error is the optimism of the choice. "
        "The evidence also gives the number of networks at which the optimism would reach the tolerance; errors that "
        "all networks share cancel.",
        states=States(
            fired="the optimism is above the tolerance.",
            passed="the optimism is at most the tolerance; the evidence says how many more networks can be compared "
            "on these rows.",
            unknown="fewer than two networks were compared, or dev has fewer than 50 rows.",
        ),
        remedy="Trust the corrected score, not the best one. Draw a bigger dev set before you try more networks. The "
        "sealed test set is not affected.",
        caution="The journal counts only networks that wellfit trained. Networks that you compared elsewhere on the "
        "same rows matter too, but only you know their number.",
        commands=(
            DIAGNOSE,
            Command(
                "wellfit size --detect .01 --candidates 20",
                "gives the number of dev rows that identify the best of 20 if it leads by 1 point",
            ),
        ),
        source="Bootstrap bias-corrected selection (BBC; Tsamardinos et al., 2018).",
    ),
    CatalogueEntry(
        code="WF404",
        title="eyeball ahead of blackbox",
        topic="gains on the rows that were looked at",
        meaning="Since a person began to look at dev rows, the network has improved more on those rows (the eyeball) "
        "than on the others (the blackbox): the changes fit the rows that were looked at.",
        computed="The fall of the loss since the first `wellfit errors` is averaged over the rows of the eyeball and "
        "over those of the blackbox. The eyeball was drawn at random, so the same is done for 1,999 other draws: the "
        "evidence gives the share of them that favour the drawn rows as much. Rows of one group are drawn together.",
        states=States(
            fired="at most 2.5 % of the draws favour the drawn rows as much.",
            passed="more of them do.",
            unknown="no eyeball was drawn, no other network has been chosen since, or one of the two parts has fewer "
            "than 20 rows.",
        ),
        remedy="Trust the error on the blackbox. Draw a new dev set before you look at more rows. The sealed test set "
        "is not affected.",
        caution="Looking at aggregates (confusions, regions) fits dev too, and no part of dev shows that; WF403 counts "
        "the networks that were compared.",
        commands=(
            DIAGNOSE,
            Command("wellfit errors churn.wellfit", "shows the rows to look at, and the error on both parts"),
        ),
        source="Eyeball and blackbox dev sets (Ng 2018, Machine Learning Yearning, chapters 17 and 18); randomization "
        "test (Fisher 1935).",
    ),
)
