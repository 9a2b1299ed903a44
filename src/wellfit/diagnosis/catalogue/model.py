"""WF1xx: bias and variance of the model."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import DIAGNOSE, GAP, MOVER, MOVER_SOURCE, CatalogueEntry, Command, States

_HALVES = (
    "(one-sided, margin the tolerance, Holm over the regions). Because the search and the test use different rows, "
    "pure noise does not look like a region."
)

ENTRIES = (
    CatalogueEntry(
        code="WF101",
        title="high bias",
        topic="bias",
        meaning="The network does not fit its own training set as well as the optimal error shows to be possible: it "
        "underfits.",
        computed=f"Avoidable bias = train error - optimal error. {MOVER} The train error is exact for its rows, but "
        "the optimal error is about all possible rows: the train error must also be high for a sample of so many rows.",
        states=GAP,
        remedy="Work on the training set first: a bigger network, longer training, a better optimizer, another "
        "architecture. More data does not help.",
        caution="The verdict is only as good as the reference. Without one, the optimal error is only known to lie "
        "between 0 and the best dev error, and the verdict is usually 'cannot tell' (WF104). A network that is "
        "regularized has a higher train error on purpose: look at the unregularized one first.",
        commands=(
            Command(
                "wellfit diagnose --train-error .15 --dev-error .16 --human-error .01 --train-rows 50000 "
                "--dev-rows 5000",
                "an example: 14 points of avoidable bias",
            ),
            Command(
                "wellfit run churn.wellfit --only train_longer --budget 5m",
                "train longer, and only that (bigger_network, better_optimizer and architecture work the same way)",
            ),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF102",
        title="high variance",
        topic="variance",
        meaning="The network does worse on rows that it has not seen: it overfits.",
        computed="Variance = train-dev error - train error. Without a train-dev set it is dev - train, which includes "
        f"any mismatch; the text says so. {MOVER}",
        states=GAP,
        remedy="More training data, regularization (lambda, keep_prob), augmentation, another architecture. Expect the "
        "train error to rise: that is the price, dev is the gain.",
        caution="Where dev comes from another distribution than train, part of this gap is mismatch: see WF301 and "
        "WF302. Regularization can gain at most the ceiling that the prescription names.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .11 --human-error 0 --train-rows 50000 --dev-rows 1000",
                "an example: 10 points of variance",
            ),
            Command(
                "wellfit sweep churn.wellfit --over l2,keep_prob --members 16", "lambda and keep_prob side by side"
            ),
            Command("wellfit diagnose churn.wellfit --refits 24", "the gain from more rows instead (WF210)"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF103",
        title="below the reference",
        topic="train error against the reference",
        meaning="Train error is below the reference: the network has memorized, or it is better than the reference.",
        computed="The train error is compared with the lower limit of the optimal error. The avoidable bias is then 0, "
        "never negative.",
        states=States(
            fired="the train error is below the lower limit of the optimal error, by more than chance explains on that "
            "many rows.",
            passed="it is not.",
            unknown="no reference was given.",
        ),
        remedy="If dev is below the reference too, look for a better reference (or for leakage); if only train is, "
        "look at the variance.",
        caution="It is not a fault in itself: a network with enough units can memorize any training set, and a network "
        "may be better than people.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .09 --human-error .05 --train-rows 5000 "
                "--dev-rows 1000",
                "an example: train at 1 %, people at 5 %",
            ),
            DIAGNOSE,
        ),
        source="The definition of avoidable bias; a human error is an upper limit of the optimal error, not a lower "
        "one.",
    ),
    CatalogueEntry(
        code="WF104",
        title="no reference for the optimal error",
        topic="a reference",
        meaning="No reachable error was given, so 'high bias' can only be judged between 0 and the best dev error.",
        computed="wellfit checks whether a human error, an optimal error, or several labels per row were given.",
        states=States(
            fired="no reference of any kind was given.",
            passed="a reference was given; the evidence names it.",
            unknown="never: this is always known.",
        ),
        remedy="Have a person label 100 rows and give --human-error with --human-rows, or give --optimal-error LOW "
        "HIGH.",
        caution="A human error measured on a few rows is itself uncertain: with --human-rows its interval counts in "
        "the verdict.",
        commands=(
            Command(
                "wellfit diagnose --train-error .08 --dev-error .09 --train-rows 5000 --dev-rows 1000",
                "an example: 8 % may be all bias, or none",
            ),
            Command(
                "wellfit diagnose --train-error .08 --dev-error .09 --train-rows 5000 --dev-rows 1000 "
                "--human-error .07 --human-rows 100",
                "the same with the labels of one person on 100 rows",
            ),
            Command(
                "wellfit diagnose predictions.csv --labels-per-row anna,ben,carl",
                "with the labels of three people on every row",
            ),
        ),
        source="Human error as a stand-in for the Bayes error; Wilson's interval for its rows.",
    ),
    CatalogueEntry(
        code="WF105",
        title="training did not finish",
        topic="end of the training",
        meaning="Training diverged or ran out of budget, so the errors are higher than they need be.",
        computed="Read from the status of the training run.",
        states=States(
            fired="the status is anything but 'finished'; stopping early on dev counts too, since it leaves the fit to "
            "the training set unfinished.",
            passed="training made all of its planned updates.",
            unknown="there is no training run to look at: predictions or bare numbers were given.",
        ),
        remedy="If it diverged: lower the learning rate, or look for extreme values. If it ran out of budget: give a "
        "larger budget or fewer epochs.",
        caution="Read WF101 and WF102 again once training finishes: a run that was cut short looks like bias.",
        commands=(
            DIAGNOSE,
            Command("wellfit train churn.wellfit --lr .0003 --epochs 64", "a lower learning rate, more epochs"),
            Command("wellfit run churn.wellfit --budget 10m", "continue with a larger budget"),
        ),
        source="The journal of the experiment.",
    ),
    CatalogueEntry(
        code="WF106",
        title="another method wins",
        topic="other methods",
        meaning="A dummy, a linear model or gradient-boosted trees do better on the same dev rows.",
        computed="The best of the reference models is compared with the network, row by row on dev.",
        states=States(
            fired="the best reference model's dev loss is lower, judged by the lower limit of the paired 95 % interval "
            "of the difference where the rows are known, and otherwise by the losses themselves.",
            passed="it is not surely lower.",
            unknown="no reference model was fit.",
        ),
        remedy="Use that model, or keep it as the bar that the network must pass.",
        caution="'Passed' does not mean that the network is better, only that no other method is surely better.",
        commands=(
            DIAGNOSE,
            Command("wellfit report churn.wellfit", "the page with all methods on the same rows"),
        ),
        source="Paired differences over the same rows.",
    ),
    CatalogueEntry(
        code="WF107",
        title="dev below the optimal error",
        topic="dev error against the reference",
        meaning="The network does better on dev than the optimal error allows: dev rows leak into training, or the "
        "optimal error is that of another target (one annotator's label, while dev has the majority's).",
        computed="The upper limit of the dev error is compared with the lower limit of the optimal error.",
        states=States(
            fired="the upper limit of the dev error is below the lower limit of the optimal error.",
            passed="it is not.",
            unknown="the optimal error has no lower limit. A human error is not one: a network may do better than "
            "people.",
        ),
        remedy="Look at WF203 and WF205 to WF207 first, then ask how the reference was measured.",
        caution="It is an alarm about the measurement, not about the network: do not tune before it is explained.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .02 --optimal-error .05 .08 --train-rows 5000 "
                "--dev-rows 2000",
                "an example: dev at 2 %, while nothing should be below 5 %",
            ),
            DIAGNOSE,
        ),
        source="Wilson's interval of the dev error against an interval of the optimal error.",
    ),
    CatalogueEntry(
        code="WF108",
        title="regions that underfit",
        topic="regions by bias",
        meaning="In some region of the inputs the network does worse, even on its training rows, than another model "
        "does on rows that it never saw.",
        computed="A tree of depth 3 finds the regions on one half of the rows; on the other half, the train loss less "
        f"the best reference model's dev loss inside a region is compared with the same outside {_HALVES}",
        states=States(
            fired="a region's excess over the rest and its own gap are surely above the tolerance; the rule is named.",
            passed="no region's is.",
            unknown="there are no losses by row, no reference model, or fewer than 200 rows of train or of dev.",
        ),
        remedy="Look at rows of the region: perhaps the network is given a column in the wrong form, or the region has "
        "too few rows to matter in the loss. Try a bigger network, or an embedding of that column.",
        caution="A region must have about 1 % of the rows, and at least 32, to be detected at all.",
        commands=(
            DIAGNOSE,
            Command("wellfit train churn.wellfit --widths 128,128", "a bigger network"),
        ),
        source="Regions by a regression tree; honest testing on the other half; Holm's procedure.",
    ),
    CatalogueEntry(
        code="WF109",
        title="regions that overfit",
        topic="regions by variance",
        meaning="In some region of the inputs the gap between dev and train is larger than elsewhere.",
        computed="A tree of depth 3 finds the regions on one half of the rows; on the other half, the dev loss less "
        f"the train loss inside a region is compared with the same outside {_HALVES}",
        states=States(
            fired="a region's excess over the rest and its own gap are surely above the tolerance; the rule is named.",
            passed="no region's is.",
            unknown="there are no losses by row, or fewer than 200 rows of train or of dev.",
        ),
        remedy="More rows of that region first; then more regularization for all.",
        caution="A network can overfit equally everywhere: then WF102 fires and this finding passes.",
        commands=(
            DIAGNOSE,
            Command("wellfit sweep churn.wellfit --over l2,keep_prob --members 16", "more regularization for all"),
        ),
        source="Regions by a regression tree; honest testing on the other half; Holm's procedure.",
    ),
    CatalogueEntry(
        code="WF110",
        title="every row predicted as one class",
        topic="predicted classes",
        meaning="The model tells one class of (nearly) every row. Where that class is frequent the error is low all "
        "the same, and no gap shows that nothing else is told.",
        computed="Over the rows of dev, and of train where they are known: the rows that are predicted as another "
        "class than the commonest prediction, and the share of the rows of other classes that are told from it, with "
        "Wilson's interval.",
        states=States(
            fired="at most 1 % of the rows are predicted as another class, and surely at most 20 % of the rows of "
            "other classes are told apart.",
            passed="more than 1 % of the rows are predicted as another class, or all rows are of one class.",
            unknown="there are too few rows of other classes to be sure, the goal looks at no predicted class, or bare "
            "numbers were given.",
        ),
        remedy="Judge the model by a goal that counts the classes alike: --goal balanced_error, auc or f1. Then weight "
        "the rare class, or move the threshold.",
        caution="Where no row has more than half a chance of the rare class, the rule with the lowest error predicts "
        "one class too: then the error is the wrong goal, and the model need not be at fault.",
        commands=(
            Command("wellfit diagnose predictions.csv --goal balanced_error", "the errors of the classes, all alike"),
            DIAGNOSE,
        ),
        source="Counts; Wilson's interval.",
    ),
    CatalogueEntry(
        code="WF111",
        title="no better than a constant",
        topic="error against a constant",
        meaning="The model does no better than one prediction for every row: the commonest class (the shares of the "
        "classes), the mean or the median. It has learned nothing that this goal measures.",
        computed="The loss of the best constant of the training rows less the model's loss, on dev and, where they are "
        "known, on the training rows: row by row, or against the constant's loss where that of a row depends on the "
        "others (a balanced error or an AUC of a half).",
        states=States(
            fired="the upper limit of the gain is at most a fifth of the constant's loss, the lower one at most 0, and "
            "the train error no lower than four fifths of it: below that the model has learned, and overfits (WF102).",
            passed="the lower limit of the gain on dev is above 0.",
            unknown="neither, or bare numbers were given.",
        ),
        remedy="Look at the training before the network: the learning rate, the scale of the inputs, the order of rows "
        "and targets, outputs that are squashed twice. Of rare classes judge by --goal balanced_error or auc.",
        caution="Of a target that nothing in the columns tells, no model is better than a constant.",
        commands=(
            DIAGNOSE,
            Command("wellfit train churn.wellfit --lr .0003 --epochs 64", "a lower learning rate, more epochs"),
        ),
        source="Paired differences over the same rows; the interval of the goal where its loss is one of all rows.",
    ),
    CatalogueEntry(
        code="WF112",
        title="dev below train",
        topic="dev error against train error",
        meaning="The model does better on rows that it was not trained on. A fit cannot do that: the two errors were "
        "not measured alike, or the rows are not alike.",
        computed="Train error - dev error (and - train-dev error, where there is one), with MOVER's interval. The "
        "train error has the interval of a sample of so many rows; of a loss whose spread on train is not known, that "
        "of dev.",
        states=States(
            fired="the lower limit (95 %, one-sided, Bonferroni over train-dev and dev) is above 0, and the difference "
            "above a quarter of the tolerance.",
            passed="it is not.",
            unknown="no interval could be put on the dev error.",
        ),
        remedy="Measure train again with the network as it is used: no dropout, no augmentation, no penalty in the "
        "loss, after the epoch and not averaged over it. If dev stays better, ask whether its rows are easier, or "
        "copies of training rows (WF203, WF205).",
        caution="Until it is explained, a high bias may be noise in the train error, and a variance may be hidden.",
        commands=(
            Command(
                "wellfit diagnose --train-error .12 --dev-error .08 --human-error .01 --train-rows 20000 "
                "--dev-rows 3000",
                "an example: dev 4 points below train",
            ),
            DIAGNOSE,
        ),
        source=MOVER_SOURCE,
    ),
)
