"""WF2xx: the rows and columns themselves."""

from __future__ import annotations

from wellfit.diagnosis.catalogue.entry import CatalogueEntry

ENTRIES = (
    CatalogueEntry(
        "WF201",
        "constant or empty columns",
        "Some columns hold one value or none: they carry nothing and were dropped.",
        "Counted when the types were inferred.",
        "Check the export if they should hold something; otherwise nothing.",
    ),
    CatalogueEntry(
        "WF202",
        "columns that look like identifiers",
        "Some columns have (nearly) one value per row: a network can memorize them and they mean nothing on new rows.",
        "Counted when the types were inferred; such columns are dropped.",
        "If such a column is a real feature, name its type; if rows belong together by it, split with --group-on.",
    ),
    CatalogueEntry(
        "WF203",
        "same rows in several splits",
        "Some rows of dev or of the sealed test are exact copies of training rows: their error is too low.",
        "Per-row hashes of the features and the target, compared across the splits; no test row is read for it.",
        "Remove the copies before the split, or split with --group-on.",
    ),
    CatalogueEntry(
        "WF204",
        "many missing values or unseen categories",
        "Some columns are often missing, or dev holds categories that training never saw.",
        "Fired when a column misses more than 20 % of its values, or more than 1 % of its dev rows have a category "
        "that train has not.",
        "Ask why they are missing; missingness enters the network as a column of its own. Collect rows of the new "
        "categories.",
    ),
    CatalogueEntry(
        "WF205",
        "near copies across the splits",
        "Some dev rows are closer to a training row than rows drawn alike would be: their error is too low.",
        "Distance of each dev row to its nearest training row (numbers in standard deviations), against the distances "
        "within train; suspect below their .5 % quantile, exact copies left out. Fired when the excess over chance is "
        "above 1 % of dev by the lower limit of its MOVER interval; passed when the upper limit is not. Copies that "
        "were made before a random split lie as close within train and cannot be seen so.",
        "Look at the named pairs; group the versions of one row and split with --group-on. Report the error without "
        "them.",
    ),
    CatalogueEntry(
        "WF206",
        "a column gives the target away",
        "One column (or the sum of a few) predicts the target almost perfectly. It is often computed from the target, "
        "or known only after it.",
        "Each column alone, cross-fitted: AUC above .99 (for values: R2 of ranks above .99), with the lower limit of "
        "its 95 % interval above .85; or up to three columns whose weighted sum has R2 above .999.",
        "Ask when the column is known. If only after the target: --drop it. If before: keep it, the task is easy.",
    ),
    CatalogueEntry(
        "WF207",
        "groups in several splits",
        "Rows of one group (a person, a device, a place) are in train and in dev: dev does not show how the network "
        "does on new groups.",
        "Groups counted on both sides; where a refit is possible, error under a group split minus error under a random "
        "split, with the interval of Nadeau and Bengio: fired when its lower limit is above the tolerance, passed when "
        "the upper limit is not.",
        "Split with --group-on, unless every future row comes from a group that train has.",
    ),
    CatalogueEntry(
        "WF208",
        "dev rows from before the last training row",
        "Training looked at rows from later than some dev rows: dev does not show how the network does in the future.",
        "The last time in train against the first in dev.",
        "Split with --time-on.",
    ),
    CatalogueEntry(
        "WF209",
        "wrong labels",
        "Labels disagree with the network even on the rows that it is surest of: some of them are wrong, or no row is "
        "easy.",
        "Of each class that the network predicts, the tenth of the dev rows that it is surest of: the share with "
        "another label, with its Wilson interval. Fired when the lower limit is above 2 %, passed when the upper one "
        "is below. Only an audit tells more: the error on all labels, corrected by the audited ones, is unbiased.",
        "Have the named rows labelled again, and a random sample too. Wrong labels in dev make every network look "
        "worse than it is.",
    ),
    CatalogueEntry(
        "WF210",
        "more data would help",
        "The learning curve still falls: more training rows of the same kind would lower the dev error by more than "
        "the tolerance.",
        "Retrained on 16 * 2^(k/2) rows up to all, at least three times each. A power law (pow4) is fit; its interval "
        "holds the spread of bootstrapped repeats over the curve families that foretold the last anchors, widened by "
        "what the curve missed them by. Not extrapolated beyond four times the rows, nor where the error rises.",
        "Weigh the price of the rows against the gain that is named. If it passed, do not collect more of the same.",
    ),
)
