"""WF2xx: the rows and columns themselves."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import DIAGNOSE, CatalogueEntry, Command, States

_SPLIT = "wellfit split churn.csv --target churned"
_NO_TABLE = "there is no table, because predictions without features or bare numbers were given."
_BY_GROUP = Command(f"{_SPLIT} --group-on customer -o by-customer.wellfit", "keeps the rows of each customer together")

ENTRIES = (
    CatalogueEntry(
        code="WF201",
        title="constant or empty columns",
        topic="empty columns",
        meaning="Some columns contain a single value or no value at all. They carry no information and were dropped.",
        computed="The distinct values of each column are counted over all rows when the column types are inferred, "
        "before the split.",
        states=States(
            fired="at least one column was dropped because it is constant (up to rounding) or entirely missing.",
            passed="no column was dropped for either reason.",
            unknown=_NO_TABLE,
        ),
        remedy="If these columns should contain values, check how the file was exported. Otherwise there is nothing "
        "to do.",
        caution="A column that is constant here may vary in deployment. A network cannot learn the effect of such a "
        "column from this table.",
        commands=(
            Command(f"{_SPLIT} -o looked-at.wellfit", "prints the columns that were dropped, and why"),
            Command("wellfit diagnose looked-at.wellfit", "diagnoses the rows before anything is trained"),
        ),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF202",
        title="columns that look like identifiers",
        topic="identifiers",
        meaning="Some columns have a different value in (nearly) every row. A network can memorize these values, but "
        "they mean nothing for new rows.",
        computed="The values are counted when the column types are inferred. A column looks like an identifier if it "
        "is text with nearly as many distinct values as rows, or whole numbers without gaps or repetitions. A "
        "measurement with decimals is never dropped for being unique.",
        states=States(
            fired="at least one such column was dropped; the evidence names it.",
            passed="no column looks like an identifier.",
            unknown=_NO_TABLE,
        ),
        remedy="If such a column is a real feature, declare its type. If rows with the same value belong together, "
        "split with --group-on.",
        caution="A column of numbers that contains a few words is read as text, so it may look like an identifier "
        "too. The output of the split names the words.",
        commands=(
            _BY_GROUP,
            Command(f"{_SPLIT} --drop customer -o dropped.wellfit", "leaves out a column of your choice"),
        ),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF203",
        title="same rows in several splits",
        topic="copies across the splits",
        meaning="Some rows of dev or of the sealed test are exact copies of training rows, so the error measured on "
        "them is too low.",
        computed="The features of each row are hashed (and the target as well, to find copies that disagree), and the "
        "hashes are compared across the splits. No test row is read for this. A column of whole numbers or dates that "
        "are all different would hide every copy, so train and dev are compared without it if the other columns "
        "distinguish the rows. If losses are known, the error is given with and without the copies.",
        states=States(
            fired="more than 1 % of the rows of a part are copies.",
            passed="no row is in two splits, or at most 1 % of the rows of each part are. Such a small share cannot "
            "change an error by more than one point.",
            unknown="there is no table; or some rows are in two splits, but equal rows need not be copies: only one "
            "column varies, or more than half of the training rows are equal to another training row and the columns "
            "have few values.",
        ),
        remedy="Remove the copies before the split, or split with --group-on. If a column only numbers the rows, "
        "leave it out with --drop.",
        caution="If there are only a few coarse columns, two different cases can give equal rows. Copies with "
        "different targets are a sign of wrong labels or of a missing column.",
        commands=(DIAGNOSE, _BY_GROUP),
        source="Hashes of rows.",
    ),
    CatalogueEntry(
        code="WF204",
        title="many missing values or unseen categories",
        topic="missing values",
        meaning="Some columns have many missing values, or dev contains categories that are not in train.",
        computed="For each column, the share of missing values is measured in train, and the share of rows with a "
        "category that is not in train is measured in dev.",
        states=States(
            fired="more than 20 % of a column's values are missing, or more than 1 % of the dev rows have an unseen "
            "category in it.",
            passed="both shares are below these thresholds in every column.",
            unknown=_NO_TABLE,
        ),
        remedy="Find out why values are missing; the network receives an indicator column for missing values. Collect "
        "rows of the new categories.",
        caution="The two thresholds are fixed, and the shares have no interval: if dev is small, a single row can "
        "exceed 1 %.",
        commands=(DIAGNOSE,),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF205",
        title="near copies across the splits",
        topic="near copies across the splits",
        meaning="Some dev rows are closer to a training row than independently drawn rows would be, so the error "
        "measured on them is too low.",
        computed="The distance of each dev row to its nearest training row (with numbers in standard deviations) is "
        "compared with the nearest distances within train. A dev row is suspect if its distance is below their .5 % "
        "quantile. Exact copies are left out.",
        states=States(
            fired="the excess of suspect rows over chance is above 1 % of dev, judged by MOVER's lower limit at 99 %.",
            passed="the upper limit of the excess at 95 % is at most 1 %.",
            unknown="the interval contains 1 %, or a part has fewer than 20 distinct rows.",
        ),
        remedy="Inspect the pairs that the evidence names. Put the versions of one row into a group and split with "
        "--group-on. Report the error without the suspect rows.",
        caution="This check cannot detect copies that were made before a random split, because the copies within "
        "train are just as close to each other.",
        commands=(DIAGNOSE, _BY_GROUP),
        source="Nearest neighbours; MOVER for the excess over chance.",
    ),
    CatalogueEntry(
        code="WF206",
        title="a column gives the target away",
        topic="columns that give the target away",
        meaning="One column (or the sum of a few) predicts the target almost perfectly. It is often computed from the "
        "target, or known only after it.",
        computed="Each column alone predicts the target, with cross-fitting. The prediction is judged by the AUC for "
        "classes and by the R2 of ranks for values. For values, wellfit also checks whether a weighted sum of up to "
        "three columns is the target.",
        states=States(
            fired="a column reaches .99 and the lower limit of its 95 % interval is above .85, or a sum has an R2 "
            "above .999.",
            passed="no column reaches .99, and no sum is the target.",
            unknown="a column reaches .99, but on too few rows to be sure, or there are fewer than 30 rows.",
        ),
        remedy="Find out when the column is known. If it is known only after the target, leave it out with --drop. If "
        "it is known before, keep it: the task is easy.",
        caution="This check does not detect leakage that is spread over many columns. It also fires if the task is "
        "easy.",
        commands=(
            DIAGNOSE,
            Command(f"{_SPLIT} --drop spend -o without.wellfit", "splits the same table without the column"),
        ),
        source="Cross-fitted AUC and R2 of single columns.",
    ),
    CatalogueEntry(
        code="WF207",
        title="groups in several splits",
        topic="groups across the splits",
        meaning="Rows of one group (a person, a device, a place) are in both train and dev, so dev does not show how "
        "well the network does on new groups.",
        computed="The groups on both sides are counted. If no group column was named, wellfit looks for a column that "
        "marks groups: it has at least ten distinct values, rows with the same value are adjacent, and for at least "
        "half of the numeric columns more than half of the variance lies between its values. If the losses of dev "
        "rows are known, the error is given with and without the rows of shared groups.",
        states=States(
            fired="some groups of dev are also in train.",
            passed="no group of dev is in train.",
            unknown="no group column was named (--group-on) and none was found, or every group is a single row.",
        ),
        remedy="Split with --group-on, unless every future row comes from a group that is in train.",
        caution="Groups are not found if their rows are scattered or if their column is not in the table; name the "
        "column yourself. A column that merely sorts a table of similar rows (a year, a town) looks like a group "
        "column too.",
        commands=(
            _BY_GROUP,
            Command("wellfit diagnose by-customer.wellfit", "passes, because no customer is on both sides"),
        ),
        source="A count; MOVER for the error without the rows of shared groups.",
    ),
    CatalogueEntry(
        code="WF208",
        title="dev rows from before the last training row",
        topic="order in time",
        meaning="The network was trained on rows that are later than some dev rows, so dev does not show how well it "
        "does on later rows.",
        computed="The latest time in train is compared with the earliest time in dev.",
        states=States(
            fired="at least one dev row is earlier than the last training row.",
            passed="all dev rows are later than the last training row.",
            unknown="no time column was named (--time-on).",
        ),
        remedy="Split with --time-on.",
        caution="This matters only if the network will be used on rows that are later than its training rows, which "
        "is nearly always the case.",
        commands=(
            Command(
                f"{_SPLIT} --time-on signup -o by-time.wellfit",
                "puts the earlier rows into train, and the later ones into dev and test",
            ),
            Command("wellfit diagnose by-time.wellfit", "diagnoses the rows"),
        ),
        source="A comparison of times.",
    ),
    CatalogueEntry(
        code="WF209",
        title="wrong labels",
        topic="labels",
        meaning="Labels disagree with the network even on the rows about which it is most certain. Either some labels "
        "are wrong, or no row is easy.",
        computed="Among the tenth of the dev rows about which the network is most certain, wellfit counts the rows "
        "with a different label; their share has Wilson's interval. The same is done with boosted trees, and the "
        "lower share counts. If there is a reference for the goal error, the best dev error must also be high enough "
        "to allow for such a share of wrong labels.",
        states=States(
            fired="the lower limit of the share is above 2 %, and the reference does not explain it.",
            passed="the upper limit of the share is at most 2 %.",
            unknown="the interval contains 2 %, the best dev error is too close to the reference for such a share of "
            "wrong labels, there are fewer than 200 dev rows, or there are no probabilities. The evidence says how "
            "precisely an audit of 200 rows would measure the error.",
        ),
        remedy="Have the named rows and a random sample labelled again. Wrong labels in dev make every network look "
        "worse than it is.",
        caution="A poor network can also be sure and wrong. Only an audit settles the question: the error on all "
        "labels, corrected by the audited ones, is unbiased.",
        commands=(DIAGNOSE,),
        source="Wilson's interval; double sampling (prediction-powered inference) for the audit.",
    ),
    CatalogueEntry(
        code="WF210",
        title="more data would help",
        topic="gain from more data",
        meaning="The learning curve is still falling. More training rows of the same kind would lower the dev error "
        "by more than the tolerance.",
        computed="The network is retrained on 16 * 2^(k/2) rows, up to all of them, at least three times each. A "
        "power law (pow4) is fitted to the errors. Its interval covers the spread of bootstrapped repeats over all "
        "curve families that predicted the last anchors, widened by the error of the curve on those anchors.",
        states=States(
            fired="the lower limit of the gain from twice as many rows is above the tolerance.",
            passed="the upper limit of that gain is at most the tolerance.",
            unknown="the interval contains the tolerance, the curve could not be extrapolated (too few anchors, or a "
            "rising error), or no network was retrained.",
        ),
        remedy="Weigh the cost of more rows against the gain in the evidence. If the finding passed, do not collect "
        "more rows of the same kind.",
        caution="The prediction holds for rows like these and for this network. It is never extrapolated beyond four "
        "times the rows.",
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
        meaning="Some columns are worth next to nothing to this network. If their values are shuffled, it does as "
        "well on dev as before.",
        computed="The values of one column are shuffled, up to five times, the dev rows are predicted again, and the "
        "loss of each row is compared with its original loss. A column's worth is the mean difference, with an "
        "interval over the rows (or over the groups, if rows have groups), Holm-adjusted over the columns. If fewer "
        "than 30 rows change at all, the upper limit allows for such rows that happen not to be in dev.",
        states=States(
            fired="the upper limit of a column's worth is at most a quarter of the tolerance; the columns are named.",
            passed="the lower limit of every column's worth is above a quarter of the tolerance.",
            unknown="neither holds, the rows are pictures, there are fewer than 200 dev rows, or there is no network "
            "that could predict (predictions or bare numbers were given, or a single step of a run was diagnosed).",
        ),
        remedy="Leave out the named columns, one at a time, and train again. With fewer inputs there is less to "
        "memorize and less to collect.",
        caution="Each column is shuffled alone. If two columns contain the same information, each may look worthless "
        "although together they are not. The result holds for this network; another network may make use of it.",
        commands=(
            DIAGNOSE,
            Command(f"{_SPLIT} --drop channel -o fewer.wellfit", "leaves out a column"),
        ),
        source="Permutation importance (Breiman, 2001), paired by row; Holm's step-down procedure (1979).",
    ),
    CatalogueEntry(
        code="WF212",
        title="predicted labels that no row has",
        topic="names of the labels",
        meaning="Some predicted labels do not occur among the rows. Perhaps labels and predictions number the classes "
        "differently, or come from different lists.",
        computed="In dev, and in train if its predictions are known, wellfit counts the predictions whose class is "
        "the label of no row. If there are k of them, among as many predictions as targets, the probability that "
        "chance alone explains this is 1/2^k.",
        states=States(
            fired="this probability is at most .05, that is, for five or more such rows.",
            passed="every predicted label is also the label of some row.",
            unknown="there are fewer than five such rows, the target is a number, or bare numbers were given.",
        ),
        remedy="Compare how the classes are numbered or spelled in the labels and in the predictions. Codes may begin "
        "at 1, or the order or the list of classes may differ.",
        caution="Predictions are refused beforehand if none of their labels occurs in y, or if labels differ only by "
        "case or blanks. The finding also fires if a class is so rare that none of these rows belongs to it.",
        commands=(DIAGNOSE, Command("wellfit diagnose predictions.csv", "checks the predictions of any model")),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF213",
        title="a few rows account for the squared error",
        topic="spread of the squared error",
        meaning="Most of the squared error comes from a few rows with extreme targets. Training, model choice and "
        "evaluation by squared error all depend on those rows, and intervals are wide.",
        computed="The squared errors of the dev rows are sorted, the largest first; before there is a model, the "
        "prediction is the mean of the training rows. wellfit counts the rows that make up half of the sum, and the "
        "rows with targets that are just as extreme.",
        states=States(
            fired="at most one row in a hundred accounts for half of the squared error; the evidence names these rows.",
            passed="half of the squared error is spread over more rows.",
            unknown="there are fewer than 100 rows, the goal does not use squared errors, or bare numbers were given.",
        ),
        remedy="Look at those rows first: the cause may be a wrong unit, a typing error or a placeholder such as "
        "999999. If the values are right, predict the logarithm of the target, or judge by --goal mae.",
        caution="If the extremes are what matters (as in the losses of an insurer), they belong in the error.",
        commands=(DIAGNOSE,),
        source="A count.",
    ),
    CatalogueEntry(
        code="WF214",
        title="too few rows of a class",
        topic="rows per class",
        meaning="A class has so few rows in train or in dev that the network can hardly learn it, or that its error "
        "cannot be measured on dev.",
        computed="The rows of each class are counted in train and in dev.",
        states=States(
            fired="a class has fewer than 10 rows in train or in dev; the evidence names it.",
            passed="every class has at least 10 rows in both.",
            unknown="the target is a number, or there is no table.",
        ),
        remedy="Collect rows of that class, or merge it with another one. Judge by --goal balanced_error or f1, whose "
        "intervals show how little such a class is known.",
        caution="Even if none of 10 rows is wrong, the error of the class may be as high as 28 %.",
        commands=(Command(f"{_SPLIT} -o looked-at.wellfit", "prints the number of rows of each class"), DIAGNOSE),
        source="A count; Wilson's interval.",
    ),
    CatalogueEntry(
        code="WF215",
        title="a class that train lacks",
        topic="classes in train",
        meaning="Dev has rows of a class that does not occur in train. No model can learn this class from these rows, "
        "and the errors on it look like variance.",
        computed="wellfit looks for each class of dev in train. If a class has k rows, the probability that by chance "
        "all of them are among the n dev rows and not among the N training rows is (n / (N + n))^k. It is multiplied "
        "by the number of classes in dev (Bonferroni).",
        states=States(
            fired="this probability is at most .05; the evidence names the classes and their numbers of rows.",
            passed="train has rows of every class that occurs in dev.",
            unknown="the rows are so few that this may be due to chance, the target is a number, or there are no "
            "training rows.",
        ),
        remedy="Add rows of the class to train (split again with stratification, which is the default), or leave its "
        "rows out of dev if the model is not supposed to know the class.",
        caution="If whole groups, times or sources are held out on purpose, new classes are part of the task. Then "
        "the error is right, and only more kinds of rows help.",
        commands=(DIAGNOSE, Command("wellfit diagnose predictions.csv", "checks the predictions of any model")),
        source="A count.",
    ),
)
