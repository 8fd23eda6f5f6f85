"""What is reserved for one submission, in every budget that covers it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence

from prefect_omnivideo.core.budget.evidence import usage_of_reservation
from prefect_omnivideo.core.budget.holding import Holding
from prefect_omnivideo.core.budget.usage import Usage
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import Reserved, VideoRecord


class Ticket:
    """A reservation for one submission, which its record names.

    Args:
        amount: what it counts as until its cost is known; None if its price is unknown.
        take: reserves in every budget.
        enough: seconds that a submission may take from the claim until it is sent.
    """

    def __init__(
        self,
        amount: Amount | None,
        take: Callable[[Usage], Awaitable[Sequence[Holding]]],
        *,
        enough: float,
    ) -> None:
        self.amount = amount
        self.price = Usage.of(amount)
        self._id = uuid.uuid4().hex
        self._take = take
        self._enough = enough
        self._holdings: Sequence[Holding] = ()
        self._counted: Usage | None = None
        self._is_settled = False

    @property
    def reserved(self) -> Reserved:
        """What the record of the video says about it."""
        return Reserved(id=self._id, leases=tuple(each.id for each in self._holdings), amount=self.amount)

    @property
    def left(self) -> float:
        """Seconds within which the submission may be sent."""
        return min((holding.left for holding in self._holdings), default=0.0)

    @property
    def is_held(self) -> bool:
        """Whether something is reserved, or counts as used."""
        return bool(self._holdings)

    @property
    def is_open(self) -> bool:
        """Whether what it counts as may still change."""
        return self.is_held and not self._is_settled

    async def hold(self) -> None:
        """Make sure that it is valid for long enough; to be called right before the claim.

        Raises:
            BudgetReachedError: it had expired, and there is no room any more.
            StoreError: the ledger cannot be read or written.
        """
        if self._holdings and self.left >= self._enough:
            return
        self.release()
        self._holdings = await self._take(self.price)

    def release(self) -> None:
        """Nothing was submitted."""
        for holding in self._holdings:
            if not holding.lost:
                holding.release(self.price)
        self._holdings = ()

    def saw(self, record: VideoRecord | None) -> None:
        """Count what a record tells, after the submission: its cost, or nothing if it was not accepted."""
        found = usage_of_reservation(record, self._id)
        if self._is_settled:
            return
        if self._counted is None and (found is None or (found.is_final and not found.is_sent)):
            self.release()
            return
        if found is None:  # somebody removed the record: what was submitted still counts
            return
        for holding in self._holdings:
            if holding.lost:  # the records were counted by others
                continue
            if self._counted is None:
                holding.decide(self.price, found.usage)
            else:
                holding.correct(self._counted, found.usage)
            holding.unsettled -= found.is_final
        self._counted, self._is_settled = found.usage, found.is_final
