"""What is left on an account, where a page of its gateway tells it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pydantic import JsonValue

from prefect_omnivideo.core.answers.json_paths import first_number
from prefect_omnivideo.core.client.account import Account
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.money.amount import Amount, amount_of
from prefect_omnivideo.core.prices.fetch import get_json

_QUOTA_PER_DOLLAR = Decimal(500_000)
"""What new-api calls a US dollar, unless its own page says otherwise."""
_UNLIMITED = -1
_CENT = Decimal("0.01")
"""A smaller difference is rounding: pages show balances with two decimals."""


async def balance_of(account: Account) -> Amount | None:
    """The account's balance; None if no page tells it, or the key has no limit of its own."""
    gateway = account.gateway
    if gateway.balance_path:
        answer = await get_json(account, gateway.check_path, with_key=True)
        if not isinstance(answer, dict) or answer.get("unlimited_quota") is True:
            return None
        left = first_number(answer, (gateway.balance_path,))
        # Told in the gateway's own unit, whatever the credentials say of the bill. Below zero is overdrawn.
        return None if left in (None, _UNLIMITED) else amount_of(max(0, left), get_gateway(gateway.name).currency)
    if not gateway.has_price_page:
        return None
    return await _of_key(account) or await _of_billing(account)


def difference(account: str, before: Amount, after: Amount, costs: Sequence[Amount | None]) -> str:
    """What does not fit: how the balance changed during a run, and what its jobs did cost; empty if it does.

    Others may use the account, and some gateways charge late: a difference proves nothing, and is only said.

    Args:
        costs: of each job that the run submitted; None where it is not known.
    """
    known = [cost for cost in costs if cost]
    if before.unit != after.unit or any(cost.unit != before.unit for cost in known):
        return ""
    spent = sum((cost.value for cost in known), Decimal(0))
    fell = before.value - after.value
    if abs(fell - spent) < _CENT:
        return ""
    changed, recorded = (Amount(value=abs(value), unit=before.unit) for value in (fell, spent))
    silent = len(costs) - len(known)
    jobs = "1 job is" if silent == 1 else f"{silent} jobs are"
    return (
        f"the balance of account {account} {'fell' if fell >= 0 else 'rose'} by {changed} during this run, and the "
        f"recorded cost of its jobs is {recorded}"
        + (f"; {jobs} of unknown cost" if silent else ": others may use the account, or charges and refunds come late")
    )


async def quota_per_dollar(account: Account) -> Decimal:
    """How much quota of a new-api gateway one US dollar is."""
    return _quota_per_dollar(await _status(account))


async def _status(account: Account) -> dict[str, JsonValue]:
    """What the gateway's own page tells of its units; empty if there is none."""
    answer = await get_json(account, "/api/status")
    told = answer.get("data") if isinstance(answer, dict) else None
    return told if isinstance(told, dict) else {}


def _quota_per_dollar(status: dict[str, JsonValue]) -> Decimal:
    return _positive(status, "quota_per_unit") or _QUOTA_PER_DOLLAR


def _shown_per_dollar(status: dict[str, JsonValue]) -> Decimal | None:
    """How much of what the billing pages show one US dollar is: they show what the site does, whatever they call it.

    None if that is not known.
    """
    match status.get("quota_display_type"):
        case "CNY":
            return _positive(status, "usd_exchange_rate")
        case "TOKENS":
            return _quota_per_dollar(status)
        case None if status.get("display_in_currency") is False:  # older versions
            return _quota_per_dollar(status)
        case _:
            return Decimal(1)


def _positive(status: dict[str, JsonValue], name: str) -> Decimal | None:
    told = first_number(status, (name,))
    return Decimal(str(told)) if told and told > 0 else None


async def _of_key(account: Account) -> Amount | None:
    answer = await get_json(account, "/api/usage/token/", with_key=True)
    data: JsonValue = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or data.get("unlimited_quota") is not False:
        return None
    left = first_number(data, ("total_available",))
    if left is None:
        return None
    return amount_of(max(Decimal(0), Decimal(str(left))) / await quota_per_dollar(account), "USD")


async def _of_billing(account: Account) -> Amount | None:
    """By the two pages in the shape of OpenAI's old ones: a limit, and what was used in hundredths of its unit."""
    limit = await get_json(account, "/v1/dashboard/billing/subscription", with_key=True)
    granted = first_number(limit, ("hard_limit_usd",)) if isinstance(limit, dict) else None
    if granted is None or granted == _NO_LIMIT:
        return None
    usage = await get_json(account, "/v1/dashboard/billing/usage", with_key=True)
    used = first_number(usage, ("total_usage",)) if isinstance(usage, dict) else None
    per_dollar = _shown_per_dollar(await _status(account))
    if used is None or per_dollar is None:
        return None
    return amount_of(max(Decimal(0), Decimal(str(granted)) - Decimal(str(used)) / 100) / per_dollar, "USD")


_NO_LIMIT = 100_000_000
"""What new-api answers as the limit of a key that has none."""
