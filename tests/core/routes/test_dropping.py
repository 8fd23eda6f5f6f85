"""What an account is sent of a request that it cannot honour as a whole."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from prefect_omnivideo.core.client.account import Account, Fallback
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.references.plan import check
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.routes.dropping import sent_to

APIMART = get_gateway("apimart")
PLAIN = Account(APIMART, "prod", "https://api.apimart.ai", SecretStr("sk-x"), APIMART.routes[0])


def on_route(*may_drop: str) -> Account:
    return replace(PLAIN, fallback=Fallback(may_drop=frozenset(may_drop)))


def test_only_what_may_be_dropped_is_dropped() -> None:
    asked = VideoRequest(prompt="a red apple", resolution="4k", aspect_ratio="9:16", seed=7)
    sent, dropped = sent_to(on_route("resolution", "seed", "aspect_ratio"), asked)
    assert dropped == ("resolution", "seed")
    assert sent == VideoRequest(prompt="a red apple", aspect_ratio="9:16"), "what the account can honour stays"
    check(sent, PLAIN)


@pytest.mark.parametrize(
    ("may_drop", "request_"),
    [
        (("seed",), {"resolution": "4k", "seed": 7}),
        (("resolution",), {"resolution": "4k", "options": {"nonsense": 1}}),
        (("resolution",), {"resolution": "4k", "audios": ["https://e.com/a.mp3"]}),
        (("resolution",), {"prompt": "", "resolution": "4k"}),
    ],
)
def test_a_problem_beside_them_is_told_with_all_the_others(may_drop: tuple[str, ...], request_: dict[str, Any]) -> None:
    asked = VideoRequest.model_validate({"prompt": "a red apple", **request_})
    with pytest.raises(RequestError) as caught:
        sent_to(on_route(*may_drop), asked)
    with pytest.raises(RequestError) as plain:
        check(asked, PLAIN)
    assert str(caught.value) == str(plain.value)


def test_without_a_rule_nothing_is_dropped() -> None:
    asked = VideoRequest(prompt="a red apple", resolution="4k")
    assert sent_to(PLAIN, asked) == sent_to(on_route(), asked) == (asked, ())
