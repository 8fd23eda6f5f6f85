"""A person's answer to the question whether videos may be submitted."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel


class Answer(StrEnum):
    """What a person may answer; the texts are those of the form."""

    ALL = "Approve all"
    TRIAL = "Approve the first as a trial"
    STOP = "Stop"


class Approval(BaseModel, frozen=True):
    """An answer, who gave it and when."""

    asked: int
    """Videos that the question was about."""
    why: str
    """Why there was a question: what was above which threshold."""
    answer: Answer
    first: int | None = None
    """How many videos a trial has."""
    by: str = ""
    """The name that the person typed into the form; empty if nobody answered. Prefect does not tell who it was."""
    at: datetime

    def __str__(self) -> str:
        """Such as "Ada approved all 240 videos at 2026-08-01 09:30 UTC"."""
        videos = f"{self.asked} video{'' if self.asked == 1 else 's'}"
        when = f"at {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if not self.by:
            return f"nobody had answered by {self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: none of {videos} was approved"
        match self.answer:
            case Answer.ALL:
                return f"{self.by} approved all {videos} {when}"
            case Answer.TRIAL:
                return f"{self.by} approved the first {self.first} of {videos} as a trial {when}"
            case Answer.STOP:
                return f"{self.by} stopped the run {when}: none of {videos} was approved"


class Decision(NamedTuple):
    """What a run may submit.

    Attributes:
        approval: what a person answered; None if nobody was asked.
        held: keys of the requests that were not approved, of those that the batch has no videos of.
    """

    approval: Approval | None = None
    held: frozenset[str] = frozenset()

    @property
    def stops(self) -> bool:
        """Whether the run is to end here."""
        return self.approval is not None and self.approval.answer is Answer.STOP
