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
)
