"""WF1xx: bias and variance of the model."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import VERDICT, CatalogueEntry

ENTRIES = (
    CatalogueEntry(
        "WF101",
        "high bias",
        "The network does not fit its own training set as well as the optimal error says is possible: it under-fits.",
        f"Avoidable bias = train error - optimal error. {VERDICT}",
        "Work on the training set first: a bigger network, longer training, a better optimizer, another architecture. "
        "More data does not help.",
    ),
    CatalogueEntry(
        "WF102",
        "high variance",
        "The network does worse on rows that it has not seen: it over-fits.",
        f"Variance = train-dev error - train error (dev - train, mismatch included, without a train-dev set). "
        f"{VERDICT}",
        "More training data, regularization (lambda, keep_prob), augmentation, another architecture. Expect the train "
        "error to rise: that is the price, dev is the gain.",
    ),
    CatalogueEntry(
        "WF103",
        "below the reference",
        "Train error is below the reference: the network has memorized, or it is better than the reference.",
        "Fired when the train error is below the lower limit of the optimal error. The avoidable bias is then 0, never "
        "negative.",
        "If dev is below the reference too, look for a better reference (or for leakage); if only train is, read the "
        "variance.",
    ),
    CatalogueEntry(
        "WF104",
        "no reference for the optimal error",
        "Nobody said which error is reachable, so 'high bias' can only be judged between 0 and the best dev error.",
        "Fired when neither a human error nor an optimal error was given.",
        "Have a person label 100 rows and give --human-error with --human-rows, or give --optimal-error LOW HIGH.",
    ),
    CatalogueEntry(
        "WF105",
        "training did not finish",
        "The training diverged or ran out of budget, so its errors are higher than they need be.",
        "Read from the status of the training.",
        "Diverged: a lower learning rate, or look for extreme values. Out of budget: a larger budget or fewer epochs.",
    ),
    CatalogueEntry(
        "WF106",
        "another method wins",
        "A dummy, a linear model or gradient-boosted trees do better on the same dev rows.",
        "Fired when a reference model's dev loss is lower: by the lower limit of the paired 95 % interval of the "
        "difference where the rows are known, otherwise by the value.",
        "Use that model, or keep it as the bar that the network must pass.",
    ),
    CatalogueEntry(
        "WF107",
        "dev below the optimal error",
        "The network does better on dev than the optimal error says anything can: dev rows leak into training, or the "
        "optimal error speaks of another target (one annotator's label where dev has a majority's).",
        "Fired when the upper limit of the dev error is below the lower limit of the optimal error. A human error is "
        "no lower limit: a network may do better.",
        "Look at WF203 and WF205 to WF207 first, then ask how the reference was measured.",
    ),
    CatalogueEntry(
        "WF108",
        "regions that under-fit",
        "In some part of the inputs the network fits even its training rows worse than another model does on rows that "
        "it never saw.",
        "A tree of depth 3 finds the regions on one half of the rows; on the other half, train loss less the best "
        "reference model's dev loss inside is compared with the same outside (one-sided, margin the tolerance, Holm "
        "over the regions).",
        "Look at rows of the region: a column that the network takes wrongly, too few rows for a bigger network to "
        "care. A bigger network, or an embedding of that column.",
    ),
    CatalogueEntry(
        "WF109",
        "regions that over-fit",
        "In some part of the inputs the gap between dev and train is larger than elsewhere.",
        "A tree of depth 3 finds the regions on one half of the rows; on the other half, dev loss less train loss "
        "inside is compared with the same outside (one-sided, margin the tolerance, Holm over the regions).",
        "More rows of that region first; then more regularization for all.",
    ),
)
