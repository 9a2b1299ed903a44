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
        meaning="The network underfits: its error on its own training set is well above the optimal error.",
        computed=f"Avoidable bias = train error - optimal error. {MOVER} The train error is exact for its rows, but "
        "the optimal error refers to all possible rows. The train error must therefore also be high when it is "
        "treated as that of a sample.",
        states=GAP,
        remedy="Improve the fit to the training set first: try a bigger network, longer training, a better optimizer "
        "or another architecture. More data does not help.",
        caution="The verdict is only as good as the reference. Without a reference, the optimal error is only known "
        "to lie between 0 and the best dev error, and the verdict is usually 'cannot tell' (WF104). A regularized "
        "network has a higher train error on purpose, so look at the unregularized one first.",
        commands=(
            Command(
                "wellfit diagnose --train-error .15 --dev-error .16 --human-error .01 --train-rows 50000 "
                "--dev-rows 5000",
                "shows an example with 14 points of avoidable bias",
            ),
            Command(
                "wellfit run churn.wellfit --only train_longer --budget 5m",
                "only trains longer (bigger_network, better_optimizer and architecture work in the same way)",
            ),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF102",
        title="high variance",
        topic="variance",
        meaning="The network overfits: it does worse on rows that it was not trained on.",
        computed="Variance = train-dev error - train error. Without a train-dev set it is dev error - train error, "
        f"which includes any mismatch; the output says so. {MOVER}",
        states=GAP,
        remedy="Try more training data, regularization (lambda, keep_prob), augmentation or another architecture. "
        "Expect the train error to rise while the dev error falls.",
        caution="If dev comes from a different distribution than train, part of this gap is mismatch: see WF301 and "
        "WF302. Regularization can gain at most the ceiling that the prescription names.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .11 --human-error 0 --train-rows 50000 --dev-rows 1000",
                "shows an example with 10 points of variance",
            ),
            Command(
                "wellfit sweep churn.wellfit --over l2,keep_prob --members 16",
                "trains combinations of lambda and keep_prob side by side",
            ),
            Command("wellfit diagnose churn.wellfit --refits 24", "measures the gain from more rows instead (WF210)"),
        ),
        source=MOVER_SOURCE,
    ),
    CatalogueEntry(
        code="WF103",
        title="below the reference",
        topic="train error against the reference",
        meaning="The train error is below the reference. Either the network has memorized training rows, or it is "
        "better than the reference.",
        computed="The train error is compared with the lower limit of the optimal error. If the train error is lower, "
        "the avoidable bias is 0; it is never negative.",
        states=States(
            fired="the train error is below the lower limit of the optimal error by more than chance can explain for "
            "this number of rows.",
            passed="the train error is not below that limit, or only by as much as chance can explain.",
            unknown="no reference was given.",
        ),
        remedy="If dev is below the reference too, look for a better reference (or for leakage). If only train is "
        "below it, look at the variance.",
        caution="This is not a fault in itself. A network with enough units can memorize any training set, and a "
        "network may be better than people.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .09 --human-error .05 --train-rows 5000 "
                "--dev-rows 1000",
                "shows an example with a train error of 1 % and a human error of 5 %",
            ),
            DIAGNOSE,
        ),
        source="The definition of avoidable bias; a human error is an upper limit on the optimal error, not a lower "
        "one.",
    ),
    CatalogueEntry(
        code="WF104",
        title="no reference for the optimal error",
        topic="a reference",
        meaning="No reference was given, so the optimal error is only known to lie between 0 and the best dev error, "
        "and 'high bias' can hardly be judged.",
        computed="wellfit checks whether a human error, an optimal error, or several labels per row were given.",
        states=States(
            fired="no reference of any kind was given.",
            passed="a reference was given; the evidence names it.",
            unknown="never, because this is always known.",
        ),
        remedy="Have a person label 100 rows and give --human-error with --human-rows, or give --optimal-error LOW "
        "HIGH.",
        caution="A human error measured on a few rows is itself uncertain. If --human-rows is given, the verdict "
        "takes its interval into account.",
        commands=(
            Command(
                "wellfit diagnose --train-error .08 --dev-error .09 --train-rows 5000 --dev-rows 1000",
                "shows an example in which the 8 % of train error may be all bias, or none",
            ),
            Command(
                "wellfit diagnose --train-error .08 --dev-error .09 --train-rows 5000 --dev-rows 1000 "
                "--human-error .07 --human-rows 100",
                "shows the same example with the error of one person on 100 rows",
            ),
            Command(
                "wellfit diagnose predictions.csv --labels-per-row anna,ben,carl",
                "diagnoses with the labels of three people for every row",
            ),
        ),
        source="Human error in place of the Bayes error; Wilson's interval for its rows.",
    ),
    CatalogueEntry(
        code="WF105",
        title="training did not finish",
        topic="completion of training",
        meaning="Training diverged or ran out of budget, so the errors are higher than necessary.",
        computed="The status of the training run is read.",
        states=States(
            fired="the status is not 'finished'. Early stopping on dev counts too, since it leaves the fit to the "
            "training set unfinished.",
            passed="training made all planned updates.",
            unknown="there is no training run to look at: predictions or bare numbers were given.",
        ),
        remedy="If training diverged, lower the learning rate or look for extreme values. If it ran out of budget, "
        "give a larger budget or fewer epochs.",
        caution="Read WF101 and WF102 again once training has finished, because a run that was cut short looks like "
        "bias.",
        commands=(
            DIAGNOSE,
            Command(
                "wellfit train churn.wellfit --lr .0003 --epochs 64",
                "trains with a lower learning rate and more epochs",
            ),
            Command("wellfit run churn.wellfit --budget 10m", "continues with a larger budget"),
        ),
        source="The journal of the experiment.",
    ),
    CatalogueEntry(
        code="WF106",
        title="another method is better",
        topic="other methods",
        meaning="A constant prediction, a linear model or gradient-boosted trees do better than the network on the "
        "same dev rows.",
        computed="The best of the reference models is compared with the network, row by row on dev.",
        states=States(
            fired="the best reference model's dev loss is lower, judged by the lower limit of the paired 95 % interval "
            "of the difference where the rows are known, and otherwise by the losses themselves.",
            passed="no reference model's dev loss is significantly lower.",
            unknown="no reference model was fitted.",
        ),
        remedy="Use that model, or keep it as the baseline that the network must beat.",
        caution="'Passed' does not mean that the network is better, only that no other method is significantly better.",
        commands=(
            DIAGNOSE,
            Command("wellfit report churn.wellfit", "writes the page that compares all methods on the same rows"),
        ),
        source="Paired differences over the same rows.",
    ),
    CatalogueEntry(
        code="WF107",
        title="dev error below the optimal error",
        topic="dev error against the reference",
        meaning="The network does better on dev than the optimal error allows. Either dev rows leak into training, or "
        "the optimal error belongs to a different target (such as the label of one annotator, while dev has the label "
        "of the majority).",
        computed="The upper limit of the dev error is compared with the lower limit of the optimal error.",
        states=States(
            fired="the upper limit of the dev error is below the lower limit of the optimal error.",
            passed="the upper limit of the dev error is at or above that limit.",
            unknown="the optimal error has no lower limit. A human error is not a lower limit, because a network may "
            "do better than people.",
        ),
        remedy="Look at WF203 and WF205 to WF207 first. Then check how the reference was measured.",
        caution="The problem lies in the measurement, not in the network. Do not tune the network until it is "
        "explained.",
        commands=(
            Command(
                "wellfit diagnose --train-error .01 --dev-error .02 --optimal-error .05 .08 --train-rows 5000 "
                "--dev-rows 2000",
                "shows an example with a dev error of 2 %, although no error should be below 5 %",
            ),
            DIAGNOSE,
        ),
        source="Wilson's interval for the dev error, compared with an interval for the optimal error.",
    ),
    CatalogueEntry(
        code="WF108",
        title="regions that underfit",
        topic="regions by bias",
        meaning="In some region of the inputs the network does worse on its own training rows than another model does "
        "on rows that it was not trained on.",
        computed="A tree of depth 3 finds the regions on one half of the rows; on the other half, the train loss "
        "minus the best reference model's dev loss inside a region is compared with the same difference outside "
        f"{_HALVES}",
        states=States(
            fired="both a region's own gap and its excess over the rest are significantly above the tolerance; the "
            "evidence names the region.",
            passed="no region has such a gap and excess.",
            unknown="there are no losses per row, there is no reference model, or train or dev has fewer than 200 "
            "rows.",
        ),
        remedy="Look at rows of the region. Perhaps the network receives a column in the wrong form, or the region "
        "has too few rows to matter in the loss. Try a bigger network, or an embedding of that column.",
        caution="A region can be detected only if it holds at least about 1 % of the rows, and no fewer than 32.",
        commands=(
            DIAGNOSE,
            Command("wellfit train churn.wellfit --widths 128,128", "trains a bigger network"),
        ),
        source="Regions found by a regression tree and tested on the other half of the rows; Holm's procedure.",
    ),
    CatalogueEntry(
        code="WF109",
        title="regions that overfit",
        topic="regions by variance",
        meaning="In some region of the inputs the gap between dev and train is larger than elsewhere.",
        computed="A tree of depth 3 finds the regions on one half of the rows; on the other half, the dev loss minus "
        f"the train loss inside a region is compared with the same difference outside {_HALVES}",
        states=States(
            fired="both a region's own gap and its excess over the rest are significantly above the tolerance; the "
            "evidence names the region.",
            passed="no region has such a gap and excess.",
            unknown="there are no losses per row, or train or dev has fewer than 200 rows.",
        ),
        remedy="First collect more rows of that region. Then regularize the network more.",
        caution="A network may overfit equally everywhere. Then WF102 fires and this finding passes.",
        commands=(
            DIAGNOSE,
            Command("wellfit sweep churn.wellfit --over l2,keep_prob --members 16", "tries more regularization"),
        ),
        source="Regions found by a regression tree and tested on the other half of the rows; Holm's procedure.",
    ),
    CatalogueEntry(
        code="WF110",
        title="every row predicted as one class",
        topic="predicted classes",
        meaning="The model predicts the same class for (nearly) every row. If that class is frequent, the error is "
        "low all the same, and no gap shows that the model never predicts any other class.",
        computed="In dev, and in train if its predictions are known, wellfit counts the rows that are predicted as a "
        "class other than the commonest prediction. Among the rows that belong to other classes it measures the share "
        "that is predicted as one of them, with Wilson's interval.",
        states=States(
            fired="at most 1 % of the rows are predicted as another class, and at most 20 % of the rows of other "
            "classes are recognized, judged by the upper limit.",
            passed="more than 1 % of the rows are predicted as another class, or all rows belong to one class.",
            unknown="there are too few rows of other classes to be sure, the goal does not use predicted classes, or "
            "bare numbers were given.",
        ),
        remedy="Judge the model by a goal that counts all classes equally: --goal balanced_error, auc or f1. Then "
        "weight the rare class, or move the threshold.",
        caution="If the rare class has a probability below one half in every row, even the rule with the lowest error "
        "predicts one class. Then the error is the wrong goal, and the model need not be at fault.",
        commands=(
            Command(
                "wellfit diagnose predictions.csv --goal balanced_error", "counts the errors of all classes equally"
            ),
            DIAGNOSE,
        ),
        source="Counts; Wilson's interval.",
    ),
    CatalogueEntry(
        code="WF111",
        title="no better than a constant",
        topic="error against a constant",
        meaning="The model does no better than the same prediction for every row: the commonest class (or the shares "
        "of the classes), the mean or the median. It has learned nothing that this goal measures.",
        computed="The model's loss is subtracted from the loss of the best constant for the training rows, on dev "
        "and, if they are known, on the training rows. The losses are compared row by row. If the loss of a row "
        "depends on the other rows, the model is compared with the known loss of a constant (a balanced error or an "
        "AUC of one half).",
        states=States(
            fired="the upper limit of the gain is at most a fifth of the constant's loss, its lower limit is at most "
            "0, and the train error is at least four fifths of the constant's loss. With a lower train error the "
            "model has learned something, and overfits (WF102).",
            passed="the lower limit of the gain on dev is above 0.",
            unknown="neither holds, or bare numbers were given.",
        ),
        remedy="Check the training before the network: the learning rate, the scale of the inputs, whether rows and "
        "targets are in the same order, and outputs that pass through two sigmoids or softmaxes. If classes are rare, "
        "judge by --goal balanced_error or auc.",
        caution="If the columns contain no information about the target, no model is better than a constant.",
        commands=(
            DIAGNOSE,
            Command(
                "wellfit train churn.wellfit --lr .0003 --epochs 64",
                "trains with a lower learning rate and more epochs",
            ),
        ),
        source="Paired differences over the same rows; the interval of the goal itself if its loss is defined only "
        "for all rows together.",
    ),
    CatalogueEntry(
        code="WF112",
        title="dev error below train error",
        topic="dev error against train error",
        meaning="The model does better on rows that it was not trained on. A fit alone cannot cause that: the two "
        "errors were measured differently, or the rows are different.",
        computed="wellfit computes train error - dev error (and train error - train-dev error, if there is one), with "
        "MOVER's interval. The train error is treated as that of a sample. If the spread of the losses on train is "
        "not known, that of dev is used.",
        states=States(
            fired="the lower limit (95 %, one-sided, Bonferroni over train-dev and dev) is above 0, and the "
            "difference is above a quarter of the tolerance.",
            passed="the lower limit is at most 0, or the difference is small.",
            unknown="no interval could be computed for the dev error.",
        ),
        remedy="Measure the train error again with the network as it will be used: without dropout, augmentation or a "
        "penalty in the loss, and at the end of the epoch instead of averaged over it. If dev is still better, check "
        "whether its rows are easier, or are copies of training rows (WF203, WF205).",
        caution="Until this is explained, an apparent bias may be noise in the train error, and variance may be "
        "hidden.",
        commands=(
            Command(
                "wellfit diagnose --train-error .12 --dev-error .08 --human-error .01 --train-rows 20000 "
                "--dev-rows 3000",
                "shows an example with a dev error 4 points below the train error",
            ),
            DIAGNOSE,
        ),
        source=MOVER_SOURCE,
    ),
)
