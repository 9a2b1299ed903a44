"""Every finding that wellfit knows: what it means, how it is computed, what to do."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from wellfit.exceptions import BadInput


@dataclass(frozen=True)
class CatalogueEntry:
    """One code of the catalogue; WF1xx model, WF2xx data, WF3xx distribution, WF4xx trust in dev."""

    code: str
    title: str
    meaning: str
    computed: str
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.code} {self.title}\n\n{self.meaning}\n\nHow it is computed. {self.computed}\n\n"
            f"What to do. {self.remedy}"
        )


def entry_of(code: str) -> CatalogueEntry:
    """The entry of a code, in any case.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    found = CATALOGUE.get(code.strip().upper())
    if found is not None:
        return found
    nearest = difflib.get_close_matches(code.strip().upper(), CATALOGUE, n=1, cutoff=0.0)[0]
    raise BadInput(
        "a finding has a code such as WF102",
        found=repr(code),
        remedy=f"Did you mean {nearest}? Known codes: {', '.join(CATALOGUE)}",
    )


def explain(code: str) -> str:
    """What a finding means, how it is computed and what to do.

    Raises:
        BadInput: for a code that is not in the catalogue; names the nearest one.
    """
    return str(entry_of(code))


_VERDICT = (
    "The gap's interval is MOVER's, from the intervals of its two sides. Fired when its lower limit, Holm-adjusted "
    "over all gaps, is above the tolerance; passed when its 95 % upper limit is at most the tolerance; otherwise not "
    "applicable, because the numbers cannot tell."
)

_ENTRIES = (
    CatalogueEntry(
        "WF101",
        "high bias",
        "The network does not fit its own training set as well as the optimal error says is possible: it under-fits.",
        f"Avoidable bias = train error - optimal error. {_VERDICT}",
        "Work on the training set first: a bigger network, longer training, a better optimizer, another architecture. "
        "More data does not help.",
    ),
    CatalogueEntry(
        "WF102",
        "high variance",
        "The network does worse on rows that it has not seen: it over-fits.",
        f"Variance = train-dev error - train error (dev - train, mismatch included, without a train-dev set). "
        f"{_VERDICT}",
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
        "WF301",
        "train and dev differ",
        "Dev is harder than rows of the training distribution that were not trained on: it comes from elsewhere.",
        f"Mismatch = dev error - train-dev error. {_VERDICT} Not applicable without a train-dev set.",
        "Collect training data that looks like deployment, or weight training rows towards it. Without a train-dev "
        "set: say where dev comes from, and bring a sample of deployment data (--deployment-data) before training.",
    ),
    CatalogueEntry(
        "WF401",
        "dev set over-used",
        "The test error is above the dev error: choosing on dev has fitted dev.",
        f"Dev overfit = test error - dev error. {_VERDICT} Not applicable while the test set is sealed.",
        "A bigger dev set, drawn anew; then choose again.",
    ),
    CatalogueEntry(
        "WF402",
        "too few rows to decide",
        "A verdict is 'cannot tell' and more held-out rows would decide it.",
        "The rows at which the 95 % interval of the gap, point values held, would leave the tolerance.",
        "A bigger dev set (train-dev where there is one), or a tolerance that matches what you need to know.",
    ),
)
CATALOGUE: dict[str, CatalogueEntry] = {entry.code: entry for entry in _ENTRIES}
