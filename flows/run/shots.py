"""Storyboards within a flow run: shots in turn, each with what it continues, several storyboards side by side."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.errors import BudgetReachedError, OmniVideoError, Problem, RequestError, refuse
from prefect_omnivideo.core.gateways.continuing import Continuation
from prefect_omnivideo.core.jobs.ownership import check_owner
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.media.last_frame import last_frame
from prefect_omnivideo.core.records.model import VideoRecord, now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.records.sequence import Sequence as Joined
from prefect_omnivideo.core.records.sequence import SequenceShot
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.fallback import may_submit
from prefect_omnivideo.core.routes.order import Accounts, Rungs
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storyboards.joining import join
from prefect_omnivideo.core.storyboards.planning import Link, able_to_make, chains_of, links_of, way_of
from prefect_omnivideo.core.storyboards.storyboard import Storyboard
from prefect_omnivideo.core.threads import on_examinations, on_records
from prefect_omnivideo.flows.run.fan_out import ACCOUNT_ERRORS, MovesOnError, fan_out
from prefect_omnivideo.flows.run.verdict import Outcome

Make = Callable[[VideoRequest, GatewayCredentials], Awaitable[None]]


class PredecessorMissingError(OmniVideoError):
    """A shot was not submitted, as there is no video that it could continue. Nothing was sent for it."""


class Shots:
    """The shots of the storyboards of one run; `plan` makes it.

    Attributes:
        requests: what they ask for, in the order in which they are played.
        re_encode: whether shots are encoded again that cannot be joined as they are.
    """

    re_encode = False

    def __init__(
        self,
        boards: Sequence[tuple[Storyboard, list[Link]]],
        able: Sequence[tuple[list[Link], Accounts]],
        records: Records,
    ) -> None:
        self._boards = boards
        self._able = able
        self._records = records
        self._links = {link.request.key: link for _, links in boards for link in links}
        self.requests = [link.request for _, links in boards for link in links]

    @classmethod
    async def plan(
        cls,
        boards: Sequence[Storyboard],
        accounts: Sequence[GatewayCredentials],
        batch: str,
        records: Records,
        *,
        remake_stale: bool,
    ) -> Shots:
        """Find out which videos the shots are, and which accounts can make them.

        Raises:
            RequestError: naming each shot that no account can make or continue; nothing was sent.
            StoreError: the store cannot be read.
        """
        known = await on_records(lambda: {record.key: record for record in records.batch(batch)})
        links = [(board, links_of(board, known, remake_stale=remake_stale)) for board in boards]
        mine = [account.account() for account in accounts]
        able: list[tuple[list[Link], Accounts]] = []
        problems: list[Problem] = []
        for chain in chains_of([link for _, each in links for link in each]):
            try:
                able.append((chain, await on_records(able_to_make, chain, mine, known, records.store)))
            except RequestError as error:
                problems += error.problems
        if problems:
            raise RequestError(list(dict.fromkeys(problems)), subject="storyboard")
        return cls(links, able, records)

    def accounts_of(self, requests: Iterable[VideoRequest]) -> list[Accounts]:
        """For each request, the accounts that can make it and all that it depends on."""
        found = {link.request.key: able for chain, able in self._able for link in chain}
        return [found[request.key] for request in requests]

    async def make_all(
        self,
        requests: Iterable[VideoRequest],
        accounts: Sequence[GatewayCredentials],
        rungs: Callable[[VideoRequest], Rungs],
        make: Make,
        outcome: Outcome,
        rests: Callable[[int], bool],
    ) -> None:
        """Make the shots: those that depend on each other in turn, with one account, and the others beside them.

        Args:
            rungs: the order in which accounts are taken for a request.
            make, rests: as `fan_out` takes them.
        """
        wanted = {request.key for request in requests}

        async def make_chain(chain: list[Link], account: GatewayCredentials) -> None:
            for link in chain:
                if link.request.key not in wanted or outcome.record_of(link.request):
                    continue
                if reason := await self._why_not(link, account, outcome):
                    outcome.give_up(link.request, reason)
                    continue
                try:
                    await make(link.request, account)
                except (*ACCOUNT_ERRORS, MovesOnError, BudgetReachedError) as error:
                    if not any(outcome.record_of(each.request) for each in chain):
                        raise  # another account may make the whole of it
                    outcome.give_up(link.request, error.reason if isinstance(error, MovesOnError) else error)

        def give_up(chain: list[Link], error: Exception) -> None:
            left = [link for link in chain if link.request.key in wanted and not outcome.record_of(link.request)]
            outcome.give_up(left[0].request, error)
            for link in left[1:]:
                outcome.give_up(link.request, _missing(link, outcome))

        work = (
            (chain, rungs(chain[0].request))
            for chain, _ in self._able
            if any(link.request.key in wanted for link in chain)
        )
        await fan_out(
            work,
            accounts,
            make_chain,
            give_up=give_up,
            model=lambda chain: chain[0].request.model or "",
            rests=rests,
        )

    async def _why_not(self, link: Link, account: GatewayCredentials, outcome: Outcome) -> OmniVideoError | None:
        """Why a shot cannot be submitted, if it is to be."""
        if link.before is None or outcome.record_of(link.before.request):
            return None
        if await self._was_submitted(link, account, outcome):
            return None
        return _missing(link, outcome)

    async def _was_submitted(self, link: Link, account: GatewayCredentials, outcome: Outcome) -> bool:
        found = await on_records(self._records.load, outcome.batch, link.request)
        return found is not None and not may_submit(found.record, account.account())

    @asynccontextmanager
    async def continuing(
        self, request: VideoRequest, account: GatewayCredentials, outcome: Outcome
    ) -> AsyncGenerator[Continuation | None]:
        """What a shot continues, while it is submitted; None if it continues nothing, or was submitted before.

        Raises:
            RequestError: the gateway told no id by which to extend the video.
            JobError: another account made what it continues.
            NotAVideoError: what it continues has no last frame.
            StoreError: the store cannot be read or written.
        """
        link = self._links[request.key]
        before = outcome.record_of(link.before.request) if link.before else None
        if before is None or await self._was_submitted(link, account, outcome):
            yield None
            return
        owner, store = account.account(), self._records.store
        if await on_records(way_of, link, owner, store) == "extend":
            check_owner(before, owner)
            yield Continuation("extend", _id_of(before, owner.gateway.extends_by), before.attempt.task_id or "")
            return
        image = await on_examinations(_last_frame, before, store)
        with tempfile.TemporaryDirectory(prefix="omnivideo-") as folder:
            path = Path(folder) / f"{before.key}-last.jpg"
            await on_records(path.write_bytes, image)
            yield Continuation("last_frame", str(path), before.files[0].sha256)

    async def join(self, outcome: Outcome, log: Log) -> None:
        """Join the shots of each storyboard, and tell the outcome; whatever goes wrong, the shots stay as they are."""
        for board, links in self._boards:
            try:
                known = {link.request.key: record for link in links if (record := outcome.record_of(link.request))}
                joined = await on_examinations(
                    join, board, links, known, outcome.batch, self._records.store, re_encode=self.re_encode
                )
            except Exception as error:
                shots = tuple(SequenceShot(shot=link.shot, key=link.request.key) for link in links)
                joined = Joined(
                    storyboard=board.name, batch=outcome.batch, shots=shots, problem=str(error), written_at=now()
                )
            outcome.sequences.append(joined)
            if joined.whole:
                log.info(
                    "storyboard %s: %d shots, %.1f s: %s",
                    board.name,
                    len(links),
                    joined.whole.seconds,
                    joined.whole.uri,
                )
            else:
                log.warning("storyboard %s is not joined: %s", board.name, joined.problem)
            if joined.stale:
                log.warning(
                    "storyboard %s: what shot %s continues was made anew since; run again with remake_stale to make "
                    "it anew as well, and pay for it",
                    board.name,
                    ", ".join(joined.stale),
                )


def _missing(link: Link, outcome: Outcome) -> OmniVideoError:
    """The error for a shot whose predecessor is not stored."""
    before = link.before.shot if link.before else ""
    said = f"it continues shot {before} of storyboard {link.storyboard}, which is not stored"
    if link.before and link.before.request in outcome.left_out:
        return BudgetReachedError(f"{said} as a budget is reached")
    return PredecessorMissingError(f"{said}. Nothing was sent for it; the next run of the batch goes on with it")


def _id_of(before: VideoRecord, kind: str) -> str:
    """By what the gateway knows the video."""
    found = before.attempt.video_id if kind == "video id" else before.attempt.task_id
    if not found:
        raise refuse(
            "continue_by",
            f"the gateway told no {kind} of {before.stem} by which it could be extended",
            "last_frame",
            subject="storyboard",
        )
    return found


def _last_frame(before: VideoRecord, store: ObjectStore) -> bytes:
    """The last frame of a stored video, which is kept beside it."""
    with store.open(before.files[0].name) as file:
        image = last_frame(file)
    store.put(f"{before.stem}-last.jpg", image, content_type="image/jpeg")
    return image
