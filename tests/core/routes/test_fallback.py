"""When a video may be submitted once more, and to whom: every end of an attempt with every rule of a route."""

from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account, Fallback
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.records.model import VideoRecord
from prefect_omnivideo.core.routes.fallback import may_go_on, may_submit
from tests.core.records.samples import attempt, record

ROUTE, MODERATED_TOO = Fallback(), Fallback(after_moderation=True)
PASSING = ("no balance", "unauthorized", "gateway error")


def account(name: str, fallback: Fallback | None = None) -> Account:
    gateway = get_gateway("apimart")
    return Account(gateway, name, "https://api.apimart.ai", SecretStr("sk-x"), gateway.routes[0], fallback=fallback)


def sent(video: VideoRecord | None, name: str) -> VideoRecord:
    """One more attempt, on this account."""
    begun = attempt(account=name, claim_id=name * 32)
    return video.again(begun) if video else record().model_copy(update={"attempts": (begun,)})


def rejected(name: str, category: Any, video: VideoRecord | None = None) -> VideoRecord:
    return sent(video, name).failed(category, "no", accepted=False)


def lost(name: str, category: Any = "gateway error", video: VideoRecord | None = None) -> VideoRecord:
    """The gateway accepted the job, and says that it failed."""
    return sent(video, name).submitted(f"task-{name}").failed(category, "no")


ENDS = {
    **{f"rejected: {category}": rejected("a", category) for category in (*PASSING, "refused", "moderated")},
    **{f"failed: {c}": lost("a", c) for c in ("gateway error", "expired", "no balance", "moderated", "cancelled")},
    "abandoned": lost("a", "abandoned"),
    "submitting": sent(None, "a"),
    "submitted": sent(None, "a").submitted("task-a"),
    "finished": sent(None, "a").submitted("task-a").finished(None),
    "stored": sent(None, "a").submitted("task-a").finished(None).stored(()),
    "unknown": sent(None, "a").unknown("lost"),
    "unknown after a release": lost("a").released().unknown("lost"),
    "released": lost("a").released(),
}
FREE = {*(f"rejected: {category}" for category in PASSING), "released"}
"""Ends after which anybody may submit: nothing was spent and it may work later, or a person decided so."""
ON_ROUTE = FREE | {"rejected: refused", "failed: gateway error", "failed: expired", "failed: no balance"}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("name", "rule", "allowed"),
    [
        ("a", None, FREE),
        ("b", None, FREE),
        ("a", ROUTE, FREE),
        ("b", ROUTE, ON_ROUTE),
        ("a", MODERATED_TOO, FREE),
        ("b", MODERATED_TOO, ON_ROUTE | {"rejected: moderated", "failed: moderated"}),
    ],
    ids=["itself", "another", "itself on a route", "another on the route", "itself on a brave route", "another there"],
)
def test_who_may_submit_after_which_end(end: str, name: str, rule: Fallback | None, allowed: set[str]) -> None:
    assert may_submit(ENDS[end], account(name, rule)) is (end in allowed)


@pytest.mark.parametrize("end", ENDS)
def test_a_route_goes_on_where_another_account_may_submit_or_already_has(end: str) -> None:
    assert not may_go_on(ENDS[end], account("a"))
    waits = {"submitting", "submitted", "finished", "stored", "unknown", "unknown after a release"}
    assert may_go_on(ENDS[end], account("a", ROUTE)) is (end in ON_ROUTE | waits)
    assert may_go_on(ENDS[end], account("a", MODERATED_TOO)) is (end not in ("failed: cancelled", "abandoned"))


def test_an_account_gets_no_second_job_of_a_video() -> None:
    """Nor after what came later on other accounts, even where that cost nothing."""
    both = rejected("b", "gateway error", lost("a"))
    assert not may_submit(both, account("a", ROUTE))
    assert may_submit(both, account("b", ROUTE)), "it was only away"
    assert may_submit(both, account("c", ROUTE))
    assert not may_submit(both, account("c")), "without a route, what a gateway may have billed is not made again"
    refused = rejected("b", "unauthorized", rejected("a", "refused"))
    assert not may_submit(refused, account("a", ROUTE)), "it would refuse it again"
    assert may_submit(refused, account("c", ROUTE))


def test_every_earlier_end_must_allow_it() -> None:
    moderated = rejected("b", "gateway error", lost("a", "moderated"))
    assert may_submit(moderated, account("c", MODERATED_TOO))
    assert not may_submit(moderated, account("c", ROUTE))
    assert not may_submit(moderated, account("b", ROUTE))


def test_a_released_video_begins_anew() -> None:
    released = lost("b", video=lost("a")).released()
    assert all(may_submit(released, account(name, rule)) for name in "abc" for rule in (None, ROUTE))
    once_more = lost("a", video=released)
    assert not may_submit(once_more, account("a", ROUTE))
    assert may_submit(once_more, account("b", ROUTE)), "what was before the release does not count"
    assert not may_submit(once_more, account("b"))


def test_the_same_name_at_another_gateway_is_another_account() -> None:
    gateway = get_gateway("jimmyai")
    other = Account(gateway, "a", "https://jimmy.test", SecretStr("sk"), gateway.routes[0], fallback=ROUTE)
    assert may_submit(lost("a"), other)
