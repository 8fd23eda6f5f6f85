"""Price lists: the first price that fits counts, and what cannot be known has no price."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prefect_omnivideo.core.money.amount import PLACES, Amount
from prefect_omnivideo.core.money.prices import Kind, Price, PriceList


def prices(*lines: dict[str, object]) -> PriceList:
    return PriceList.model_validate({"prices": list(lines)})


VEO = prices(
    {"model": "Veo-3.1", "resolution": "1080p", "max_seconds": 4, "per_video": "0.80 USD"},
    {"model": "Veo-3.1", "resolution": "1080p", "per_video": "1.20 USD"},
    {"model": "Veo-3.1", "sound": False, "per_second": "0.1 USD"},
    {"model": "Veo-3.1", "per_second": "0.15 USD"},
)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Kind("veo-3.1", Decimal(4), "1080p"), "0.80 USD"),
        (Kind("veo-3.1", Decimal(8), "1080p"), "1.20 USD"),
        (Kind("Veo-3.1", Decimal("7.5"), "720p", sound=False), "0.75 USD"),
        (Kind("Veo-3.1", Decimal(8), "720p", sound=True), "1.20 USD"),
        (Kind("Veo-3.1", None, "1080p"), "the price depends on the duration, which the request leaves open"),
        (Kind("Veo-3.1", Decimal(8), "720p"), "the price depends on the sound, which the request leaves open"),
        (Kind("Veo-3.1", Decimal(4)), "the price depends on the resolution and sound, which the request leaves open"),
        (Kind("Kling", Decimal(4)), "no price in the list fits Kling"),
    ],
)
def test_the_first_price_that_fits_counts(kind: Kind, told: str) -> None:
    quote = VEO.quote(kind)
    assert (str(quote.amount) if quote.amount else quote.note) == told


@pytest.mark.parametrize(("seconds", "fits"), [("3.9", False), ("4", True), ("8", True), ("8.1", False)])
def test_both_ends_of_a_range_belong_to_it(seconds: str, fits: bool) -> None:
    ranged = prices({"min_seconds": 4, "max_seconds": 8, "per_video": "1 USD"})
    assert bool(ranged.quote(Kind("any", Decimal(seconds))).amount) is fits


def test_what_does_not_change_the_price_may_stay_open() -> None:
    same = prices({"resolution": "720p", "per_video": "1 USD"}, {"per_video": "1.00 USD"})
    assert str(same.quote(Kind("any")).amount) == "1.00 USD"


def test_a_price_that_may_not_fit_at_all_is_none() -> None:
    assert prices({"resolution": "720p", "per_video": "1 USD"}).quote(Kind("any")).amount is None


def test_a_price_has_its_own_date_or_that_of_the_list() -> None:
    dated = PriceList.model_validate(
        {
            "as_of": "2026-05-01",
            "prices": [{"model": "a", "per_video": "1 USD", "as_of": "2026-06-01"}, {"per_video": "2 USD"}],
        }
    )
    assert [str(dated.quote(Kind(model)).as_of) for model in "ab"] == ["2026-06-01", "2026-05-01"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"per_video": "-1 USD"}, "per_video.*such as 12.50 USD"),
        ({"per_video": "nan USD"}, "per_video.*such as 12.50 USD"),
        ({"per_video": "1 dollars"}, "per_video.*such as 12.50 USD"),
        ({"per_video": "5"}, "per_video.*such as 12.50 USD"),
        ({"per_video": 5}, "per_video"),
        ({"per_second": {"value": -1, "unit": "USD"}}, "per_second"),
        ({"per_second": {"value": "nan", "unit": "USD"}}, "per_second"),
        ({}, "exactly one of per_video and per_second"),
        ({"per_video": "1 USD", "per_second": "1 USD"}, "exactly one of per_video and per_second"),
        ({"per_minute": "1 USD"}, "per_minute"),
        ({"per_video": "1 USD", "resolution": "HD"}, "resolution"),
        ({"per_video": "1 USD", "min_seconds": 8, "max_seconds": 4}, "min_seconds 8 is above max_seconds 4"),
        ({"per_video": "1 USD", "min_seconds": "nan"}, "min_seconds"),
    ],
)
def test_a_bad_price_is_refused_by_name(line: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){said}"):
        prices(line)


def test_a_list_in_two_currencies_or_with_a_price_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="price 2 is in EUR and price 1 in USD"):
        prices({"model": "a", "per_video": "1 USD"}, {"model": "b", "per_video": "1 EUR"})
    with pytest.raises(ValidationError, match="price 2 is for the same videos as price 1"):
        prices({"model": "a", "per_video": "1 USD"}, {"model": "A", "per_second": "1 USD"})
    with pytest.raises(ValidationError, match="the list is empty"):
        prices()


AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=9, allow_nan=False)


@given(
    price=st.decimals(min_value=0, max_value=10**5, places=9),
    seconds=st.decimals(min_value=0, max_value=3600, places=3),
)
def test_a_price_per_second_is_exact(price: Decimal, seconds: Decimal) -> None:
    line = Price.model_validate({"per_second": f"{price:f} credits"})
    amount = line.amount(seconds)
    assert amount is not None
    assert amount.value == price * seconds  # 9 and 3 decimals make PLACES
    assert -(price * seconds).as_tuple().exponent <= PLACES  # type: ignore[operator]


def test_a_price_that_no_video_has_is_unknown() -> None:
    assert Price.model_validate({"per_second": "999999999999 USD"}).amount(Decimal(3600)) is None


@given(value=AMOUNTS, unit=st.sampled_from(["USD", "credits"]))
def test_an_amount_survives_its_text(value: Decimal, unit: str) -> None:
    amount = Amount(value=value, unit=unit)
    assert Amount.parse(str(amount)) == amount
    line = Price(per_video=amount)
    assert Price.model_validate_json(line.model_dump_json()) == line
