"""WF3xx: train, dev and deployment differ."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import VERDICT, CatalogueEntry

ENTRIES = (
    CatalogueEntry(
        "WF301",
        "train and dev differ",
        "Dev is harder than rows of the training distribution that were not trained on: it comes from elsewhere.",
        f"Mismatch = dev error - train-dev error. {VERDICT} Not applicable without a train-dev set.",
        "Collect training data that looks like deployment, or weight training rows towards it. Without a train-dev "
        "set: say where dev comes from, and bring a sample of deployment data (--deployment-data) before training.",
    ),
    CatalogueEntry(
        "WF302",
        "the inputs of train and dev differ",
        "A classifier can tell dev rows from training rows: dev shows the network inputs that training has few of.",
        "Boosted trees are fit on one half and counted on the other. True positive rate + true negative rate - 1 is at "
        "most the total variation between the two, so its lower limit (95 %, one-sided) is a bound. Fired when that "
        "is above .10, passed when the upper limit is below .10. Columns that only count time are left out.",
        "Read WF303 for the columns. If deployment looks like dev, collect such rows for training or weight them up.",
    ),
    CatalogueEntry(
        "WF303",
        "columns that shift",
        "Some columns are distributed otherwise in dev than in train.",
        "Numbers: the Kolmogorov-Smirnov distance less its DKW band. Categories: the levels that dev has more of, "
        "chosen on one half and counted on the other. Both bound the total variation of the column, Bonferroni over "
        "the columns. Fired above .10. Columns that only count time (dates, row numbers) are named apart.",
        "Ask whether deployment differs as dev does. Collect such rows, or drop a column that only says when.",
    ),
    CatalogueEntry(
        "WF304",
        "the targets of train and dev differ",
        "Classes (or values) are more or less frequent in dev than in train.",
        "A bound on the total variation of the targets: the classes that dev has more of, chosen on one half and "
        "counted on the other; for values the Kolmogorov-Smirnov distance less its DKW band. Fired above .10.",
        "If deployment has the shares of dev: weight the classes, or move the threshold. If not: draw dev anew.",
    ),
    CatalogueEntry(
        "WF305",
        "what the mismatch is made of",
        "Dev is harder because its inputs are harder (covariate share), or because the same inputs have another "
        "target (concept share).",
        "The gap of the losses is split over the inputs that both parts share (Cai, Namkoong and Yadlowsky), weighted "
        "by a cross-fitted domain classifier, with bootstrap intervals. Fired when the lower limit of a share is above "
        "the tolerance, passed when all upper limits are below it; refused when the shared inputs count as less than "
        "50 rows.",
        "Covariate: more training rows like dev. Concept: a column that says what changed, or newer labels; more rows "
        "of the old kind do not help.",
    ),
)
