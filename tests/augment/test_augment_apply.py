from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from oracle.augment import Draws, augmented, ranges_of
from wellfit.augment.apply import COLUMNS, DRAWN
from wellfit.exceptions import BadInput
from wellfit.records.augmentation import NOTHING, OPERATIONS, STRENGTHS, Augmentation, asked_for, survives_mirror

EVERYTHING = Augmentation(
    flip_horizontal=0.5,
    flip_vertical=0.5,
    rotate=30,
    translate=0.2,
    scale=0.4,
    crop=3,
    erase=0.3,
    brightness=0.4,
    contrast=0.4,
    saturation=0.5,
    noise=0.1,
    blur=1.5,
    jpeg=70,
)
ALONE = [name for name in OPERATIONS if name != "cutmix"]


def pictures_and_draws(rows=6, *, seed=0, shape=(3, 16, 18)):
    source = torch.Generator().manual_seed(seed)
    pictures = torch.rand(rows, *shape, generator=source)
    normal = torch.randn(rows, *shape, generator=source)
    return pictures, Draws(torch.rand(rows, DRAWN, generator=source), normal)


def test_every_operation_reads_columns_of_its_own():
    read = [column for columns in COLUMNS.values() for column in columns]
    assert sorted(read) == list(range(DRAWN))
    assert set(COLUMNS) | {"cutmix"} == set(OPERATIONS)


@pytest.mark.parametrize("name", ALONE)
def test_an_operation_changes_pictures_and_strength_zero_changes_none(name):
    pictures, draws = pictures_and_draws()
    only = replace(NOTHING, **{name: getattr(EVERYTHING, name)})
    assert not torch.equal(augmented(pictures, draws, ranges=ranges_of([(only, 1.0)], rows=6)), pictures)
    assert torch.equal(augmented(pictures, draws, ranges=ranges_of([(only, 0.0)], rows=6)), pictures)


def test_the_same_draws_give_the_same_pictures_and_others_give_others():
    pictures, draws = pictures_and_draws()
    ranges = ranges_of([(EVERYTHING, 1.0)], rows=6)
    once, again = (augmented(pictures, draws, ranges=ranges) for _ in range(2))
    assert torch.equal(once, again)
    _, others = pictures_and_draws(seed=1)
    assert not torch.equal(once, augmented(pictures, others, ranges=ranges))


def test_members_of_a_population_see_what_each_would_see_alone():
    pictures, draws = pictures_and_draws()
    members = [(EVERYTHING, 1.0), (EVERYTHING, 0.0), (NOTHING, 1.0), (replace(NOTHING, rotate=10), 0.5)]
    count = len(members)
    many = Draws(draws.uniform.repeat(count, 1), draws.normal.repeat(count, 1, 1, 1))
    found = augmented(pictures.repeat(count, 1, 1, 1), many, ranges=ranges_of(members, rows=6))
    for place, member in enumerate(members):
        alone = augmented(pictures, draws, ranges=ranges_of([member], rows=6))
        torch.testing.assert_close(found[6 * place : 6 * place + 6], alone, atol=1e-6, rtol=0)
    assert torch.equal(found[6:12], pictures)
    assert torch.equal(found[12:18], pictures)


def test_a_picture_is_changed_alike_whatever_stands_beside_it():
    pictures, draws = pictures_and_draws()
    ranges = ranges_of([(EVERYTHING, 1.0)], rows=6)
    alone = Draws(draws.uniform[2:3], draws.normal[2:3])
    found = augmented(pictures[2:3], alone, ranges=ranges_of([(EVERYTHING, 1.0)], rows=1))
    torch.testing.assert_close(augmented(pictures, draws, ranges=ranges)[2:3], found, atol=1e-6, rtol=0)


def test_values_stay_in_range():
    pictures, draws = pictures_and_draws(40)
    found = augmented(pictures, draws, ranges=ranges_of([(EVERYTHING, 2.0)], rows=40))
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_a_strength_above_one_flips_no_more_than_was_asked():
    assert float(ranges_of([(EVERYTHING, 1.8)], rows=1)["flip_horizontal"]) == 0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_changes_pictures_as_the_cpu_does():
    pictures, draws = pictures_and_draws(32)
    ranges = ranges_of([(replace(EVERYTHING, jpeg=0), 1.0)], rows=32)
    here = augmented(pictures, draws, ranges=ranges)
    there = augmented(
        pictures.cuda(),
        Draws(draws.uniform.cuda(), draws.normal.cuda()),
        ranges={name: each.cuda() for name, each in ranges.items()},
    )
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("classes", "colour", "safe"),
    [
        (("cat", "dog"), True, True),
        (("cat", "dog"), False, False),
        (tuple("0123456789"), True, False),
        (("a", "b"), True, False),
        (("turn left", "turn_right"), True, False),
        (("10", "20"), True, False),
        ((), True, False),
    ],
)
def test_only_labels_that_surely_survive_a_mirror_are_mirrored_unasked(classes, colour, safe):
    assert survives_mirror(classes, colour=colour) is safe
    assert (asked_for("light", classes=classes, colour=colour).flip_horizontal > 0) is safe


def test_flips_of_digits_are_there_when_they_are_asked_for():
    asked = asked_for("flip-horizontal=.5, rotate=10", classes=tuple("0123456789"), colour=False)
    assert asked == replace(NOTHING, flip_horizontal=0.5, rotate=10)


def test_named_strengths():
    assert [asked_for(name).rotate for name in ("none", "light", "strong")] == [0, 6, 15]
    assert asked_for("none", classes=("cat", "dog")) == NOTHING
    assert all(asked_for(name, classes=("cat", "dog")).flip_vertical == 0 for name in STRENGTHS)


@pytest.mark.parametrize(
    ("text", "words"),
    [("rotat=3", "rotate"), ("rotate=much", "rotate=NUMBER"), ("rotate=-1", "in [0, 180]"), ("ligth", "light")],
)
def test_a_wrong_augmentation_is_refused_with_the_way_out(text, words):
    with pytest.raises(BadInput) as caught:
        asked_for(text)
    assert words in str(caught.value)
