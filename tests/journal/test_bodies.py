"""An entry that lacks what its readers need is refused when it is read, whatever its kind."""

from __future__ import annotations

import math

import pytest

from wellfit.journal.bodies import FIELDS, require_fields

EXAMPLES = {str: "x", int: 1, bool: True, dict: {}, list: []}


def whole(kind):
    first = {name: types if isinstance(types, type) else types[0] for name, types in FIELDS[kind].items()}
    return {name: EXAMPLES[kind_of] for name, kind_of in first.items()}


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_is_needed_and_has_a_type(kind):
    require_fields(kind, whole(kind) | {"more": [1]})
    for name, types in FIELDS[kind].items():
        without = {key: value for key, value in whole(kind).items() if key != name}
        for odd in ({**without, name: {} if types is list else [1]}, *([] if isinstance(None, types) else [without])):
            with pytest.raises(ValueError, match=name):
                require_fields(kind, odd)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf])
def test_a_temperature_is_positive(value):
    with pytest.raises(ValueError, match="temperature"):
        require_fields("temperature", whole("temperature") | {"temperature": value})


def test_other_kinds_are_free():
    require_fields("more data", {})
