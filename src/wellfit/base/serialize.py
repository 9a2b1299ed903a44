"""Records written to JSON and read from it, by pydantic, based on the fields of their dataclasses.

Writing is strict: a value that its field's type does not allow is a bug and raises an error. Reading is strict about
types and ignores unknown keys, so that entries may contain more than the record. A field's `metadata` says how its
JSON differs from the field: `OMITTED`, `omitted_if`, `named`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import CoreSchema

    from wellfit.base.typing import Json

OMITTED: Mapping[str, object] = {"exclude": True}
"""The field is left out of the JSON; it needs a default to be read back."""


def omitted_if(off: object) -> Mapping[str, object]:
    """Mark a field to be written only if its value is not `off`."""
    return {"exclude_if": lambda value: bool(value == off)}


def named(name: str) -> Mapping[str, object]:
    """Mark a field that has another name in JSON."""
    return {"alias": name}


class Record:
    """Base class of the frozen dataclasses that are kept or printed as JSON.

    A record inside another one is written from its fields alone: its own `to_json` is not called.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "arbitrary_types_allowed": True,  # hidden arrays
        "ser_json_inf_nan": "constants",
        "validate_by_name": True,
        "serialize_by_alias": True,
    }

    def to_json(self) -> Json:
        """Return plain values that `from_json` can read."""
        body: Json = self._adapter().dump_python(self, mode="json", warnings="error")
        return body

    @classmethod
    @cache
    def _adapter(cls) -> TypeAdapter[Any]:
        from pydantic import TypeAdapter  # takes a tenth of a second, for which `wellfit --help` does not wait

        return TypeAdapter(cls)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Rebuild a record from `to_json`'s result, ignoring extra keys; BadInput if a field is missing or wrong."""
        from pydantic import ValidationError

        try:
            # As text: in pydantic's strict mode only JSON may give a list for a tuple.
            record: Self = cls._adapter().validate_json(json.dumps(body), strict=True)
        except ValidationError as error:
            raise _damaged(cls, error) from error
        return record


class ClosedRecord(Record):
    """Base class of records that refuse unknown keys, since such a key might change the meaning of the others."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = {**Record.__pydantic_config__, "extra": "forbid"}


class OwnForm:
    """Base class of values inside records that define their own JSON instead of using their fields."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        """Return the schema by which pydantic reads and writes the value inside a record."""
        from pydantic_core import core_schema

        written = core_schema.plain_serializer_function_ser_schema(cls.to_json)
        return core_schema.no_info_plain_validator_function(cls.from_json, serialization=written)

    def to_json(self) -> Any:
        """Return the value as JSON."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, body: Any) -> Self:
        """Rebuild the value from the result of `to_json`."""
        raise NotImplementedError


def _damaged(kind: type[Record], error: ValidationError) -> BadInput:
    first = error.errors(include_url=False)[0]
    if isinstance(cause := first.get("ctx", {}).get("error"), BadInput):
        return cause
    place = ".".join(map(str, first["loc"]))
    return BadInput(
        f"the JSON of {kind.__name__} must have all fields, each with a value of the right type",
        found=f"{place}: {first['msg']}",
        remedy="The file was damaged or written by another program: restore it from a copy",
    )
