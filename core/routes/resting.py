"""The accounts of a run that rest, as all workers see them through the store.

Nothing here may stop what pays: a store that cannot be read or written, or an object in it that is broken, means that
no account rests.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Literal

from pydantic import ValidationError

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import AccountRestsError, RecordConflictError, StoreError
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.redaction import shorten
from prefect_omnivideo.core.routes import breaker
from prefect_omnivideo.core.routes.breaker import Phase, Rest, phase
from prefect_omnivideo.core.storage.base import ETag, ObjectStore, json_bytes
from prefect_omnivideo.core.threads import on_records

PREFIX = "omnivideo-accounts"
LOOK_SECONDS = 10.0
"""How long what was read of an account counts."""
_LONGEST_WHY = 300

News = Literal["rested", "back"]


class Resting:
    """Which accounts rest.

    Args:
        accounts: those of the run.
        tell: called with an account that this process sends to rest, or that its try brings back.
    """

    def __init__(
        self, store: ObjectStore, accounts: Sequence[Account], tell: Callable[[Account, News, Rest], object]
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._tell = tell
        self._known: dict[str, Rest | None] = {}
        self._read_at: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._trials: dict[str, asyncio.Event] = {}

    def rests(self, account: Account) -> bool:
        """Whether another account is better, by what is known."""
        return phase(self._known.get(account.id), now()) is Phase.RESTING or account.id in self._trials

    async def refresh(self) -> None:
        """Read what was not read for a while."""
        for account in self._accounts:
            if monotonic() >= self._read_at.get(account.id, -LOOK_SECONDS) + LOOK_SECONDS:
                self._read_at[account.id] = monotonic()
                await self._look(account)

    async def admit(self, account: Account, submits: Callable[[], Awaitable[bool]]) -> str:
        """Let work on one video begin.

        Args:
            submits: whether it begins with a submission; waiting and storing need no permission.

        Returns:
            The id of the try, if the work is that; otherwise empty.

        Raises:
            AccountRestsError: the account rests.
        """
        await self.refresh()
        while (rest := self._known.get(account.id)) is not None and await submits():
            if (trial := self._trials.get(account.id)) is not None:
                await trial.wait()
            elif phase(rest, now()) is Phase.RESTING:
                raise AccountRestsError(
                    f"account {account.id} rests until {rest.ends_at:%Y-%m-%d %H:%M:%S %Z}, as it kept failing "
                    f"({rest.why}); nothing was sent. Run the batch again after that"
                )
            else:
                self._trials[account.id] = asyncio.Event()
                claimed = uuid.uuid4().hex
                try:
                    if await on_records(self._claim, account, claimed):
                        return claimed
                except BaseException:
                    self._end_trial(account)
                    raise
                self._end_trial(account)
        return ""

    async def ended(self, account: Account, trial: str, why: str | None) -> None:
        """Work that was admitted has ended, with news of the account.

        Args:
            why: how it failed; None: it works.
        """
        self._failures[account.id] = 0 if why is None else self._failures[account.id] + 1
        news: tuple[News, Rest] | None = None
        try:
            if why is not None and (trial or self._failures[account.id] >= breaker.FAILURES):
                rest = await on_records(self._rest, account, trial, shorten(why, _LONGEST_WHY))
                news = ("rested", rest) if rest else None
            elif trial and why is None:
                rest = await on_records(self._change, account, trial, lambda rest: None)
                news = ("back", rest) if rest else None
        finally:
            if trial:
                self._end_trial(account)
        if news:
            self._tell(account, *news)

    async def told_nothing(self, account: Account, trial: str) -> None:
        """Work that was admitted has ended before it could tell anything: another one may be the try."""
        if trial:
            try:
                await on_records(self._change, account, trial, breaker.untried)
            finally:
                self._end_trial(account)

    def _end_trial(self, account: Account) -> None:
        self._trials.pop(account.id).set()

    def _claim(self, account: Account, trial: str) -> bool:
        """Whether the work may begin: as the try, or as nothing can be known."""
        try:
            rest, etag = self._read(account)
            if rest is not None and etag is not None:
                if phase(rest, now()) is not Phase.DUE:
                    return False
                self._write(account, breaker.tried(rest, now(), trial), etag)
        except RecordConflictError:
            self._look_now(account)
            return False
        except StoreError:
            self._known[account.id] = None
        return True

    def _rest(self, account: Account, trial: str, why: str) -> Rest | None:
        """Send the account to rest, unless somebody else has."""
        try:
            before, etag = self._read(account)
            is_ours = before is not None and trial != "" and before.trial == trial
            if phase(before, now()) is Phase.RESTING and not is_ours:
                return None
            rest = breaker.resting(before, now(), why)
            self._write(account, rest, etag)
        except StoreError:
            return None
        return rest

    def _change(self, account: Account, trial: str, step: Callable[[Rest], Rest | None]) -> Rest | None:
        """End a try: the rest as it was; None if it is not this one's any more."""
        try:
            rest, etag = self._read(account)
            if rest is None or etag is None or rest.trial != trial:
                return None
            if (after := step(rest)) is not None:
                self._write(account, after, etag)
            else:
                self._store.delete(name_of(account))
                self._known[account.id] = None
        except StoreError:
            return None
        return rest

    async def _look(self, account: Account) -> None:
        await on_records(self._look_now, account)

    def _look_now(self, account: Account) -> None:
        try:
            self._read(account)
        except StoreError:
            self._known[account.id] = None

    def _read(self, account: Account) -> tuple[Rest | None, ETag | None]:
        found = self._store.read(name_of(account))
        try:
            rest = Rest.model_validate_json(found[0]) if found else None
        except ValidationError:
            rest = None
        self._known[account.id] = rest
        return rest, found[1] if found else None

    def _write(self, account: Account, rest: Rest, etag: ETag | None) -> None:
        data = json_bytes(rest.model_dump(mode="json"))
        if etag is None:
            self._store.create(name_of(account), data)
        else:
            self._store.replace(name_of(account), data, etag)
        self._known[account.id] = rest


def name_of(account: Account) -> str:
    """Name in the store of what is kept about an account that rests; no record is called so."""
    return f"{PREFIX}/{account.id}.rest"
