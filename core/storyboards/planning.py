"""Which videos a run of storyboards makes: the identity of each shot, its account, and what must be made before it."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import Problem, RequestError
from prefect_omnivideo.core.gateways.continuing import Continuation, Way, continued
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.media.probe import can_read_pictures
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storyboards.storyboard import ContinueBy, Storyboard

_SMALLEST_JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"


@dataclass(frozen=True)
class Link:
    """One shot of a storyboard, as the video that this run makes or has."""

    storyboard: str
    shot: str
    request: VideoRequest
    continue_by: ContinueBy
    before: Link | None = None
    """What it continues."""

    @property
    def title(self) -> str:
        """For messages."""
        return f"storyboard {self.storyboard}, shot {self.shot}"


Known = Mapping[str, VideoRecord]
"""The records of a batch by their keys."""


def links_of(board: Storyboard, known: Known, *, remake_stale: bool) -> list[Link]:
    """The shots of a storyboard, each as the video it has, or is to have.

    A shot whose predecessor was made anew keeps its video, which is stale, unless those are to be remade: then it is a
    video of another identity, which names the video that it continues. One that was remade so is found again.
    """
    links: dict[str, Link] = {}
    for shot in board.shots:
        before = links.get(shot.after)
        request = board.request(shot)
        if before:
            remade = board.request(shot, made_after=before.request.key)
            if remade.key in known or (remake_stale and is_stale(known.get(request.key), before, known)):
                request = remade
        links[shot.shot] = Link(board.name, shot.shot, request, shot.continue_by, before)
    return list(links.values())


def is_stale(record: VideoRecord | None, before: Link | None, known: Known) -> bool:
    """Whether a shot continues a video that its predecessor had once, and has no more."""
    if record is None or before is None or may_submit(record) or not record.attempt.continues:
        return False
    found = known.get(before.request.key)
    if found is None:
        return True
    return record.attempt.continues not in {found.attempt.task_id, *(file.sha256 for file in found.files)}


def chains_of(links: Sequence[Link]) -> list[list[Link]]:
    """Links that depend on each other, or are one video, together and in their order: an account makes them in turn."""
    chain_of: dict[str, list[Link]] = {}
    for link in links:
        names = [link.request.key, *([link.before.request.key] if link.before else [])]
        joined: list[Link] = []
        for chain in {id(chain_of[name]): chain_of[name] for name in names if name in chain_of}.values():
            joined += chain
        joined.append(link)
        for member in joined:
            chain_of[member.request.key] = joined
    place = {id(link): number for number, link in enumerate(links)}
    chains = {id(chain): chain for chain in chain_of.values()}.values()
    return [sorted(chain, key=lambda link: place[id(link)]) for chain in chains]


def able_to_make(
    chain: Sequence[Link], accounts: Sequence[Account], known: Known, store: ObjectStore | None
) -> frozenset[int]:
    """Positions of the accounts that can make all shots of a chain.

    A chain that was begun goes on at its account: another one cannot extend what is not its own.

    Raises:
        RequestError: naming, by storyboard and shot, why no account can.
    """
    todo = [link for link in chain if _is_left(known.get(link.request.key), accounts)]
    begun = [
        (link, known[link.before.request.key]) for link in todo if link.before and link.before.request.key in known
    ]
    refused: dict[int, list[Problem]] = {}
    for number, account in enumerate(accounts):
        problems = [problem for link in todo for problem in _problems(link, account, store)]
        problems += [
            Problem(
                "credentials",
                f"it continues {record.stem}, made with account {record.attempt.account!r}",
                "that account",
                link.title,
            )
            for link, record in begun[:1]
            if not is_owner(record, account)
        ]
        if problems:
            refused[number] = [each._replace(field=f"{account.gateway.title}, {each.field}") for each in problems]
    if len(refused) == len(accounts):
        raise RequestError([each for problems in refused.values() for each in problems], subject="storyboard")
    return frozenset(set(range(len(accounts))) - refused.keys())


def _is_left(record: VideoRecord | None, accounts: Sequence[Account]) -> bool:
    return record is None or any(may_submit(record, account) for account in accounts)


def way_of(link: Link, account: Account, store: ObjectStore | None) -> Way:
    """How an account continues a shot.

    Raises:
        RequestError: it cannot.
    """
    ways: tuple[Way, ...] = ("extend", "last_frame") if link.continue_by == "auto" else (_only_way(link),)
    problems: list[Problem] = []
    for way in ways:
        if way == "extend" and not account.gateway.extends_by:
            problems.append(Problem("continue_by", "it extends no video", "last_frame, or another account"))
        elif way == "last_frame" and "first_frame" not in account.gateway.fields:
            problems.append(Problem("continue_by", "it takes no first frame", "extend, or another account"))
        elif way == "last_frame" and not can_read_pictures():
            rule = "the last frame of a video cannot be read without PyAV"
            problems.append(Problem("continue_by", rule, "pip install 'prefect-omnivideo[media]'"))
        elif way == "extend" and len(ways) > 1 and account.gateway.extends_by == "video id":
            continue  # no document promises that its answers tell that id
        else:
            try:
                _check(link, way, account, store)
            except RequestError as error:
                problems += error.problems
            else:
                return way
    raise RequestError([problem._replace(item=link.title) for problem in problems])


def _only_way(link: Link) -> Way:
    return "last_frame" if link.continue_by == "last_frame" else "extend"


def _problems(link: Link, account: Account, store: ObjectStore | None) -> Sequence[Problem]:
    try:
        if link.before:
            way_of(link, account, store)
        else:
            check(link.request, account, store)
    except RequestError as error:
        return [problem._replace(item=link.title) for problem in error.problems]
    return ()


def _check(link: Link, way: Way, account: Account, store: ObjectStore | None) -> None:
    """Check a shot with something in place of the video it will continue."""
    if way == "extend":
        check(continued(link.request, Continuation(way, "task-to-be", "")), account, store)
        return
    with _image() as path:
        try:
            check(continued(link.request, Continuation(way, str(path), "")), account, store)
        except RequestError as error:
            frame = f"the last frame of shot {link.before.shot if link.before else ''}"
            raise RequestError(
                [p._replace(rule=p.rule.replace(repr(str(path)), frame)) for p in error.problems]
            ) from None


@contextmanager
def _image() -> Generator[Path]:
    """A file like the last frame that there will be."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(_SMALLEST_JPEG)
        file.flush()
        yield Path(file.name)
