"""Amounts: exact, and never without a unit."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefect_omnivideo.core.money.amount import UNNAMED, Amount, amount_of, told, total


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("12.5 USD", "12.50 USD"),
        ("100 USD", "100.00 USD"),
        ("0.1234567 EUR", "0.1234567 EUR"),
        ("300 credits", "300 credits"),
        ("2.50 credits", "2.5 credits"),
        (" 0 USD ", "0.00 USD"),
    ],
)
def test_an_amount_reads_as_it_is_written(text: str, shown: str) -> None:
    assert str(Amount.parse(text)) == shown


@pytest.mark.parametrize("text", ["", "12", "USD", "-1 USD", "1,5 USD", "nan USD", "1e3 USD", "5 dollars", "1 usd"])
def test_what_is_no_amount_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 12\.50 USD"):
        Amount.parse(text)


def test_a_sum_is_exact_and_keeps_units_apart() -> None:
    amounts = [Amount.parse("0.1 USD")] * 3 + [Amount.parse("20 credits")]
    assert total(amounts) == (
        Amount(value=Decimal("0.3"), unit="USD"),
        Amount(value=Decimal(20), unit="credits"),
    )
    assert told(total(amounts)) == "0.30 USD and 20 credits"


@pytest.mark.parametrize(
    ("number", "unit", "read"),
    [
        (0.1, "USD", "0.10 USD"),
        (1e-7, "USD", "0.0000001 USD"),
        ("12.5", "credits", "12.5 credits"),
        (0, "", "0.00 in an unnamed currency"),
        (1e8, "credits", "100000000 credits"),
        (-1, "USD", ""),
        (1e9, "USD", ""),
        (float("nan"), "USD", ""),
        (float("inf"), "USD", ""),
        ("a lot", "USD", ""),
        (None, "USD", ""),
    ],
)
def test_what_a_gateway_reports_is_an_amount_or_nothing(number: float | str | None, unit: str, read: str) -> None:
    assert told(filter(None, [amount_of(number, unit)])) == read


@given(number=st.one_of(st.floats(), st.decimals(), st.text()), unit=st.sampled_from(["USD", "credits", ""]))
@example(number=0.1 + 0.2, unit="USD")
@example(number=999999999.9999, unit="USD")
def test_no_number_breaks_an_amount(number: float | str | Decimal, unit: str) -> None:
    """What it is read as can be written down and read again."""
    amount = amount_of(number, unit)
    if amount is not None:
        assert amount.unit == (unit or UNNAMED)
        assert Amount.parse(str(amount)) == amount


def test_whatever_gateways_report_can_be_added_up() -> None:
    """A report of videos that are paid for never fails at a sum."""
    most = amount_of("999999999.999999999999", "USD")
    assert most is not None
    assert Amount.parse(told(total([most] * 10_000))).value == most.value * 10_000
