"""Turn prepared arrays into tensors and a network to train, and a trained network into predictions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from wellfit.base.typing import Floats, Task
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.config import Config, Network, Regularization
from wellfit.stats.calibration import tempered
from wellfit.training.module import AnyNetwork, ModuleNetwork, module_network
from wellfit.training.network import MLP, ConvNet, quantile_edges

EDGES = "bins.edges"
OUTPUT_RANGE = "output_range"
ROWS_AT_ONCE = 8_192
"""Number of rows in one forward pass of a prediction, so that memory does not grow with the table."""
PICTURES_AT_ONCE = 256


@dataclass(frozen=True)
class Inputs:
    """The inputs of a network: numeric [N, D] and codes [N, C] of N rows."""

    numeric: Tensor
    codes: Tensor

    @classmethod
    def of(cls, arrays: Arrays, *, dtype: torch.dtype = torch.float32) -> Inputs:
        """Return arrays as tensors, sharing their memory where the type is the same."""
        return cls(torch.from_numpy(arrays.numeric).to(dtype), torch.from_numpy(arrays.codes))

    def __len__(self) -> int:
        return len(self.numeric)

    def __getitem__(self, places: Tensor | slice) -> Inputs:
        return Inputs(self.numeric[places], self.codes[places])


def target_of(arrays: Arrays, preparation: Preparation, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the target: class codes [N], or values [N] or [N, K] standardized by the training rows."""
    if preparation.schema.task == "classification":
        return torch.from_numpy(arrays.target)
    return torch.from_numpy((arrays.target - preparation.target_mean) / preparation.target_scale).to(dtype)


def require_labels(regularization: Regularization, *, task: Task) -> None:
    """Refuse label smoothing of a regression target, which has no labels."""
    if regularization.label_smoothing and task == "regression":
        raise BadInput(
            "label_smoothing must be used with classes, which a regression target does not have",
            found=f"label_smoothing={regularization.label_smoothing!r}",
            remedy="Set label_smoothing to 0",
        )


def output_range_of(data: Prepared) -> Floats:
    """Return the lowest and highest training target [2] or [2, K], to which predicted values are clipped."""
    return np.array([data.train.target.min(axis=0), data.train.target.max(axis=0)], dtype=np.float64)


def new_mlp(data: Prepared, network: Network, *, seed: int, dtype: torch.dtype = torch.float32) -> MLP:
    """Return a table's network as `seed` initializes it; its bin edges come from the training rows alone."""
    edges = quantile_edges(data.train.numeric, bins=network.bins) if network.embedding == "ple" else None
    if edges is not None and dtype is torch.float64:
        # Before widths are computed: rounded to float32, a bin would end beside the edge where the next one begins.
        edges = edges.astype(np.float64)
    started = _shaped(data.preparation, network, edges=edges)
    started.start(seed=seed)
    return started.to(dtype)


def conv_network(preparation: Preparation, network: Network, *, seed: int = 0) -> ModuleNetwork:
    """Return the convolutional network as `seed` initializes it; refuse rows that are not pictures."""
    if preparation.schema.picture is None:
        raise BadInput("a convolutional network must be used with pictures", found="a table", remedy="Remove kind")
    height, width, channels = preparation.schema.picture
    shape = (channels, height, width)
    factory = functools.partial(ConvNet, shape, widths=network.widths, activation=network.activation)
    return module_network(preparation, factory, seed=seed)


def network_from(state: Mapping[str, Floats], preparation: Preparation, network: Network) -> AnyNetwork:
    """Return the network whose parameters and bin edges are in `state`; Refusal if they belong to another network."""
    # Before it is built: the sizes may be a stranger's, and fill the memory.
    least = sum(below * above for below, above in pairwise(network.widths))
    if max(least, *network.widths, 0) > sum(array.size for array in state.values()):
        raise _misfit("fewer weights than units")
    restored: AnyNetwork
    try:
        if network.kind == "conv":
            restored = conv_network(preparation, network)
        else:
            restored = _shaped(preparation, network, edges=state.get(EDGES))
        named = {name: torch.from_numpy(np.array(value)) for name, value in state.items() if name != OUTPUT_RANGE}
        restored.load_state_dict(named)
    except (RuntimeError, IndexError) as error:
        raise _misfit(str(error).splitlines()[-1].strip()) from error
    return restored.eval()


def _misfit(found: str) -> Refusal:
    return Refusal(
        "weights must belong to the network for which they were kept",
        found=found,
        remedy="The file was damaged or changed: restore it from a copy, or train again",
    )


def state_of(network: AnyNetwork, data: Prepared) -> dict[str, Floats]:
    """Return, by name, everything that prediction needs besides the preparation and the config."""
    state: dict[str, Floats] = {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
    if data.preparation.schema.task == "regression":
        state[OUTPUT_RANGE] = output_range_of(data)
    return state


def rows_at_once(network: AnyNetwork) -> int:
    """Return how many rows fit in one forward pass: inside the network, a picture takes many times its size."""
    pictures = isinstance(network, ModuleNetwork) and isinstance(network.module, ConvNet)
    return PICTURES_AT_ONCE if pictures else ROWS_AT_ONCE


@torch.no_grad()
def outputs_of(network: AnyNetwork, inputs: Inputs) -> Tensor:
    """Return the outputs [N, K] without dropout, a few thousand rows at a time."""
    most = rows_at_once(network)
    batches = [inputs[start : start + most] for start in range(0, max(len(inputs), 1), most)]
    return torch.cat([network(batch.numeric, batch.codes) for batch in batches])


def predictions_of(outputs: Tensor, preparation: Preparation, *, output_range: Floats) -> Floats:
    """Return probabilities [N, classes], or values [N] or [N, K] in the target's unit, inside the training range."""
    if preparation.schema.task == "classification":
        return outputs.double().softmax(dim=1).float().numpy()
    named = outputs[:, 0] if preparation.targets == 1 else outputs
    values = named.double().numpy() * preparation.target_scale + preparation.target_mean
    low, high = output_range
    return np.clip(values, low, high)


def _shaped(preparation: Preparation, network: Network, *, edges: Floats | None) -> MLP:
    return MLP(
        network,
        columns=len(preparation.numeric_names),
        levels=[codes - 1 for codes in preparation.cardinalities],
        outputs=preparation.outputs,
        edges=edges,
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, for the same sums in the same order, and restore the caller's number afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


ANY = np.array([-np.inf, np.inf])
"""The range of outputs that are not clipped."""


@dataclass(frozen=True)
class Part:
    """One network of a model: its share of the average (all add up to 1), and its state as `Outcome.state` has it."""

    weight: float
    config: Config
    state: Mapping[str, Floats]


def predict_average(preparation: Preparation, parts: Sequence[Part]) -> Callable[[Arrays], Floats]:
    """Return a function that averages the networks of an ensemble by their weights, as `predict` does for one."""
    if len(parts) == 1:
        return predict(preparation, parts[0].config, parts[0].state)
    return averaged([(part.weight, predict(preparation, part.config, part.state)) for part in parts])


def averaged(networks: Sequence[tuple[float, Callable[[Arrays], Floats]]]) -> Callable[[Arrays], Floats]:
    """Return the function that averages the predictions of networks by their weights."""
    return lambda arrays: np.asarray(sum(weight * network(arrays).astype(np.float64) for weight, network in networks))


def at_temperature(predict: Callable[[Arrays], Floats], temperature: float) -> Callable[[Arrays], Floats]:
    """Return `predict` with its probabilities at a temperature; at 1, `predict` itself."""
    return predict if temperature == 1.0 else lambda arrays: tempered(predict(arrays), temperature)


def predict(preparation: Preparation, config: Config, state: Mapping[str, Floats]) -> Callable[[Arrays], Floats]:
    """Return the prediction function of the network in `state`, which is in the form of `Outcome.state`.

    It maps arrays of N rows, without looking at their target, to probabilities [N, classes], or to values [N] in the
    target's unit, inside the range of the training targets.
    """

    def of(arrays: Arrays) -> Floats:
        with one_thread():
            network = network_from(state, preparation, config.network)
            outputs = outputs_of(network, Inputs.of(arrays))
            return predictions_of(outputs, preparation, output_range=state.get(OUTPUT_RANGE, ANY))

    return of
