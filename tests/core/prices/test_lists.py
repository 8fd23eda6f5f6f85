"""Price files: read whole, or refused with every reason by name."""

import json

import pytest

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.prices.lists import check_unit, parse_prices

YAML = b"""\
as_of: 2026-05-01
prices:
  - model: Veo-3.1
    resolution: 1080p
    max_seconds: 8
    sound: true
    per_video: 1.20 USD
  - per_second: 0.1 USD
    as_of: 2026-06-01
"""


def test_a_file_is_read() -> None:
    prices = parse_prices(YAML, "prices.yaml")
    assert [str(price.per_video or price.per_second) for price in prices.prices] == ["1.20 USD", "0.10 USD"]
    assert (str(prices.as_of), str(prices.prices[1].as_of)) == ("2026-05-01", "2026-06-01")
    assert parse_prices(prices.model_dump_json().encode(), "prices.json") == prices


def test_a_list_alone_is_a_file_too() -> None:
    assert len(parse_prices(b'[{"per_video": "1 credits"}]', "prices.json").prices) == 1


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ([{"per_video": "-1 USD"}], "price 1, per_video: '-1 USD' is not an amount"),
        ([{"per_video": 0.5}], "price 1, per_video: '0.5' is not an amount; write a number and its unit"),
        ([{"per_video": "nan USD"}], "price 1, per_video: 'nan USD' is not an amount"),
        ([{"per_video": "1 USD"}, {"model": "a", "per_minute": "1 USD"}], "price 2, per_minute: Extra inputs"),
        ([{"per_video": "1 dollars"}], "price 1, per_video: '1 dollars' is not an amount"),
        ([{"per_video": "1 USD", "unit": "EUR"}], "price 1, unit: Extra inputs"),
        ([{"per_video": "1 USD"}, {"model": "a", "per_video": "1 EUR"}], "price 2 is in EUR and price 1 in USD"),
        ([{"per_video": "1 USD", "resolution": "HD"}], "price 1, resolution: String should match"),
        ([{}], "price 1: give exactly one of per_video and per_second"),
        ([], "the list is empty; give at least one price"),
        ("1 USD", "prices.json: it is a str"),
    ],
)
def test_a_bad_file_is_refused_by_name(prices: object, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_prices(json.dumps(prices).encode(), "prices.json")
    assert says in str(caught.value)


def test_every_reason_is_given_at_once() -> None:
    with pytest.raises(RequestError) as caught:
        parse_prices(b"[{per_video: 1}, {per_video: 2 USD, sound: loud}]", "prices.yaml")
    assert [problem.field for problem in caught.value.problems] == ["price 1, per_video", "price 2, sound"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: [", b"[" * 3_000, b"%PDF-1.4 : \x00"])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError, match=r"prices\.yaml"):
        parse_prices(data, "prices.yaml")


def test_prices_are_in_the_unit_of_the_bill() -> None:
    euros = parse_prices(b"[{per_video: 1 EUR}]", "prices.yaml")
    with pytest.raises(RequestError, match=r"prices are in EUR, and the account is billed in USD.*currency EUR"):
        check_unit(euros, get_gateway("apimart"), "prices.yaml")
    assert check_unit(euros, get_gateway("sora"), "prices.yaml") == euros
