"""WF2xx: the rows and columns themselves."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import DIAGNOSE, CatalogueEntry, Command, States

_SPLIT = "wellfit split churn.csv --target churned"
_NO_TABLE = "there is no table: predictions without features, or bare numbers, were given."
_BY_GROUP = Command(f"{_SPLIT} --group-on customer -o by-customer.wellfit", "rows of one customer stay together")

ENTRIES = (
    CatalogueEntry(
        code="WF201",
        title="constant or empty columns",
        topic="empty columns",
        meaning="Some columns contain one value or none: they carry no information and were dropped.",
        computed="Counted over all rows when the types were inferred, before the split.",
        states=States(
            fired="at least one column was dropped as constant (also up to rounding) or as all missing.",
            passed="no column was dropped for that.",
            unknown=_NO_TABLE,
        ),
        remedy="Check the export if they should contain values; otherwise there is nothing to do.",
        caution="A column that is constant here may vary in deployment; then a network cannot learn from this table "
        "what it does.",
        commands=(
            Command(f"{_SPLIT} -o looked-at.wellfit", "prints what was dropped, and why"),
            Command("wellfit diagnose looked-at.wellfit", "diagnose the rows, before anything is trained"),
        ),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF202",
        title="columns that look like identifiers",
        topic="identifiers",
        meaning="Some columns have (nearly) one value per row: a network can memorize them, and on new rows they mean "
        "nothing.",
        computed="Counted when the types were inferred: text with nearly as many values as rows, and whole numbers "
        "without a gap or a repetition. A measurement with decimals is never dropped for being unique.",
        states=States(
            fired="at least one such column was dropped; the evidence names it.",
            passed="no column looks like an identifier.",
            unknown=_NO_TABLE,
        ),
        remedy="If such a column is a real feature, name its type; if rows with the same value belong together, split "
        "with --group-on.",
        caution="A column of numbers with a few words in it is read as text, and looks like an identifier too: the "
        "output of the split names the word.",
        commands=(_BY_GROUP, Command(f"{_SPLIT} --drop customer -o dropped.wellfit", "leave out a column yourself")),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF203",
        title="same rows in several splits",
        topic="copies across the splits",
        meaning="Some rows of dev or of the sealed test are exact copies of training rows: the error on them is too "
        "low.",
        computed="Per-row hashes of the features (and of the target, to find copies that disagree), compared across "
        "the splits; no test row is read for it. A column of whole numbers or dates that are all different hides every "
        "copy: train and dev are compared without it, where the other columns tell rows apart. Where losses are known, "
        "the error is given with and without the copies.",
        states=States(
            fired="more than 1 % of the rows of a part are copies.",
            passed="no row is in two splits, or in no part more than 1 % are: so few move no error by more than a "
            "point.",
            unknown="some rows are in two splits, but more than half of the training rows equal another training row, "
            "and the columns have so few values that equal rows need not be copies. Or there is no table.",
        ),
        remedy="Remove the copies before the split, or split with --group-on. A column that only numbers the rows: "
        "--drop it.",
        caution="Two different cases can give equal rows where columns are few and coarse. Copies with another target "
        "are a sign of wrong labels, or of a missing column.",
        commands=(DIAGNOSE, _BY_GROUP),
        source="Hashes of rows.",
    ),
    CatalogueEntry(
        code="WF204",
        title="many missing values or unseen categories",
        topic="missing values",
        meaning="Some columns are often missing, or dev has categories that are not in train.",
        computed="The share of missing values in each column of train, and the share of dev rows with a category that "
        "is not in train.",
        states=States(
            fired="more than 20 % of a column's values are missing, or more than 1 % of the dev rows have an unseen "
            "category in it.",
            passed="neither is so in any column.",
            unknown=_NO_TABLE,
        ),
        remedy="Find out why they are missing; the network is given missingness as a column of its own. Collect rows "
        "of the new categories.",
        caution="These two thresholds are fixed and have no interval: with few dev rows a single row can be above 1 %.",
        commands=(DIAGNOSE,),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF205",
        title="near copies across the splits",
        topic="near copies across the splits",
        meaning="Some dev rows are closer to a training row than rows drawn the same way would be: the error on them "
        "is too low.",
        computed="The distance of each dev row to its nearest training row (numbers in standard deviations), against "
        "the distances within train. A dev row is suspect below their .5 % quantile; exact copies are left out.",
        states=States(
            fired="the excess of suspects over chance is above 1 % of dev: the lower limit of MOVER at 99 %.",
            passed="the upper limit at 95 % is at most 1 %.",
            unknown="the interval contains 1 %, or a part has fewer than 20 distinct rows.",
        ),
        remedy="Look at the named pairs; group the versions of one row and split with --group-on. Report the error "
        "without the suspects.",
        caution="Copies that were made before a random split are as close to each other within train, and this check "
        "cannot see them.",
        commands=(DIAGNOSE, _BY_GROUP),
        source="Nearest neighbours; MOVER for the excess over chance.",
    ),
    CatalogueEntry(
        code="WF206",
        title="a column gives the target away",
        topic="columns that give the target away",
        meaning="One column (or the sum of a few) predicts the target almost perfectly. It is often computed from the "
        "target, or known only after it.",
        computed="Each column alone, cross-fitted: the AUC for classes, R2 of ranks for values. For values, also "
        "whether a weighted sum of up to three columns is the target.",
        states=States(
            fired="a column reaches .99 with the lower limit of its 95 % interval above .85, or a sum has R2 above "
            ".999.",
            passed="no column reaches .99, and no sum is the target.",
            unknown="a column reaches .99 on too few rows to be sure, or there are fewer than 30 rows.",
        ),
        remedy="Find out when the column is known. If only after the target, --drop it. If before, keep it: the task "
        "is easy.",
        caution="This check does not see leakage that is spread over many columns. An easy task makes it fire too.",
        commands=(DIAGNOSE, Command(f"{_SPLIT} --drop spend -o without.wellfit", "the same table without the column")),
        source="Cross-fitted AUC and R2 of single columns.",
    ),
    CatalogueEntry(
        code="WF207",
        title="groups in several splits",
        topic="groups across the splits",
        meaning="Rows of one group (a person, a device, a place) are in train and in dev: dev does not show how well "
        "the network does on new groups.",
        computed="Groups are counted on both sides. Where nobody named groups, a column is taken for them that has at "
        "least ten values, which stand together in the order of the rows, and between which more than half of the "
        "variance of half of the number columns lies. Where the losses of dev rows are known, the error is given with "
        "and without the rows of shared groups.",
        states=States(
            fired="dev shares groups with train.",
            passed="no group of dev is in train.",
            unknown="no group column is named (--group-on) and none is found, or every group is a single row.",
        ),
        remedy="Split with --group-on, unless every future row comes from a group that is in train.",
        caution="Groups whose rows are scattered, or whose column is not in the table, are not found: name them. A "
        "column that only sorts a table of alike rows (a year, a town) looks like groups too.",
        commands=(_BY_GROUP, Command("wellfit diagnose by-customer.wellfit", "passes: no customer is on both sides")),
        source="A count; MOVER for the error without the rows of shared groups.",
    ),
    CatalogueEntry(
        code="WF208",
        title="dev rows from before the last training row",
        topic="order in time",
        meaning="The network was trained on rows that are later than some dev rows: dev does not show how well it does "
        "on later rows.",
        computed="The last time in train is compared with the first in dev.",
        states=States(
            fired="at least one dev row is from before the last training row.",
            passed="all dev rows are from after it.",
            unknown="rows have no time (--time-on).",
        ),
        remedy="Split with --time-on.",
        caution="It matters only where the network will be used on later rows than it was trained on; that is nearly "
        "always.",
        commands=(
            Command(
                f"{_SPLIT} --time-on signup -o by-time.wellfit", "train is the past, dev and test are what follows"
            ),
            Command("wellfit diagnose by-time.wellfit", "diagnose the rows"),
        ),
        source="A comparison of times.",
    ),
    CatalogueEntry(
        code="WF209",
        title="wrong labels",
        topic="labels",
        meaning="Labels disagree with the network even on the rows that it is surest of: some labels are wrong, or no "
        "row is easy.",
        computed="Among the tenth of the dev rows that the network is surest of, the share with another label, with "
        "its Wilson interval. The same is done with boosted trees, and the lower share counts. With a reference for "
        "the goal error, the best dev error must also leave room for that many wrong labels.",
        states=States(
            fired="the lower limit is above 2 %, and the reference does not explain it.",
            passed="the upper limit is at most 2 %.",
            unknown="the interval contains 2 %, the best dev error is too near the reference for that many wrong "
            "labels, there are fewer than 200 dev rows, or there are no probabilities. The evidence says how precisely "
            "an audit of 200 rows would measure the error.",
        ),
        remedy="Have the named rows labelled again, and a random sample too. Wrong labels in dev make every network "
        "look worse than it is.",
        caution="A poor network can be sure and wrong as well. Only an audit settles it: the error on all labels, "
        "corrected by the audited ones, is unbiased.",
        commands=(DIAGNOSE,),
        source="Wilson's interval; double sampling (prediction-powered inference) for the audit.",
    ),
    CatalogueEntry(
        code="WF210",
        title="more data would help",
        topic="gain from more data",
        meaning="The learning curve is still falling: more training rows of the same kind would lower the dev error by "
        "more than the tolerance.",
        computed="The network is retrained on 16 * 2^(k/2) rows, up to all of them, at least three times each. A power "
        "law (pow4) is fit; its interval covers the spread of bootstrapped repeats over the curve families that "
        "predicted the last anchors, widened by the curve's error on those anchors.",
        states=States(
            fired="the lower limit of the gain from twice the rows is above the tolerance.",
            passed="the upper limit is at most the tolerance.",
            unknown="the interval contains the tolerance, the curve is not extrapolated (too few anchors, an error "
            "that rises), or no network was refit.",
        ),
        remedy="Weigh the price of the rows against the gain in the evidence. If the finding passed, do not collect "
        "more rows of the same kind.",
        caution="It is about rows like these, for this network. It is never extrapolated beyond four times the rows.",
        commands=(
            Command(
                "wellfit diagnose churn.wellfit --refits 24", "measures the learning curve by training 24 networks"
            ),
        ),
        source="Power-law learning curves (pow4, pow3) with a backtest on the last anchors.",
    ),
    CatalogueEntry(
        code="WF211",
        title="columns without worth",
        topic="worth of the columns",
        meaning="Some columns are worth next to nothing to this network: with their values shuffled it does as well on "
        "dev.",
        computed="The dev rows are predicted again with the values of one column shuffled, up to five times, and the "
        "loss of each row is compared with its loss unshuffled. A column's worth is the mean difference, with an "
        "interval over the rows (over the groups, if rows have groups), Holm-adjusted over the columns. If fewer than "
        "30 rows change at all, the upper limit allows for rows of that kind that are not in dev.",
        states=States(
            fired="the upper limit of a column's worth is at most a quarter of the tolerance; the columns are named.",
            passed="the lower limit of every column's worth is above a quarter of the tolerance.",
            unknown="neither, the rows are pictures, there are fewer than 200 dev rows, or there is no network to "
            "predict with: predictions or bare numbers were given, or a step of a run was diagnosed.",
        ),
        remedy="Leave out the named columns, one at a time, and train again: with fewer inputs there is less to "
        "memorize, and less to collect.",
        caution="Each column is shuffled alone. Of two columns with the same information, each may look worthless "
        "although the two together are not. It is about this network: another may make use of the column.",
        commands=(
            DIAGNOSE,
            Command(f"{_SPLIT} --drop channel -o fewer.wellfit", "leave out a column"),
        ),
        source="Permutation importance (Breiman, 2001), paired by row; Holm's step-down procedure (1979).",
    ),
    CatalogueEntry(
        code="WF212",
        title="predicted labels that no row has",
        topic="names of the labels",
        meaning="No row has some of the predicted labels: labels and predictions may count the classes "
        "otherwise, or come from other lists.",
        computed="Predictions of dev, and of train where they are known, whose class is that of no row. Chance alone "
        "would leave k such labels out of as many targets with a probability of 1/2^k.",
        states=States(
            fired="that probability is at most .05: from five such rows on.",
            passed="every predicted label is that of some row.",
            unknown="there are fewer than five such rows, the target is a number, or bare numbers were given.",
        ),
        remedy="Compare how the classes are counted or written in both: codes that begin at 1, another order, another "
        "list.",
        caution="Labels of which none occurs in y, and those that differ by case or blanks, are refused before. A "
        "class that is so rare that these rows have none of it fires this too.",
        commands=(DIAGNOSE, Command("wellfit diagnose predictions.csv", "the same for any model's predictions")),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF213",
        title="a few rows hold the squared error",
        topic="spread of the squared error",
        meaning="Most of the squared error comes from a few rows with extreme targets. Training, model choice and "
        "evaluation by squared error all follow those rows, and intervals are wide.",
        computed="The squared errors of the dev rows (before there is a model, those of predicting the mean of the "
        "training rows) are sorted, the largest first. The rows that make up half of the sum are counted, and those "
        "with targets as extreme.",
        states=States(
            fired="at most one row in a hundred holds half of the squared error; the evidence says how many, and "
            "which.",
            passed="more rows than that hold half of it.",
            unknown="there are fewer than 100 rows, the goal takes no squares, or bare numbers were given.",
        ),
        remedy="Look at those rows first: a unit, a typing error, a stand-in such as 999999. If they are right, "
        "predict the logarithm of the target, or judge by --goal mae.",
        caution="Where the extremes are what matters (losses of an insurer), they belong into the error.",
        commands=(DIAGNOSE,),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF214",
        title="too few rows of a class",
        topic="rows per class",
        meaning="A class has so few rows in train or in dev that the network can hardly learn it, or that dev says "
        "nothing about it.",
        computed="The rows of each class are counted in train and in dev.",
        states=States(
            fired="a class has fewer than 10 rows in train or in dev; the evidence names it.",
            passed="every class has at least 10 rows in both.",
            unknown="the target is a number, or there is no table.",
        ),
        remedy="Collect rows of that class, or join it with another. Judge by --goal balanced_error or f1, whose "
        "intervals say what so few rows are worth.",
        caution="Of 10 rows without one error up to 28 % may still be wrong.",
        commands=(Command(f"{_SPLIT} -o looked-at.wellfit", "prints how many rows each class has"), DIAGNOSE),
        source="A count; Wilson's interval.",
    ),
)
