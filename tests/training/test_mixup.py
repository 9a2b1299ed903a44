from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, kstest

from oracle.loop import Mixture, Moment, mixture, share_of
from wellfit.records.config import Config, Regularization


def moment(alpha, *, update=3):
    config = Config(regularization=Regularization(mixup=alpha))
    return Moment(config=config, stream="shared", update=update, updates=10_000)


def test_without_mixup_nothing_is_drawn_or_mixed():
    assert mixture(moment(0.0), rows=8) is None


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 4.0])
def test_shares_follow_the_beta_distribution_and_partners_permute(alpha):
    mixes = [mixture(moment(alpha, update=update), rows=16) for update in range(1_000)]
    assert kstest([mix.share for mix in mixes], beta(alpha, alpha).cdf).pvalue > 1e-4
    assert all(np.array_equal(np.sort(mix.partner), np.arange(16)) for mix in mixes)


@pytest.mark.parametrize("uniform", [1e-15, 0.1, 0.499, 0.501, 0.9])
def test_towards_alpha_zero_every_row_is_one_of_the_two(uniform):
    assert share_of(1e-6, uniform=uniform) == pytest.approx(float(uniform > 0.5), abs=1e-12)


def test_a_share_of_one_leaves_the_rows_as_they_are():
    rows = torch.randn(6, 3)
    assert torch.equal(Mixture(1.0, torch.randperm(6))(rows), rows)


@settings(deadline=None)
@given(share=st.floats(0, 1))
def test_inputs_and_labels_are_mixed_in_the_same_shares(share):
    rows, labels = torch.arange(10.0).reshape(5, 2), torch.eye(5)
    mix = Mixture(share, torch.tensor([1, 2, 3, 4, 0]))
    torch.testing.assert_close(mix(rows), mix(labels) @ rows)
    torch.testing.assert_close(mix(labels).sum(1), torch.ones(5))
    torch.testing.assert_close(mix(labels).diagonal(), torch.full((5,), share))


def test_members_with_other_alphas_mix_the_same_pairs():
    few, many = (mixture(moment(alpha), rows=20) for alpha in (0.2, 2.0))
    assert torch.equal(few.partner, many.partner)
    assert (few.share - 0.5) * (many.share - 0.5) > 0
