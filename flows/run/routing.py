"""One video on an account of a route: whether another account goes on with it, and whether the account rests."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import (
    AccountRestsError,
    JobFailedError,
    NotAcceptedError,
    StoreError,
    SubmissionUnknownError,
)
from prefect_omnivideo.core.jobs.ownership import is_owner
from prefect_omnivideo.core.jobs.persist import Log
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.breaker import Rest, is_about_the_account
from prefect_omnivideo.core.routes.fallback import may_go_on, may_submit
from prefect_omnivideo.core.routes.resting import News, Resting
from prefect_omnivideo.core.threads import on_records
from prefect_omnivideo.flows.run.fan_out import ACCOUNT_ERRORS, MovesOnError
from prefect_omnivideo.tasks.events import announce_account


class Routing:
    """The accounts of a run, if they are those of a route; otherwise it changes nothing."""

    def __init__(self, batch: str, accounts: Sequence[GatewayCredentials], records: Records, log: Log) -> None:
        self._batch = batch
        self._records = records
        self._log = log
        self._accounts = [each.account() for each in accounts]
        self._resting = Resting(
            records.store, [each for each in self._accounts if each.fallback is not None], self._tell
        )
        self.told: list[str] = []
        """Which accounts were sent to rest, or came back, in sentences for the report."""

    def rests(self, index: int) -> bool:
        """Whether another account is better for now."""
        return self._resting.rests(self._accounts[index])

    @asynccontextmanager
    async def of(self, request: VideoRequest, credentials: GatewayCredentials) -> AsyncGenerator[None]:
        """Work on one video.

        Raises:
            MovesOnError: another account of the route may make it.
        """
        account = credentials.account()
        if account.fallback is None:
            yield
            return

        async def submits() -> bool:
            found = await self._found(request)
            return found is None or may_submit(found, account)

        try:
            trial = await self._resting.admit(account, submits)
        except AccountRestsError as error:
            raise MovesOnError(error) from error
        try:
            yield
        except (NotAcceptedError, JobFailedError, SubmissionUnknownError) as error:
            found = await self._found(request)
            if found is not None and is_owner(found, account):
                await self._resting.ended(account, trial, str(error) if is_about_the_account(error) else None)
            else:
                await self._resting.told_nothing(account, trial)
            is_certain = not isinstance(error, (SubmissionUnknownError, *ACCOUNT_ERRORS))
            if is_certain and found is not None and may_go_on(found, account):
                raise MovesOnError(error) from error
            raise
        except BaseException:
            await self._resting.told_nothing(account, trial)
            raise
        await self._resting.ended(account, trial, None)

    async def _found(self, request: VideoRequest) -> VideoRecord | None:
        try:
            found = await on_records(self._records.load, self._batch, request)
        except StoreError:  # whoever needs the store next says so
            return None
        return found.record if found else None

    def _tell(self, account: Account, news: News, rest: Rest) -> None:
        if news == "rested":
            said = f"account {account.id} rests until {rest.until:%Y-%m-%d %H:%M:%S %Z}, as it kept failing: {rest.why}"
        else:
            said = f"account {account.id} works again"
        self.told.append(said)
        self._log.warning("%s", said)
        announce_account(account, news, rest)
