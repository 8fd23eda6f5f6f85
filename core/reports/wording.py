"""The text about a video for people: its name, what happened to it, and what to do about it."""

from __future__ import annotations

import unicodedata
from datetime import UTC

from prefect_omnivideo.core.errors import FailureCategory
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.reports.commands import resolve_commands

ADVICE: dict[FailureCategory, str] = {
    "refused": "Change the request as the reason says.",
    "moderated": "Do not send it again as it is: the filter would refuse it again. Change prompt or references.",
    "no balance": "Top up the account.",
    "unauthorized": "Check the key of the account, and whether it may use this model.",
    "gateway error": "The request may be valid: check the gateway's state.",
    "cancelled": "It was cancelled at the gateway.",
    "expired": "The gateway no longer has it.",
    "abandoned": "A person abandoned it.",
}


def title(record: VideoRecord) -> str:
    """The video's title for people: its prompt and its take, in one line of at most 120 characters."""
    text = plain(record.request.prompt) or "(no prompt)"
    text = text if len(text) <= 120 else text[:119] + "…"
    return text if record.request.take == 1 else f"{text} (take {record.request.take})"


def reason(record: VideoRecord) -> str:
    """Why there is no video, or none yet; empty if there is one, or no problem."""
    if record.state is VideoState.UNKNOWN:
        said = "Whether the gateway accepted it is unknown: it may have been paid."
        return f"{said} {plain(record.attempt.trouble)}".strip()
    if record.is_collectable:
        return plain(record.attempt.trouble)
    if record.state is VideoState.FAILED and record.failure:
        return f"{record.failure.category}: {plain(record.failure.message)}"
    return ""


def what_to_do(record: VideoRecord) -> str:
    """The next step for a failed or unknown video, and whether it may have cost something; empty for the others."""
    failure = record.failure
    if record.state is VideoState.UNKNOWN:
        where = f"the task list of {record.attempt.account} at {record.attempt.base_url}"
        ways = "by Resolve videos in the Prefect UI, or by a command"
        return f"Look for it in {where}, sent {moment(record)}. Then decide: {ways}."
    if record.state is not VideoState.FAILED or failure is None:
        return ""
    if failure.released:
        rest = "A person released it; the next run of the batch sends it again."
    elif failure.may_resubmit:
        rest = "Nothing was spent; the next run of the batch sends it again."
    elif not failure.accepted:
        rest = "Nothing was spent."
    else:
        rest = "The gateway had accepted it and may have charged for it."
        if failure.category not in ("refused", "moderated"):
            rest += " If the video is still wanted, ask for another take."
    return f"{ADVICE[failure.category]} {rest}"


def how_to_decide(record: VideoRecord, store: str | None, endpoint_url: str | None = None) -> str:
    """The commands for a video of unknown outcome, each with the case it is for."""
    return " ".join(f"{case}: `{command}`." for case, command in resolve_commands(record, store, endpoint_url).items())


def moment(record: VideoRecord) -> str:
    """When it was sent."""
    return f"{record.attempt.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(text: str) -> str:
    """Any text as one line that cannot break the page around it: no control characters, no direction overrides."""
    clean = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") or char in _DIRECTIONS else char for char in text)
    return " ".join(clean.split())


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
