"""A storyboard: shots in their order, each of which continues an earlier one unless it is a cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.records.batch import BatchName
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.request import KEY_LENGTH, SHOT, VideoRequest
from prefect_omnivideo.core.sheets.rows import MAX_VIDEOS

ContinueBy = Literal["auto", "extend", "last_frame", "cut"]
ONLY_ONE = "sequence"
"""The name of a storyboard that was given none."""

_LONGEST = 60
_NAME = re.compile(rf"(?!\.)[^\x00-\x1f\x7f-\x9f\\/@:]{{1,{_LONGEST}}}")
_LIKE_A_VIDEO = re.compile(rf".*-[0-9a-f]{{{KEY_LENGTH}}}")
_ACCEPTED_NAME = f"1 to {_LONGEST} characters without / \\ : @, not beginning with a dot"


class Shot(VideoRequest):
    """A video request that is one shot of a storyboard."""

    shot: str = Field(default="", description="Key of the shot, by which others name it. Empty: its number, from 1.")
    after: str = Field(default="", description="Key of the shot that it continues. Empty: the one before it.")
    continue_by: ContinueBy = Field(
        default="auto",
        description="How it continues: by the gateway's own extension (extend), from the last frame as the first "
        "(last_frame), whatever the account offers (auto), or not at all (cut).",
    )


@dataclass(frozen=True)
class Storyboard:
    """Shots in the order in which they are played. Make one by `arrange`, which checks it."""

    name: str
    shots: tuple[Shot, ...]
    """Each with its key, and with the key of the shot that it continues: empty if it continues none."""

    @property
    def stem(self) -> str:
        """The name of its files within the folder of the batch, without the ending."""
        return BatchName.of(self.name)

    def request(self, shot: Shot, made_after: str = "") -> VideoRequest:
        """What a shot asks for: it names the shot it continues, so that its identity outlives that one's remakes.

        Args:
            made_after: key of the video to continue; empty: whatever video that shot has when this one is made.
        """
        fields = {name: getattr(shot, name) for name in VideoRequest.model_fields}
        if shot.after:
            field = "first_frame" if shot.continue_by == "last_frame" else "extend_from"
            fields[field] = f"{SHOT}{self.name}/{shot.after}{made_after and f'@{made_after}'}"
        return VideoRequest.model_validate(fields)


def arrange(name: str, given: Sequence[Shot | VideoRequest | str]) -> Storyboard:
    """The storyboard of a list of shots: keys and predecessors filled in.

    Raises:
        RequestError: naming each broken rule by storyboard, shot and field.
    """
    problems: list[Problem] = []
    if not _NAME.fullmatch(name) or name != name.strip():
        problems.append(Problem("storyboard", f"{shorten(repr(name))} cannot be its name", _ACCEPTED_NAME))
    elif _LIKE_A_VIDEO.fullmatch(name):
        problems.append(Problem("storyboard", f"{name!r} looks like the name of a video", "a name without a key"))
    if not given:
        problems.append(Problem(f"storyboard {name}", "it has no shots", "at least one"))
    if len(given) > MAX_VIDEOS:
        problems.append(Problem(f"storyboard {name}", f"it has {len(given)} shots", f"at most {MAX_VIDEOS}"))
    shots = [_shot(each, number) for number, each in enumerate(given, start=1)]
    keys: dict[str, int] = {}
    arranged: list[Shot] = []
    for number, shot in enumerate(shots):
        found = _problems(shot, keys, [later.shot for later in shots[number + 1 :]])
        problems += [problem._replace(item=f"storyboard {name}, shot {shot.shot}") for problem in found]
        before = "" if shot.continue_by == "cut" or not number else shots[number - 1].shot
        arranged.append(shot.model_copy(update={"after": shot.after or before}))
        keys.setdefault(shot.shot, number)
    if problems:
        raise RequestError(problems, subject="storyboard")
    return Storyboard(name, tuple(arranged))


def check_names(boards: Sequence[Storyboard]) -> None:
    """Check that each storyboard has files of its own.

    Raises:
        RequestError: there is none, or two would have the same.
    """
    stems: dict[str, str] = {}
    problems = [] if boards else [Problem("shots", "there is no storyboard", "at least one shot")]
    for board in boards:
        if board.stem in stems:
            rule = f"{board.name!r} and {stems[board.stem]!r} would have the same file, {board.stem}.mp4"
            problems.append(Problem("storyboard", rule, "names that differ in more than blanks"))
        stems[board.stem] = board.name
    if problems:
        raise RequestError(problems, subject="storyboard")


def _shot(given: Shot | VideoRequest | str, number: int) -> Shot:
    if isinstance(given, str):
        given = Shot(prompt=given)
    shot = given if isinstance(given, Shot) else Shot.model_validate(given.model_dump())
    return shot.model_copy(update={"shot": shot.shot.strip() or str(number), "after": shot.after.strip()})


def _problems(shot: Shot, earlier: dict[str, int], later: Sequence[str]) -> list[Problem]:
    """What is wrong with a shot, by field."""
    problems: list[Problem] = []
    if not _NAME.fullmatch(shot.shot):
        problems.append(Problem("shot", f"{shorten(repr(shot.shot))} cannot be its key", _ACCEPTED_NAME))
    if shot.shot in earlier:
        problems.append(Problem("shot", f"an earlier shot has the key {shot.shot!r} too", "a key of its own"))
    if shot.after and shot.continue_by == "cut":
        problems.append(Problem("after", f"a cut continues nothing, not even {shot.after!r}", "no after, or no cut"))
    elif shot.after and shot.after not in earlier:
        known = ", ".join(map(repr, earlier)) or "no after, as it is the first"
        if shot.after == shot.shot:
            rule = "it would continue itself"
        elif shot.after in later:
            rule = f"{shot.after!r} comes after it, and is made later"
        else:
            rule = f"there is no shot {shot.after!r}"
        problems.append(Problem("after", rule, f"an earlier shot: {known}" if earlier else known))
    if not earlier and shot.continue_by in ("extend", "last_frame") and not shot.after:
        problems.append(Problem("continue_by", "it is the first shot and continues nothing", "auto or cut"))
    elif (earlier or shot.after) and shot.continue_by != "cut":
        problems += [
            Problem(name, "it begins with what it continues, and cannot begin with something else", "continue_by cut")
            for name in ("first_frame", "extend_from")
            if getattr(shot, name)
        ]
    elif shot.follows:
        problems.append(Problem("after", f"{shot.follows!r} is how records name shots", "the key of a shot, as after"))
    return problems
