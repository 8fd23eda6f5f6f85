"""Prompt templates: text with column names in braces."""

import string
from collections.abc import Mapping

from prefect_omnivideo.core.errors import RequestError, refuse

_ACCEPTED = "{column} for the text of a column, {{ and }} for braces"


class Template:
    """A template such as `{product} in {style}`.

    Names are plain column names: no attributes, no indexes, no conversions.

    Raises:
        RequestError: the braces do not match, or contain more than a name.
    """

    def __init__(self, text: str) -> None:
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise _refused(str(error)) from None
        for _, name, spec, conversion in parts:
            if name is not None and (not name.strip() or spec or conversion):
                raise _refused(
                    f"{{{name}{'!' if conversion else ':' if spec else ''}...}} is more than a column's name"
                )
        self._parts = [(literal, None if name is None else name.strip()) for literal, name, _, _ in parts]
        self.columns = tuple(dict.fromkeys(name for _, name in self._parts if name is not None))
        """The columns it uses, without duplicates."""

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every name replaced by its value."""
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self._parts).strip()


def _refused(rule: str) -> RequestError:
    return refuse("template", rule, _ACCEPTED, subject="parameters")
