"""Recognition of rows by most of their columns, even after a table was edited: the statistics behind "opened before".

A band is a few columns whose codes together distinguish most rows. An opening keeps a key of each test row for up to
72 bands. Later test rows are looked up in the same bands, with the columns matched by name, or by position where the
names differ. Keys that agree by chance are not evidence, so three rules protect new rows of the same kind:

1. Only keys that belong to a single row of the later table count. Let a key occur a times on average among n kept rows
   and b times among all N rows of the later table, m of which are looked up. New rows agree in such a key with
   probability at most a b m/N exp(-b), while exactly two of the N rows have it with probability b^2/2 exp(-b). So
   there are at most 2 n m / N^2 times as many chance agreements as pairs, whatever the distribution: small whole
   numbers have many pairs. The exact test for two Poisson rates compares the two counts, and likewise the pairs of
   the kept rows.
2. The bands that agree must cover 60 % of the columns that both tables have, and these must be at least half of the
   columns of the narrower table: the values of a person, a place or an hour may recur in new rows.
3. This must hold even if any single column is left out: row or customer numbers recur too. And a band counts only if
   its share of agreeing rows is closer to that of the best bands than to the share that its column with the fewest
   values would yield by chance among rows that agree in the other columns.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow as pa
from scipy import stats
from scipy.special import gammaln

from wellfit.data.cell_codes import VIEWS, View, band_keys, codes_of, is_numbering, pieces_of
from wellfit.data.hashing import Words, text_words

KEPT_ROWS, ASKED_ROWS, OTHER_ROWS, TRIED_ROWS = 4_096, 20_000, 40_000, 10_000
FEWEST_BANDS, MOST_BANDS = 36, 48
# Bands of more columns find a few equal rows among many; bands of fewer columns survive when columns are removed.
TOLD_APART = (0.95, 0.5, 0.25)
LARGEST_BAND = 0.75
NARROW = 6
BY_CHANCE = 1e-6
BY_CHANCE_WHOLE = 1e-4
LEAST_SHARE = 0.025
COVERED = 0.6
MAPPED = 0.5
USUAL = 0.9


@dataclass(frozen=True)
class Band:
    """Columns that are compared together, given by their positions in the table."""

    view: View
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Fingerprint:
    """Keys of the test rows of one opening: hashes, never rows.

    Attributes:
        names: hash of each column's name.
        rows: number of test rows; the keys of up to 8,192 of them are kept.
        bands: the bands that were compared.
        keys: for each band, the keys that only one of the kept rows has.
        pairs: for each band, the number of keys that two of the kept rows have.
        kept: number of kept rows.
    """

    names: Words
    rows: int
    kept: int
    bands: tuple[Band, ...]
    keys: tuple[Words, ...]
    pairs: tuple[int, ...]

    def to_bytes(self) -> bytes:
        """Return the content for the registry."""
        file = io.BytesIO()
        np.savez(
            file,
            names=self.names,
            counts=np.array([self.rows, self.kept]),
            views=np.array([VIEWS.index(band.view) for band in self.bands]),
            sizes=np.array([len(band.columns) for band in self.bands], dtype=np.int64),
            columns=np.array([place for band in self.bands for place in band.columns], dtype=np.int64),
            lengths=np.array([len(keys) for keys in self.keys], dtype=np.int64),
            keys=np.concatenate([*self.keys, np.empty(0, dtype=np.uint64)]),
            pairs=np.array(self.pairs),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Fingerprint:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            columns = _divided(found["columns"], found["sizes"])
            rows, kept = found["counts"].tolist()
            return cls(
                names=found["names"],
                rows=rows,
                kept=kept,
                bands=tuple(
                    Band(VIEWS[view], tuple(places.tolist()))
                    for view, places in zip(found["views"], columns, strict=True)
                ),
                keys=tuple(_divided(found["keys"], found["lengths"])),
                pairs=tuple(found["pairs"].tolist()),
            )


@dataclass(frozen=True)
class _Counted:
    """The keys of a band: the sorted keys of single test rows, and the number of keys that two rows have."""

    single: Words
    pairs: int


@dataclass(frozen=True)
class _Agreement:
    """The share of rows that agree in a band, two standard errors above it, and its poorest column's chance share."""

    share: float = 0.0
    upper: float = 0.0
    alike: float = 1.0


@dataclass(frozen=True)
class AskedRows:
    """Test rows about to be opened and the other rows of their table: a sample of both, and its codes.

    Attributes:
        rows: number of test rows.
        names: hash of each column's name.
        whole: hashes of the whole test rows, including all columns.
        others: hashes of the other rows.
    """

    rows: int
    names: Words
    whole: Words = field(repr=False)
    others: Words = field(repr=False)
    _columns: Sequence[pa.ChunkedArray | Words] = field(repr=False)
    _asked: int
    _codes: dict[int, Mapping[View, Words]] = field(default_factory=dict, repr=False)
    _found: dict[Band, _Counted] = field(default_factory=dict, repr=False)
    _same: dict[tuple[int, View], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, test: pa.Table, others: Sequence[pa.Table], *, hashes: Mapping[str, Words]) -> AskedRows:
        """Take a sample of the test rows and one of the other rows; `hashes` are those of whole rows, by part."""
        rng = np.random.default_rng(0)
        both = [_some(test, most=ASKED_ROWS, rng=rng)]
        both += [_some(each, most=OTHER_ROWS // len(others), rng=rng) for each in others]
        names, columns = pieces_of(_joined(both))
        return cls(
            rows=test.num_rows,
            names=text_words([name.encode() for name in names]),
            whole=hashes["test"],
            others=np.concatenate([np.empty((0, 2), np.uint64), *(hashes[part] for part in hashes if part != "test")]),
            _columns=columns,
            _asked=both[0].num_rows,
        )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint that the registry keeps when these rows are opened."""
        kept = min(self._asked, KEPT_ROWS)
        bands = [band for view in VIEWS for band in self._bands(view)]
        found = [_counted(self._keys(band)[:kept]) for band in bands]
        keys, pairs = tuple(each.single for each in found), tuple(each.pairs for each in found)
        return Fingerprint(self.names, self.rows, kept, tuple(bands), keys, pairs)

    def share_in(self, past: Fingerprint) -> float:
        """Return the share of these rows that a past opening included; 0 if the agreement may be due to chance."""
        return max((self._share(past, places) for places in self._matched(past)), default=0.0)

    def _share(self, past: Fingerprint, places: Mapping[int, int]) -> float:
        used = {place for band in past.bands for place in band.columns}
        common = used & set(places)
        if len(common) < max(2, MAPPED * min(len(used), len(self.names))):
            return 0.0
        found: dict[Band, _Agreement] = {}
        for number, band in enumerate(past.bands):
            if common.issuperset(band.columns):
                agreement = self._agreement(past, number, Band(band.view, tuple(places[each] for each in band.columns)))
                if agreement.share >= LEAST_SHARE:
                    found[band] = agreement
        if not found:
            return 0.0
        usual = float(np.quantile([each.share for each in found.values()], USUAL))
        agreeing = [
            frozenset(band.columns) for band, each in found.items() if each.upper >= usual * (1 + each.alike) / 2
        ]
        return max(each.share for each in found.values()) if _covers(agreeing, common) else 0.0

    def _agreement(self, past: Fingerprint, number: int, band: Band) -> _Agreement:
        """Return the share of rows that agree in one band, beyond chance."""
        if band not in self._found:
            keys = self._keys(band)
            every = _counted(keys)
            self._found[band] = _Counted(np.intersect1d(every.single, keys[: self._asked]), every.pairs)
        here = self._found[band]
        agreed = int(np.isin(here.single, past.keys[number]).sum())
        rate = 2 * past.kept * self._asked / self._all**2
        by_pairs = _by_chance(agreed, pairs=here.pairs, rate=rate)
        by_kept = _by_chance(agreed, pairs=past.pairs[number], rate=2 * self._asked / past.kept)
        if not agreed or min(by_pairs, by_kept) > BY_CHANCE:
            return _Agreement()
        beyond = max(0.0, agreed - rate * here.pairs)
        scale = len(here.single) * past.kept / past.rows
        alike = max(self._alike_in(place, band.view) for place in band.columns)
        return _Agreement(min(1.0, beyond / scale), (beyond + 2 * agreed**0.5) / scale, alike)

    def _alike_in(self, place: int, view: View) -> float:
        """Return the probability that two rows agree in one column."""
        if (place, view) not in self._same:
            shares = np.unique(self._code(place, view), return_counts=True)[1] / self._all
            self._same[place, view] = float((shares**2).sum())
        return self._same[place, view]

    def _matched(self, past: Fingerprint) -> list[dict[int, int]]:
        """Return the ways to match columns, old -> new position: by name, or counted from the first and the last."""
        here = {int(name): place for place, name in enumerate(self.names)}
        named = {place: here[name] for place, name in enumerate(past.names.tolist()) if name in here}
        then, now = len(past.names), len(self.names)
        if len(named) >= MAPPED * min(then, now):
            return [named]
        shift = now - then
        first = {place: place for place in range(min(then, now))}
        last = {place: place + shift for place in range(then) if place + shift >= 0}
        return [named, first, last] if shift else [named, first]

    @cached_property
    def digest(self) -> str:
        """Digest of the test rows as a whole, in any order; "" if other rows may well equal them by chance."""
        lane = np.sort(self.whole[:, 0])
        counts = np.unique(lane, return_counts=True)[1].astype(np.float64)
        each = counts * np.log(counts / counts.sum()) - gammaln(counts + 1)
        by_chance = gammaln(counts.sum() + 1) + each.sum()
        return hashlib.sha256(lane.tobytes()).hexdigest() if by_chance <= np.log(BY_CHANCE) else ""

    @cached_property
    def single(self) -> Words:
        """Hashes of the test rows that are equal to no other row of the table."""
        return self.whole[np.isin(self.whole[:, 0], _counted(self._lanes).single)]

    def equal_share(self, agreed: int, *, among: int) -> float:
        """Return the share of whole rows found among a number of opened ones; 0 if it may be due to chance.

        By chance, rows agree as rule 1 states or, if they are numbered, when all their other columns agree.
        """
        if not agreed:
            return 0.0
        pairs, rows = _counted(self._lanes).pairs, len(self.single)
        rate = 2 * among * len(self.whole) / len(self._lanes) ** 2
        likely = _by_chance(agreed, pairs=pairs, rate=rate)
        numbered = float(stats.binom.sf(agreed - 1, rows, self._alike))
        if max(likely, numbered) > BY_CHANCE_WHOLE:
            return 0.0
        return max(0.0, agreed - max(rate * pairs, self._alike * rows)) / rows

    @property
    def _lanes(self) -> Words:
        return np.concatenate([self.whole[:, 0], self.others[:, 0]])

    @cached_property
    def _alike(self) -> float:
        """Probability that two rows agree in everything but their numbers."""
        places = [place for place in range(len(self.names)) if not self._numbers_rows(place)]
        if not places:
            return 1.0
        keys = self._keys(Band("value", tuple(places)))
        counts = np.unique(keys, return_counts=True)[1].astype(np.float64)
        return float(min(1.0, (1 + (counts * (counts - 1)).sum() / 2) / max(1.0, len(keys) * (len(keys) - 1) / 2)))

    def _numbers_rows(self, place: int) -> bool:
        """Return True for a column that numbers the rows: 0, 1, 2, every hour, or r1, r2, r3."""
        codes, column = self._code(place, "value"), self._columns[place]
        return len(np.unique(codes)) == len(codes) and not isinstance(column, np.ndarray) and is_numbering(column)

    @property
    def _all(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def _code(self, place: int, view: View) -> Words:
        if place not in self._codes:
            self._codes[place] = codes_of(self._columns[place])
        return self._codes[place][view]

    def _keys(self, band: Band) -> Words:
        return band_keys([self._code(place, band.view) for place in band.columns])

    def _bands(self, view: View) -> list[Band]:
        """Choose the bands of one view: all for a narrow table, otherwise grown column by column in random order."""
        varied = [place for place in range(len(self.names)) if np.ptp(self._code(place, view))]
        all_of = [chosen for size in (2, 3) for chosen in combinations(varied, size)]
        if len(varied) <= NARROW:
            return [Band(view, chosen) for chosen in all_of]
        rng = np.random.default_rng(VIEWS.index(view))
        largest, bands = int(np.ceil(LARGEST_BAND * len(varied))), set()
        for number in range(min(max(FEWEST_BANDS, len(varied)), MOST_BANDS)):
            first = varied[number % len(varied)]
            order = [first, *(place for place in rng.permutation(varied).tolist() if place != first)]
            size = self._size(order[:largest], view, apart=TOLD_APART[number % len(TOLD_APART)])
            bands.add(Band(view, tuple(sorted(order[:size]))))
        return sorted(bands, key=lambda band: band.columns)

    def _size(self, order: Sequence[int], view: View, *, apart: float) -> int:
        step = max(1, self._all // TRIED_ROWS)
        for size in range(2, len(order)):
            keys = band_keys([self._code(place, view)[::step] for place in order[:size]])
            if len(_counted(keys).single) >= apart * len(keys):
                return size
        return len(order)


def _divided(values: Words, sizes: Words) -> list[Words]:
    return np.split(values, np.cumsum(sizes))[:-1]


def _some(table: pa.Table, *, most: int, rng: np.random.Generator) -> pa.Table:
    return table.take(rng.permutation(table.num_rows)[:most])


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables, in the columns that they share, as text where their types differ."""
    names = [name for name in tables[0].column_names if all(name in table.column_names for table in tables)]
    columns = []
    for name in names:
        parts = [table.column(name) for table in tables]
        kinds = {part.type for part in parts}
        parts = parts if len(kinds) == 1 else [part.cast(pa.string()) for part in parts]
        columns.append(pa.chunked_array([chunk for part in parts for chunk in part.chunks], type=parts[0].type))
    return pa.table(columns, names=names)


def _counted(keys: Words) -> _Counted:
    values, counts = np.unique(keys, return_counts=True)
    return _Counted(values[counts == 1], int((counts == 2).sum()))


def _by_chance(agreed: int, *, pairs: int, rate: float) -> float:
    """Return the probability of at least `agreed` agreements if they are at most `rate` times as frequent as pairs."""
    return float(stats.binom.sf(agreed - 1, agreed + pairs, rate / (1 + rate)))


def _covers(agreeing: Sequence[frozenset[int]], common: set[int]) -> bool:
    """Return True if the bands cover most of the columns, even if any single one is left out."""
    if not agreeing:
        return False
    for left_out in common:
        covered = set().union(*(band for band in agreeing if left_out not in band))
        if len(covered & common) < COVERED * (len(common) - 1):
            return False
    return True
