"""What the fields of blocks have in common: rules that a form can check too, and "empty" for "not given"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Matches:
    """A pattern, for the schema that forms check, and the sentence that says the same in words.

    Not for secrets: the error of a form quotes the value.
    """

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, value: Any) -> Any:
        if not re.search(self.pattern, str(value)):
            raise ValueError(self.sentence)
        return value


# None is what Python callers and blocks of other packages give; in a form, an optional text would be a row of tabs.
or_empty = BeforeValidator(lambda given: "" if given is None else given)
Text = Annotated[str, or_empty]
"""A text that may be empty."""
Secret = Annotated[SecretStr, or_empty]
"""A secret that may be empty."""

BaseURL = Annotated[
    str,
    Field(
        title="Base URL",
        description="Address of the gateway's API, with scheme and without a trailing slash.",
        json_schema_extra={"minLength": 1, "pattern": r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"},
    ),
]
