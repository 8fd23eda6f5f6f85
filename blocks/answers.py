"""Corrections of how a gateway's answers are read, as part of its credentials."""

from __future__ import annotations

from typing import Annotated, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, field_validator

from prefect_omnivideo.core.gateways.corrections import Corrections
from prefect_omnivideo.core.gateways.words import JobStatus

Expression = Annotated[str, Field(min_length=1)]
Standing = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class AnswerCorrections(BaseModel):
    """What to look for in the gateway's answers before anything else. `omnivideo decode` shows the result."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Corrections of answers")

    task_id: list[Expression] = Field(
        default=[],
        title="Task id",
        description="JMESPath expressions for the task id in the answer to a submission, such as data.job.uuid.",
    )
    status: list[Expression] = Field(
        default=[],
        description="JMESPath expressions for the status in an answer about a job, such as data.progress.phase.",
    )
    links: list[Expression] = Field(
        default=[],
        description="JMESPath expressions for the links of a finished job, best first, such as data.files[].mp4.",
    )
    words: dict[str, Standing] = Field(
        default={},
        description="Status words the gateway uses, each with what it means.",
    )

    @field_validator("task_id", "status", "links")
    @classmethod
    def _expressions(cls, expressions: list[str]) -> list[str]:
        for expression in expressions:
            try:
                jmespath.compile(expression)
            except JMESPathError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f"{expression!r} is not a JMESPath expression: {reason}") from None
        return expressions

    def corrections(self, currency: str = "") -> Corrections:
        """The same for the core, with what the account is billed in, if it is known."""
        words = tuple((word, JobStatus(standing)) for word, standing in sorted(self.words.items()))
        return Corrections(tuple(self.task_id), tuple(self.status), tuple(self.links), words, currency)
