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
)
