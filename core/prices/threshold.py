"""The threshold above which a person is asked before anything is spent: an amount of money, or a number of videos."""

from __future__ import annotations

from typing import NamedTuple

from prefect_omnivideo.core.money.amount import Amount, told, total
from prefect_omnivideo.core.prices.outlook import Outlook

THRESHOLD_OR_EMPTY = r"^(\d{1,12}(\.\d{1,12})? ([A-Z]{3}|credits)|\d{1,9} videos?)?$"
"""Pattern of a threshold in a form; empty: none."""


class Threshold(NamedTuple):
    """Money, or a number of videos."""

    limit: Amount | int

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """The threshold in a text such as "20 USD", "300 credits" or "50 videos".

        Raises:
            ValueError: it is none of these.
        """
        number, _, unit = text.partition(" ")
        return cls(int(number) if unit in ("video", "videos") else Amount.parse(text))

    def why_above(self, videos: int, expected: Outlook) -> str:
        """Why so many videos are above the threshold; empty if they are not.

        A cost that is not known to be below an amount is above it.

        Args:
            expected: what they will cost, as far as that is known.
        """
        if isinstance(self.limit, int):
            return f"{videos} videos are more than {self.limit}" if videos > self.limit else ""
        totals = [each for share in expected.shares for each in share]
        if expected.videos < videos or any(each.unknown for each in totals):
            return f"what they will cost is not known, or not of all, and may be more than {self.limit}"
        if others := total(amount for each in totals for amount in each.amounts if amount.unit != self.limit.unit):
            return f"{told(others)} cannot be compared with {self.limit}"
        # Of each share, what its most expensive account would charge.
        dearest = (max(share, key=lambda each: sum(a.value for a in each.amounts)) for share in expected.shares)
        most = total(amount for each in dearest for amount in each.amounts)
        above = most and most[0].value > self.limit.value
        return f"they may cost {told(most)}, which is more than {self.limit}" if above else ""
