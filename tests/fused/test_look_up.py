"""Bins by look-up against the dense product that they stand for, where numbers pile up, and at and beyond the edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from test_fused_equality import assert_same, config_of, stack_of

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.records.config import Network
from wellfit.training.tensors import Inputs, outputs_of

ROWS = 210
BINS = Network(widths=(12, 8), bins=16)


@pytest.fixture(scope="module")
def piled():
    """Numbers without repeats, half zeros, whole numbers, one with a single bin, and one of three values."""
    source = np.random.default_rng(3)
    smooth, other = source.normal(size=(2, ROWS))
    columns = {
        "smooth": smooth,
        "half zeros": np.where(other > 0, other, 0),
        "whole": source.integers(0, 9, ROWS).astype(float) + 0.5,
        "two": source.choice([0.25, 0.75], ROWS),
        "three": source.choice([0.25, 0.5, 0.75], ROWS),
        "target": np.sin(smooth) + other + 0.1 * source.normal(size=ROWS),
    }
    whole = pa.table(columns)
    preparation = fit_preparation(whole, infer_schema(whole, target="target", task="regression"))
    arrays = preparation.transform(whole)
    return Prepared(preparation, arrays, None, arrays)


KNOBS = [
    {},
    {"keep_prob": 0.7, "input_keep_prob": 0.6},
    {"input_noise": 2.0},
    {"mixup": 1.0},
    {"mixup": 1.0, "input_noise": 0.5, "input_keep_prob": 0.7, "keep_prob": 0.8},
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["cores", "cpu"])
@pytest.mark.parametrize("network", [BINS, replace(BINS, bins=2), replace(BINS, widths=())], ids=str)
def test_members_are_what_each_is_alone(network, engine, piled):
    knobs = [{**one, "keep_prob": one.get("keep_prob", 1.0) if network.widths else ()} for one in KNOBS]
    assert_same(piled, [config_of(one, network=network) for one in knobs], engine=engine)


@torch.no_grad()
@pytest.mark.parametrize("engine", ["cores", "cpu"])
def test_outputs_at_the_edges_beside_them_and_far_away(engine, piled):
    stack = stack_of(piled, [config_of({}, network=BINS)], engine=engine)
    source = np.random.default_rng(0)
    row = source.normal(size=stack.layout.size)
    network = stack.network_of(row)
    edges = [column[np.isfinite(column)] for column in network.bins.edges.numpy()]
    near = [
        np.concatenate([each, np.nextafter(each, np.inf), np.nextafter(each, -np.inf), [-1e6, 1e6, 0.0]])
        for each in edges
    ]
    numeric = np.stack([source.choice(each, 500) for each in near], axis=1)
    arrays = replace(piled.dev, numeric=numeric, codes=np.zeros((500, 0), np.int64), target=np.zeros(500))
    expected = outputs_of(network, Inputs.of(arrays, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(
        stack.outputs(row[None], arrays)[0], expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )
