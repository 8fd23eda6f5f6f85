"""The order in which the accounts of a route are taken."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.routes.order import Candidate, Policy, rungs

PRICES = st.sampled_from([None, *map(Amount.parse, ("0.10 USD", "0.20 USD", "3 credits"))])
CANDIDATES = st.builds(
    lambda each: [Candidate(number, *rest) for number, rest in enumerate(each)],
    st.lists(st.tuples(st.sampled_from([(), ("seed",)]), PRICES), max_size=6),
)


def order(policy: Policy, *given: tuple[str, ...] | str | None, dropped: tuple[int, ...] = ()) -> list[list[int]]:
    candidates = [
        Candidate(number, ("seed",) if number in dropped else (), Amount.parse(str(price)) if price else None)
        for number, price in enumerate(given)
    ]
    return [sorted(rung) for rung in rungs(policy, candidates)]


def test_first_keeps_the_order_and_spread_has_none() -> None:
    assert order("first", None, "1 USD", "2 USD") == [[0], [1], [2]]
    assert order("spread", None, "1 USD", "2 USD") == [[0, 1, 2]]


def test_cheapest_goes_by_price_and_unknown_ones_come_last() -> None:
    assert order("cheapest", None, "2 USD", "1 USD", None) == [[2], [1], [0], [3]]
    assert order("cheapest", "1 USD", "1.00 USD") == [[0], [1]], "at the same price, as they are given"


def test_prices_in_another_unit_do_not_compare() -> None:
    assert order("cheapest", "2 USD", "1 credits", "1 USD") == [[2], [0], [1]]
    assert order("cheapest", "9 credits", "1 USD", "2 credits") == [[2], [0], [1]]


def test_who_honours_everything_comes_first() -> None:
    assert order("first", None, None, None, dropped=(0,)) == [[1], [2], [0]]
    assert order("spread", None, None, None, dropped=(0,)) == [[1, 2], [0]]
    assert order("cheapest", "1 USD", "3 USD", "2 USD", dropped=(0,)) == [[2], [1], [0]]


@given(st.sampled_from(["first", "spread", "cheapest"]), CANDIDATES)
def test_every_account_has_one_place(policy: Policy, candidates: list[Candidate]) -> None:
    found = [number for rung in rungs(policy, candidates) for number in rung]
    assert sorted(found) == [each.account for each in candidates]
