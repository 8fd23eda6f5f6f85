"""The sentence for each rule of a pydantic model that a value breaks: in requests, sheets and gateways' bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from prefect_omnivideo.core.errors import Problem
from prefect_omnivideo.core.redaction import shorten

_RULES = {
    "missing": "it is required",
    "extra_forbidden": "there is no such field",
    "none_required": "it must stay empty",
    "string_type": "{given} is not a text",
    "string_too_short": "it is empty",
    "string_too_long": "it has more than {max_length} characters",
    "string_unicode": "it is not valid Unicode",
    "float_type": "{given} is not a number",
    "float_parsing": "{given} is not a number",
    "finite_number": "{given} is not a finite number",
    "int_type": "{given} is not a whole number",
    "int_parsing": "{given} is not a whole number",
    "int_from_float": "{given} is not a whole number",
    "bool_type": "{given} is neither true nor false",
    "bool_parsing": "{given} is neither true nor false",
    "greater_than": "{given} is not greater than {gt:g}",
    "greater_than_equal": "{given} is less than {ge:g}",
    "less_than": "{given} is not less than {lt:g}",
    "less_than_equal": "{given} is more than {le:g}",
    "literal_error": "{given} is not one of the values",
    "enum": "{given} is not one of the values",
    "list_type": "{given} is not a list",
    "tuple_type": "{given} is not a list",
    "too_long": "it has {actual_length} entries, at most {max_length} are accepted",
    "too_short": "it has {actual_length} entries, at least {min_length} are needed",
    "dict_type": "{given} is not an object",
    "model_type": "{given} is not an object",
    "string_pattern_mismatch": "{given} does not have the form of this field",
}
"""By pydantic's type of error; a rule of our own has its sentence already."""
_OWN = ("rule", "value_error")


def problem_of(detail: ErrorDetails, *, whole: str = "request", accepted: str = "") -> Problem:
    """The broken rule that one entry of `ValidationError.errors()` is about.

    Args:
        whole: what the model is, where the rule is not about one field.
        accepted: what the field accepts, unless the rule itself says so.
    """
    context: Mapping[str, Any] = detail.get("ctx", {})
    given = shorten(repr(detail["input"]))
    field = ".".join(map(str, detail["loc"])) or whole
    known = str(context.get("accepted") or context.get("expected") or "")
    if detail["type"] in _OWN:
        return Problem(field, detail["msg"].removeprefix("Value error, "), known)
    sentence = _RULES.get(detail["type"])
    rule = sentence.format(given=given, **context) if sentence else f"{detail['msg']}, got {given}"
    return Problem(field, rule, known or accepted)
