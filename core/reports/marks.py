"""The file that the gallery exports: which videos a person keeps, rejects, or wants another take of."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import KEY_LENGTH

Mark = Literal["keep", "reject", "again"]
"""`again`: another take is wanted."""

_FORM = 'the file that the gallery exports: {"batch", "store", "marks": [{"key", "mark", "prompt", "take"}]}'


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MarkedVideo(_Part):
    """One video and what was decided about it. The key alone says which video; prompt and take are for readers."""

    key: Annotated[str, Field(pattern=rf"^[0-9a-f]{{{KEY_LENGTH}}}$")]
    mark: Mark
    prompt: str = ""
    take: Annotated[int, Field(ge=1)] = 1


class Marks(_Part):
    """The marks of one batch, in the order of the gallery; videos without a mark are not listed."""

    batch: Annotated[str, Field(min_length=1)]
    store: str | None = None
    """Address of the store, as `open_store` takes it, if the gallery knew it."""
    marks: tuple[MarkedVideo, ...]

    @model_validator(mode="after")
    def _one_mark_each(self) -> Marks:
        twice = [key for key, count in Counter(video.key for video in self.marks).items() if count > 1]
        if twice:
            raise ValueError(f"{', '.join(twice[:3])} marked more than once")
        return self

    def keys(self, mark: Mark) -> tuple[str, ...]:
        """Keys of the videos with a mark."""
        return tuple(video.key for video in self.marks if video.mark == mark)


def read_marks(data: bytes) -> Marks:
    """The marks in an exported file.

    Raises:
        RequestError: it is not such a file, or marks a video twice. Nothing in it may be used then.
    """
    try:
        return Marks.model_validate_json(data.decode("utf-8-sig"))
    except ValidationError as error:
        problems = [
            Problem(".".join(map(str, e["loc"])) or "file", f"{e['msg']}, got {shorten(repr(e['input']), 60)}")
            for e in error.errors()
        ]
    except UnicodeDecodeError:
        problems = [Problem("file", "it is not text in UTF-8")]
    problems[-1] = problems[-1]._replace(accepted=_FORM)
    raise RequestError(problems, subject="file of marks")
