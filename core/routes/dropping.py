"""What an account is sent of a request that it cannot honour as a whole, if its route allows to leave fields out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.base import ObjectStore


class Sent(NamedTuple):
    """A request as an account is sent it.

    Attributes:
        dropped: fields that were left out.
    """

    request: VideoRequest
    dropped: tuple[str, ...] = ()


def sent_to(account: Account, request: VideoRequest, store: ObjectStore | None = None) -> Sent:
    """The request without the fields that the account cannot honour; as it is, and unchecked, if none may be left out.

    Args:
        store: as for `check`.

    Raises:
        RequestError: there is a problem beside the fields that may be left out: all problems of the whole request.
    """
    droppable = account.fallback.may_drop if account.fallback else frozenset[str]()
    sent = Sent(request)
    if not droppable or request.follows:  # a shot is checked with what it continues in place
        return sent
    refused: RequestError | None = None
    while True:
        try:
            check(sent.request, account, store)
        except RequestError as error:
            refused = refused or error
            fields = {_portable(problem.field) for problem in error.problems}
            if not fields <= droppable & sent.request.set_fields():
                raise refused from None
            rest = {name: VideoRequest.model_fields[name].default for name in fields}
            sent = Sent(sent.request.model_copy(update=rest), tuple(sorted({*sent.dropped, *fields})))
        else:
            return sent


def ways(request: VideoRequest, accounts: Iterable[Account]) -> list[tuple[Account, VideoRequest]]:
    """The request as each of these accounts is sent it, which all support it."""
    return [(account, sent_to(account, request).request) for account in accounts]


def _portable(field: str) -> str:
    """The portable field that a problem names: `duration (sent as seconds)` is about the duration."""
    return re.split(r"[ .]", field, maxsplit=1)[0]
