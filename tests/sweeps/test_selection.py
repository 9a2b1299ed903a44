from __future__ import annotations

import numpy as np
import pytest

from wellfit.exceptions import Refusal
from wellfit.records.config import Config, Regularization
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.selection import TrainLimit, choose, warnings_of

ROWS = 1_000


def member(wrong, *, l2=0.0, keep=1.0, train=0.1, status=Status.FINISHED):
    """A member that is wrong on the dev rows in `wrong`."""
    losses = np.isin(np.arange(ROWS), list(wrong)).astype(float)
    config = Config(regularization=Regularization(l2=l2, keep_prob=keep))
    outcome = Outcome(
        config=config,
        status=status,
        updates=1,
        seconds=1.0,
        losses={"train": train, "dev": float(losses.mean())},
        curve=(),
        weight_norms=(1.0,),
        predictions={},
        train_losses=np.empty(0),
        state={},
    )
    return outcome, losses


def chosen(members, **options):
    outcomes = [outcome for outcome, _ in members]
    losses = {outcome.config.identity: each for outcome, each in members}
    return choose(outcomes, losses, **options)


def test_the_simplest_member_within_one_paired_standard_error_is_chosen():
    best = member(range(100))
    tied = member([*range(100), 500], l2=1.0, train=0.12)  # mean difference .001 = its standard error, about .001
    worse = member([*range(100), *range(500, 510)], l2=2.0, train=0.14)  # .01 against .003
    choice = chosen([best, tied, worse])
    assert choice.best is best[0]
    assert choice.chosen is tied[0]
    assert set(map(id, choice.tied)) == {id(best[0]), id(tied[0])}


def test_a_member_cut_short_stands_in_only_where_none_finished():
    finished, cut = member(range(100)), member(range(90), l2=1.0, train=0.3, status=Status.OUT_OF_BUDGET)
    assert chosen([finished, cut]).best is finished[0]
    assert chosen([cut]).best is cut[0]


def test_simplicity_never_costs_more_than_the_sweep_has_won():
    best = member(range(100))
    tied = member([*range(100), 500], l2=1.0, train=0.12)
    assert chosen([best, tied], baseline=0.2).chosen is tied[0]
    assert chosen([best, tied], baseline=0.1005).chosen is best[0]
    assert chosen([best, tied], baseline=0.05).chosen is best[0]


def test_the_standard_error_is_paired():
    # Either error alone has a standard error of .0095, in which .003 would drown; on the same rows it is .0017.
    best, worse = member(range(100)), member(range(103), l2=1.0, train=0.2)
    assert chosen([best, worse]).chosen is best[0]


def test_the_paired_standard_error_is_that_of_scipy():
    from scipy.stats import sem

    first, second = member(range(100)), member(range(60, 165), l2=1.0, train=0.2)
    difference = second[1] - first[1]
    assert difference.mean() < sem(difference)
    assert chosen([first, second]).chosen is second[0]


def test_a_member_equal_on_every_row_ties_and_leans_less_on_train():
    first, second = member(range(50), train=0.01), member(range(50), keep=0.5, train=0.04)
    assert chosen([first, second]).chosen is second[0]


def test_equal_in_everything_the_larger_lambda_then_the_lower_keep_prob_is_simpler():
    one, two, three = member([1]), member([1], l2=3.0), member([1], l2=3.0, keep=0.7)
    assert chosen([one, three, two]).chosen is three[0]
    assert chosen([two, one]).chosen is two[0]


def test_an_over_smoothed_member_is_chosen_only_where_all_are():
    best, smooth = member(range(100), train=0.05), member(range(100), l2=9.0, train=0.09)
    assert chosen([best, smooth], limit=TrainLimit(0.02, 0.05)).chosen is best[0]
    assert chosen([best, smooth], limit=TrainLimit(0.02, 0.08)).chosen is smooth[0]
    assert chosen([best, smooth], limit=TrainLimit(0.0, 0.01)).chosen is smooth[0]


def test_the_first_of_many_diverged_members_are_told_by_the_knobs_in_which_members_differ():
    lost = [member([], l2=float(l2), keep=0.5, status=Status.DIVERGED) for l2 in range(1, 6)]
    every = [member(range(5)), *lost]
    told = warnings_of([outcome for outcome, _ in every], chosen(every))
    named = "(l2 1, keep_prob 0.5; l2 2, keep_prob 0.5; l2 3, keep_prob 0.5; ...)"
    assert next(words for words in told if "diverged" in words).startswith(
        f"5 of 6 members ended as diverged {named}. "
    )


def test_a_diverged_member_is_never_chosen():
    fine, lost = member(range(100)), member([], l2=1.0, status=Status.DIVERGED)
    assert chosen([fine, lost]).best is fine[0]
    with pytest.raises(Refusal, match="1 members, all diverged"):
        chosen([lost])
    with pytest.raises(Refusal, match="no members"):
        chosen([])


def test_a_member_stopped_early_is_sound_and_a_dropped_one_is_never_chosen():
    fine, early = member(range(100)), member(range(80), l2=1.0, status=Status.STOPPED_EARLY)
    dropped = member(range(50), l2=2.0, status=Status.DROPPED)
    cut = member(range(60), l2=3.0, status=Status.OUT_OF_BUDGET)
    assert chosen([fine, early, dropped, cut]).best is early[0]
    assert chosen([dropped, cut]).best is cut[0]
    with pytest.raises(Refusal, match="1 members, all diverged or dropped"):
        chosen([dropped])


def test_a_dropped_member_is_not_over_smoothed_for_lack_of_updates():
    best, dropped = member(range(5), train=0.01), member(range(40), l2=4.0, train=0.3, status=Status.DROPPED)
    assert sentences([best, dropped], limit=TrainLimit(0.0, 0.02)) == ()


def sentences(members, **options):
    choice = chosen(members, **options)
    return warnings_of([outcome for outcome, _ in members], choice, **options)


WARNED = {
    "largest lambda": ([member(range(9)), member(range(5), l2=4.0)], {}, ["largest that was tried"]),
    "smallest keep_prob": ([member(range(9)), member(range(5), keep=0.5)], {}, ["smallest that was tried"]),
    "an edge where a member inside is as good": (
        [member(range(9)), member([*range(9), 500], l2=2.0), member([*range(9), 501], l2=4.0, keep=0.5)],
        {},
        [],
    ),
    "lambda 0 and keep_prob 1 are no edges": ([member(range(5)), member(range(30), l2=4.0, keep=0.5)], {}, []),
    "one value is no edge": ([member(range(5), l2=4.0, keep=0.5)], {}, []),
    "over-smoothed lambda": (
        [member(range(5), train=0.01), member(range(40), l2=4.0, train=0.3), member(range(60), l2=8.0, train=0.4)],
        {"limit": TrainLimit(0.0, 0.02)},
        ["A lambda of 4 or more over-smooths"],
    ),
    "over-smoothed choice": ([member(range(5), train=0.5)], {"limit": TrainLimit(0.0, 0.02)}, ["chosen member itself"]),
    "diverged": (
        [member(range(5)), member([], l2=1.0, status=Status.DIVERGED)],
        {},
        [r"1 of 2 members ended as diverged \(l2 1\)\. "],
    ),
    "stopped early": (
        [member(range(5), status=Status.STOPPED_EARLY)],
        {},
        ["stopped early. The epoch was chosen by dev"],
    ),
    "dropped": ([member(range(5)), member([], l2=0.0, keep=0.9, status=Status.DROPPED)], {}, []),
    "cut short": ([member(range(5), status=Status.OUT_OF_BUDGET)], {}, ["1 of 1 members .* out of budget"]),
}


@pytest.mark.parametrize(("members", "options", "expected"), WARNED.values(), ids=WARNED.keys())
def test_warnings(members, options, expected):
    import re

    found = sentences(members, **options)
    assert len(found) == len(expected)
    assert all(re.search(pattern, sentence) for pattern, sentence in zip(expected, found, strict=True))
