"""A test of an account that spends nothing: is the key accepted, and what is left on it?"""

from __future__ import annotations

from typing import NamedTuple

from prefect_omnivideo.core.answers.json_paths import search
from prefect_omnivideo.core.answers.refusal import find_refusal, reason_of
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.client.pool import connect
from prefect_omnivideo.core.errors import StatusUnavailableError
from prefect_omnivideo.core.gateways.specification import Reason

RESENDS = (
    "a litellm proxy answers, which sends failed submissions again by itself: give requests "
    'options={"num_retries": 0, "disable_fallbacks": true}'
)


class AccountCheck(NamedTuple):
    """The result of a harmless request."""

    accepted: bool | None
    """Whether the gateway accepts the key; None if unknown."""
    balance: float | None
    """The balance in the gateway's account currency, if reported; -1 means unlimited (APIMart)."""
    message: str
    """The same in one sentence."""


async def check_account(account: Account) -> AccountCheck:
    """Ask the gateway for the account's balance, or for its list of models if it reports no balance."""
    gateway = account.gateway
    try:
        async with connect(account) as client:
            answer = await client.get(gateway.check_path)
    except StatusUnavailableError as error:
        return AccountCheck(None, None, str(error))
    reason, refusal = reason_of(gateway, answer), find_refusal(answer)
    if reason is Reason.UNAUTHORIZED and answer.body is not None:
        return AccountCheck(False, None, f"{gateway.title} does not accept the key ({refusal})")
    if reason:
        return AccountCheck(None, None, f"{gateway.title} at {account.base_url} does not say ({refusal})")
    found = search(answer.body, gateway.balance_path) if gateway.balance_path else []
    balance = next((float(value) for value in found if isinstance(value, int | float)), None)
    left = "no balance reported" if balance is None else "no limit" if balance == -1 else f"{balance:g} left"
    proxy = f"; {RESENDS}" if any(name.startswith("x-litellm-") for name in answer.headers) else ""
    return AccountCheck(True, balance, f"{gateway.title} accepts the key; {left}{proxy}")
