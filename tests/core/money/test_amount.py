"""Amounts: exact, and never without a unit."""

from decimal import Decimal

import pytest

from prefect_omnivideo.core.money.amount import Amount, told, total


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
