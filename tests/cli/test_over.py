"""What `--over` means."""

from __future__ import annotations

import pytest

from wellfit.cli.over import parse_over
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.sweeps.space import configs_of, default_grid, log_uniform, uniform
from wellfit.sweeps.usual import usual_space

ROWS = 5_000
SPELLED = {
    "l2=10:1000": {"l2": log_uniform(10, 1000)},
    "keep_prob=.5:1": {"keep_prob": uniform(0.5, 1)},
    "keep_prob=.5/.8/1": {"keep_prob": [0.5, 0.8, 1]},
    "epochs=8/16, lr=.001:.1": {"epochs": [8, 16], "lr": log_uniform(0.001, 0.1)},
    "weight-decay=0/.1": {"weight_decay": [0, 0.1]},
    "l2=1:10,keep_prob=1,epochs=8/16": {"l2": log_uniform(1, 10), "keep_prob": [1], "epochs": [8, 16]},
}


def parse(text: str, members: int | None = None):
    return parse_over(text, config=Config(), rows=ROWS, members=members)


@pytest.mark.parametrize("text", SPELLED)
def test_values_as_they_are_spelled(text):
    assert parse(text) == SPELLED[text]


@pytest.mark.parametrize("members", [None, 6, 40])
def test_both_names_are_the_grid_of_the_library(members):
    keywords = {} if members is None else {"members": members}
    assert parse("l2,keep_prob", members) == default_grid(Config(), rows=ROWS, **keywords)


@pytest.mark.parametrize("members", [2, 3, 16])
@pytest.mark.parametrize("name", ["l2", "weight_decay", "keep_prob", "dropout"])
def test_one_name_is_a_path_of_as_many_members_from_no_regularization_on(name, members):
    space = parse(name, members)
    configs = configs_of(Config(), space, rows=ROWS, members=members)
    assert len(configs) == members
    assert configs[0].regularization.is_off


def test_the_other_names_mean_the_same_networks():
    pairs = [("l2", "weight_decay"), ("keep_prob", "dropout")]
    for name, alias in pairs:
        own, other = (configs_of(Config(), parse(each, 5), rows=ROWS) for each in (name, alias))
        assert [c.regularization.keep_prob for c in own] == pytest.approx([c.regularization.keep_prob for c in other])
        assert [c.regularization.l2 for c in own] == pytest.approx([c.regularization.l2 for c in other])


def test_other_knobs_and_more_than_two_get_their_usual_ranges():
    assert parse("ema") == usual_space(["ema"], Config(), rows=ROWS)
    assert parse("l2,keep_prob,label_smoothing") == usual_space(
        ["l2", "keep_prob", "label_smoothing"], Config(), rows=ROWS
    )


def test_lambda_is_searched_as_shrink_beside_lr_also_where_lr_has_values_of_its_own():
    space = parse("l2,keep_prob=.5/1,lr=.001:.01")
    assert set(space) == {"shrink", "keep_prob", "lr"}
    assert space["keep_prob"] == [0.5, 1]
    assert space["lr"] == log_uniform(0.001, 0.01)


REFUSED = {
    "epochs": "found over='epochs'",
    "l2=few": "l2=few",
    "l2=1:2:3": "l2=1:2:3",
    "l2=0:10": "low=0",
    "keep_prob=1:.5": "low=1",
    "module": "found over='module'. Choose from",
    "l2=": "at least one value; found l2=",
    "l2,l2=3:4": "named only once in --over; found l2 twice",
    "keepprob": "Did you mean 'keep_prob'?",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert REFUSED[text] in str(caught.value)
