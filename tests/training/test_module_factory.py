from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from module_cases import Normed, Plain, Tied, prepare_small
from wellfit.exceptions import BadInput
from wellfit.records.config import Network as NetworkKnobs
from wellfit.training.module import ModuleNetwork, code_of, module_network
from wellfit.training.module_checks import decay_list
from wellfit.training.network import MLP

SHARED = nn.Linear(7, 2)


def plain(inputs, outputs, width=8):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def fixed():
    return nn.Linear(7, 2)


def sharing():
    return nn.Sequential(SHARED)


def sharing_a_buffer(inputs, outputs):
    net = nn.Linear(inputs, outputs)
    net.register_buffer("scale", SHARED.weight.detach())
    return net


def of_numpy(inputs, outputs):
    net = nn.Linear(inputs, outputs)
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=net.weight.shape)))
    return net


def lazy(outputs):
    return nn.LazyLinear(outputs)


def making(kind):
    def make(inputs, outputs):
        return kind(inputs, outputs)

    return make


def of_two_shapes(inputs, outputs):
    width = int(np.random.default_rng().integers(3, 10_000))
    return nn.Sequential(nn.Linear(inputs, width), nn.Linear(width, outputs))


def sized(width):
    def make(inputs, outputs):
        return plain(inputs, outputs, width=width)

    return make


class Returns(nn.Module):
    def __init__(self, change, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.change = change

    def forward(self, rows):
        return self.change(self.linear(rows))


def returning(change):
    return lambda inputs, outputs: Returns(change, inputs, outputs)


BAD = {
    "a softmax at the end": (returning(lambda z: z.softmax(1)), "must return logits", "add up to 1"),
    "no callable": (7, "module must be a factory", "an? int"),
    "a module, not a factory": (nn.Linear(7, 2), "module must be a factory", "Linear"),
    "returns no module": (lambda: 3, "return a torch.nn.Module", "int"),
    "a type without a signature": (dict, "return a torch.nn.Module", "dict"),
    "on another device": (lambda: nn.Linear(7, 2, device="meta"), "built on the CPU", "another device"),
    "returns a class": (lambda: nn.Linear, "return a torch.nn.Module", "Linear"),
    "wants something else": (lambda width: nn.Linear(7, 2), "inputs= and outputs=", "width"),
    "shared parameters": (sharing, "new parameters and buffers each time it is called", r"0\.weight"),
    "shared buffers": (sharing_a_buffer, "new parameters and buffers each time it is called", "scale"),
    "own random numbers": (of_numpy, "depend only on torch's seed", "weight"),
    "own random shapes": (of_two_shapes, "depend only on torch's seed", "0.weight"),
    "nothing to train": (nn.Identity, "must have parameters", "none"),
    "lazy": (lazy, "shapes when it is built", "lazy"),
    "wrong inputs": (lambda outputs: nn.Linear(5, outputs), r"\[rows, 7\]", "RuntimeError"),
    "wrong outputs": (lambda inputs: nn.Linear(inputs, 3), r"\[rows, 2\] logits", r"\[5, 3\] from 5 rows"),
    "too many axes": (returning(lambda out: out[:, None]), r"\[rows, 2\] logits", r"\[5, 1, 2\]"),
    "one value a row": (returning(lambda out: out[:, 0]), r"\[rows, 2\] logits", r"\[5\] from"),
    "an axis lost with one row": (returning(torch.squeeze), r"\[rows, 2\] logits", r"\[2\] from 1 rows"),
    "not finished": (returning(lambda out: out.nothing), r"\[rows, 7\]", "AttributeError"),
    "a tuple": (returning(lambda out: (out, out)), r"\[rows, 2\] logits", "tuple"),
    "classes, not logits": (returning(lambda out: out > 0), r"\[rows, 2\] logits", "bool"),
    "detached": (returning(lambda out: out.detach()), r"\[rows, 2\] logits", "do not depend"),
}


def built(factory, *, task="classification", seed=0):
    return ModuleNetwork(
        factory, columns=3, levels=[4], outputs=2 if task == "classification" else 1, task=task, seed=seed
    )


@pytest.mark.parametrize(("factory", "rule", "found"), BAD.values(), ids=BAD)
def test_a_bad_factory_is_refused_with_rule_and_value(factory, rule, found):
    with pytest.raises(BadInput, match=rf"module.*{rule}.*{found}|{rule}.*{found}.*module"):
        built(factory)


@pytest.mark.parametrize(
    "factory", [plain, fixed, Plain, functools.partial(plain, width=5), lambda outputs: nn.Linear(7, outputs)]
)
def test_a_factory_is_given_what_it_names(factory):
    net = built(factory)
    assert net(torch.zeros(4, 3), torch.ones(4, 1, dtype=torch.int32)).shape == (4, 2)


@pytest.mark.parametrize("squeeze", [True, False])
def test_values_may_come_with_or_without_an_axis(squeeze):
    net = built(returning(lambda out: out[:, 0] if squeeze else out), task="regression")
    assert net(torch.zeros(4, 3), torch.ones(4, 1, dtype=torch.int32)).shape == (4, 1)


def test_the_module_reads_numbers_then_one_hot_categories():
    net = built(fixed)
    encoded = net.encode(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.tensor([[2], [0]]))
    assert encoded.tolist() == [[1, 2, 3, 0, 1, 0, 0], [4, 5, 6, 0, 0, 0, 0]]


def test_the_start_is_torchs_with_the_seed_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    expected = plain(7, 2)
    before = torch.get_rng_state()
    net = built(plain, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    for ours, theirs in zip(net.module.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(built(plain, seed=6).module[0].weight, expected[0].weight)


def test_columns_and_classes_come_from_the_data():
    data = prepare_small("classification")
    net = module_network(data.preparation, Plain, seed=0)
    assert (net.inputs, net.outputs) == (3 + 3 + 12, 3)


def test_a_module_in_another_precision_is_trained_in_single():
    data = prepare_small("classification")
    net = module_network(data.preparation, lambda inputs, outputs: Plain(inputs, outputs).double(), seed=0)
    assert net(torch.from_numpy(data.dev.numeric), torch.from_numpy(data.dev.codes)).dtype == torch.float32


def test_a_compiled_module_is_taken_as_it_was_written():
    torch.manual_seed(0)
    written = plain(7, 2)

    def compiled(inputs, outputs):
        return torch.compile(plain(inputs, outputs), backend="eager")

    net = ModuleNetwork(compiled, columns=7, levels=[], outputs=2, task="classification")
    assert [name for name, _ in net.module.named_parameters()] == [name for name, _ in written.named_parameters()]
    assert not any(hasattr(each, "_orig_mod") for each in net.module.modules())


def test_a_state_brings_the_network_back():
    net, other = built(Normed, seed=0), built(Normed, seed=1)
    rows, codes = torch.randn(6, 3), torch.ones(6, 1, dtype=torch.int32)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(rows, codes), other(rows, codes))


def test_norms_biases_and_embeddings_are_not_decayed():
    net = built(Normed)
    assert set(net.decayed()) == {"module.layers.0.weight", "module.layers.4.weight", "module.last.weight"}
    spared = {entry.name: entry.spared for entry in decay_list(net.module) if not entry.decayed}
    assert spared["layers.1.weight"] == spared["layers.5.weight"] == spared["layers.5.bias"] == "norm"
    assert spared["last.bias"] == "bias"
    assert "frozen" not in spared
    assert set(net.decayed()) | set(net.undecayed()) | {"module.frozen"} == set(dict(net.named_parameters()))


def test_a_tied_weight_is_listed_once_and_an_embedding_spared():
    listed = {entry.name: entry.spared for entry in decay_list(built(Tied).module)}
    assert listed["first.weight"] == ""
    assert "second.weight" not in listed
    assert listed["places.weight"] == "embedding"


class RootMeanNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(2, 2))


def test_norms_of_the_users_own_are_known_by_their_name():
    net = nn.ModuleList([RootMeanNorm(), nn.LayerNorm((2, 2)), nn.LSTM(2, 2), nn.Linear(2, 2)])
    decayed = {entry.name for entry in decay_list(net) if entry.decayed}
    assert decayed == {"2.weight_ih_l0", "2.weight_hh_l0", "3.weight"}


def test_a_source_names_the_code_and_its_arguments():
    def source(factory):
        return code_of(factory, factory(inputs=7, outputs=2))

    assert source(plain).startswith("plain@")
    assert source(plain) == source(plain)
    assert source(Plain) != source(plain)
    assert source(functools.partial(plain, width=5)) != source(functools.partial(plain, width=6))
    assert source(making(Plain)) == source(making(Plain))
    assert source(sized(4)) == source(sized(4))
    # What a closure holds shows in the layers.
    assert source(sized(4)) != source(sized(5))
    # The factory is the same: the classes that it returns are not.
    assert source(making(Plain)) != source(making(Tied))


def test_a_source_that_cannot_be_read_is_refused():
    namespace = {}
    exec("def typed(): return None", namespace)
    with pytest.raises(BadInput, match="source of a module must be readable"):
        code_of(namespace["typed"], nn.Linear(1, 1))


def test_the_list_of_the_built_in_network_is_what_it_decays():
    net = MLP(NetworkKnobs(widths=(4, 3), embedding="none"), columns=3, levels=[2, 12], outputs=2)
    assert {entry.name for entry in decay_list(net) if entry.decayed} == set(net.decayed())
    assert {entry.name for entry in decay_list(net) if not entry.decayed} == set(net.undecayed())
