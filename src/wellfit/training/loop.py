"""The reference loop: one config, trained and measured. It is the oracle of every faster engine.

The moving average of the parameters along a training (Polyak and Juditsky, 1992; Tarvainen and Valpola, 2017).
Noise on the inputs: for small noise the same as a penalty on the gradient along them (Bishop, 1995).
Mixup (Zhang et al., 2018): a network learns from mixtures of two rows, and of their labels in the same shares.
L1 by proximal steps (ISTA; Daubechies et al., 2004): weights reach zero exactly, and stay.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import Tensor, nn

from wellfit._typing import Notify, ignore_events
from wellfit.config import Config, total_updates
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import trained_on
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.training.learning_curve import LearningCurve, Stopping, check_points
from wellfit.training.module import AnyNetwork
from wellfit.training.network import Dropout
from wellfit.training.noise import SHARED, batch_order, input_noise_block, mixing
from wellfit.training.objective import mean_loss, optimizer_for, require_labels, set_step, soft_labels
from wellfit.training.outcomes import Ending, outcome_of, parts_of
from wellfit.training.pictures import Address, changed, cut_of, member_of, require_pictures
from wellfit.training.predict import predict
from wellfit.training.schedules import Moment, averaging_decay
from wellfit.training.tensors import Inputs, network_from, new_network, one_thread, state_of, target_of, weights_of


def fit(
    data: Prepared,
    config: Config,
    *,
    goal: Goal,
    stream: str = SHARED,
    deadline: float | None = None,
    notify: Notify = ignore_events,
) -> Outcome:
    """Train `config` on the training rows, and measure it on every part.

    A training that diverges keeps the network of the last point of its curve at which every output was finite, so
    that its losses are numbers too; the status tells. With early stopping, the best point takes the place of the last.

    Args:
        data: the prepared parts.
        config: network, optimization, regularization, seed.
        goal: in whose loss the outcome is measured (the network trains on cross-entropy or squared error).
        stream: whose noise and batch order: shared while members are compared.
        deadline: `time.monotonic()` by which the outcome is there; status "out of budget" when updates were left.
        notify: receives an event for each point of the curve.

    Raises:
        BadInput: for label smoothing with a regression target.
    """
    began = time.monotonic()
    data = trained_on(data, config.data)
    with one_thread():
        network = new_network(data, config.network, seed=config.seed)
        curve = LearningCurve(data, goal=goal, seed=config.seed)
        training = Training(config, data, network=network, stream=stream)
        stopping = Stopping[AnyNetwork](config.optimization.early_stopping)
        status = _train(training, curve, stopping, data=data, deadline=deadline, notify=notify)
        state = state_of(stopping.network or network, data)
        predicted = predict(data.preparation, config, state)
        predictions = {name: predicted(part) for name, part in parts_of(data).items()}
    seconds = time.monotonic() - began
    ending = Ending(status=status, updates=training.updates, seconds=seconds, points=curve.points)
    measured = network_from(state, data.preparation, config.network)
    return outcome_of(data, config, goal=goal, ending=ending, network=measured, state=state, predictions=predictions)


class Training:
    """One training under way: a network, its optimizer, and the updates made so far.

    Attributes:
        network: the network whose parameters the optimizer moves.
        updates: how many updates were made.
        planned: how many the whole training has.
    """

    def __init__(
        self,
        config: Config,
        data: Prepared,
        *,
        network: AnyNetwork,
        stream: str = SHARED,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._task = data.preparation.schema.task
        require_labels(config.regularization, task=self._task)
        require_pictures(config, data.preparation.schema)
        self.network = network
        self.updates = 0
        self.planned = total_updates(config, rows=data.train.rows)
        self._config = config
        self._stream = stream
        self._shape = data.preparation.schema.picture
        self._classes = data.preparation.outputs
        self._inputs = Inputs.of(data.train, dtype=dtype)
        self._target = target_of(data.train, data.preparation, dtype=dtype)
        self._weights = None if data.train.weights is None else weights_of(data.train, dtype=dtype)
        self._total = data.train.total
        self._optimizer = optimizer_for(network, config.optimization)
        ema = config.regularization.ema
        self._average = MovingAverage(network, ema=ema) if ema else None

    @property
    def measured(self) -> AnyNetwork:
        """The network that is measured and kept: the moving average where there is one, else `network`."""
        return self._average.network if self._average else self.network

    def losses(self) -> Iterator[float]:
        """Make one update after the other, and yield the batch's loss before each."""
        for batch in self._batches():
            yield self._update(batch)

    def _batches(self) -> Iterator[Tensor]:
        knobs, rows = self._config.optimization, len(self._target)
        for epoch in range(knobs.epochs):
            order = batch_order(seed=self._config.seed, stream=self._stream, epoch=epoch, rows=rows)
            yield from torch.split(torch.from_numpy(order), knobs.batch_size)

    def _update(self, batch: Tensor) -> float:
        now = Moment(config=self._config, stream=self._stream, update=self.updates, updates=self.planned)
        cost = self._cost(batch, now)
        self._optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        self._descend(now)
        if self._average:
            self._average.add(self.network, update=self.updates)
        self.updates += 1
        return cost.item()

    def _cost(self, batch: Tensor, now: Moment) -> Tensor:
        inputs, target = self._inputs[batch], self._labels(batch)
        weights = None if self._weights is None else self._weights[batch]
        numeric, target = self._augmented(inputs.numeric, target, now)
        values = self.network.encode(jittered(numeric, now), inputs.codes)
        mix = mixture(now, rows=len(batch))
        if mix:
            values, target = mix(values), mix(target)
            weights = None if weights is None else mix(weights)
        outputs = self.network.from_encoded(values, Dropout(now))
        return mean_loss(outputs, target, task=self._task, weights=weights)

    def _augmented(self, numeric: Tensor, target: Tensor, now: Moment) -> tuple[Tensor, Tensor]:
        if self._shape is None or not self._config.regularization.augment:
            return numeric, target
        member, at = member_of(self._config), Address(self._config.seed, self._stream, now.update)
        numeric = changed(numeric, [member], at=at, shape=self._shape)[0]
        cut = cut_of(member, at=at, rows=len(numeric), shape=self._shape)
        return (cut.pictures(numeric), cut.labels(target)) if cut else (numeric, target)

    def _labels(self, batch: Tensor) -> Tensor:
        knobs, target = self._config.regularization, self._target[batch]
        cut = knobs.augment * self._config.augmentation.cutmix
        if self._task == "regression" or not (knobs.mixup or knobs.label_smoothing or cut):
            return target
        dtype = self._inputs.numeric.dtype
        return soft_labels(target, classes=self._classes, smoothing=knobs.label_smoothing, dtype=dtype)

    def _descend(self, now: Moment) -> None:
        if self._config.optimization.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self._config.optimization.clip_norm)
        set_step(self._optimizer, now, rows=self._total)
        self._optimizer.step()
        if now.l1:
            soften(self.network.decayed().values(), by=now.lr * now.l1 / self._total)


def _train(
    training: Training,
    curve: LearningCurve,
    stopping: Stopping[AnyNetwork],
    *,
    data: Prepared,
    deadline: float | None,
    notify: Notify,
) -> Status:
    points = check_points(training.planned)
    began = time.monotonic()
    if measured := curve.measure(training.measured, update=0):
        stopping.watch(curve.points[-1].dev, measured)
    if deadline is not None:
        # What is left to do after the last update: all rows are measured, as the curve's were just now.
        rows = sum(part.rows for part in parts_of(data).values())
        deadline -= (time.monotonic() - began) * rows / curve.rows
    for loss in training.losses():
        if not math.isfinite(loss):
            return Status.DIVERGED
        late = deadline is not None and time.monotonic() >= deadline and training.updates < training.planned
        if late or training.updates in points:
            measured = curve.measure(training.measured, update=training.updates)
            if measured is None:
                return Status.DIVERGED
            stopping.watch(curve.points[-1].dev, measured)
            notify({"event": "point", "updates": training.planned, **curve.points[-1]._asdict()})
        if late:
            return Status.OUT_OF_BUDGET
        if stopping.is_due:
            return Status.STOPPED_EARLY
    return Status.STOPPED_EARLY if stopping.went_back else Status.FINISHED


class MovingAverage:
    """The average of a network's parameters, which starts at the first of them.

    Attributes:
        network: a network with the averaged parameters; buffers are those of the network under training.
    """

    def __init__(self, network: AnyNetwork, *, ema: float) -> None:
        self.network = copy.deepcopy(network, {id(buffer): buffer for buffer in network.buffers()})
        self._ema = ema

    @torch.no_grad()
    def add(self, network: AnyNetwork, *, update: int) -> None:
        """Make the average d * average + (1 - d) * parameters, as they are after update number `update` (from 0)."""
        decay = averaging_decay(self._ema, update=update)
        for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.mul_(decay).add_(value, alpha=1 - decay)
        for buffer, latest in zip(self.network.buffers(), network.buffers(), strict=True):
            if buffer is not latest:
                # A user's module may replace a buffer, where torch's own layers write into it.
                buffer.copy_(latest)


def jittered(numeric: Tensor, moment: Moment) -> Tensor:
    """Return standardized numbers [N, D] + input_noise * e, e standard normal; without noise, the very same tensor."""
    spread = moment.config.regularization.input_noise
    if not spread:
        return numeric
    rows, width = numeric.shape
    noise = input_noise_block(
        seed=moment.config.seed, stream=moment.stream, update=moment.update, rows=rows, width=width
    )
    return numeric + spread * torch.from_numpy(noise).to(numeric.dtype)


def share_of(alpha: float, *, uniform: float) -> float:
    """Return the value of Beta(alpha, alpha) below which lies the share `uniform` of the draws."""
    return float(betaincinv(alpha, alpha, uniform))


@dataclass(frozen=True)
class Mixture:
    """Mixes every row of a batch with its partner: the same for inputs and labels."""

    share: float
    partner: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Return share * values + (1 - share) * values of the partners; `values` is [N] or [N, K]."""
        return self.share * values + (1 - self.share) * values[self.partner]


def mixture(moment: Moment, *, rows: int) -> Mixture | None:
    """Return how a batch of `rows` rows is mixed at this moment, or None where it is not."""
    alpha = moment.config.regularization.mixup
    if not alpha:
        return None
    uniform, partner = mixing(seed=moment.config.seed, stream=moment.stream, update=moment.update, rows=rows)
    return Mixture(share_of(alpha, uniform=uniform), torch.from_numpy(partner))


@torch.no_grad()
def soften(weights: Iterable[Tensor], *, by: float) -> None:
    """Replace each W by sign(W) max(|W| - by, 0), in place; `by` >= 0 is in the unit of the weights."""
    for weight in weights:
        weight.copy_(nn.functional.softshrink(weight, by))
