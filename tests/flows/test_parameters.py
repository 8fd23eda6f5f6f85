"""What the forms make of the flows' parameters, and what runs are called."""

import asyncio

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.flows import (
    choose_takes,
    collect_videos,
    compare_accounts,
    generate_from_sheet,
    generate_sequence,
    generate_sharded,
    generate_video,
    generate_videos,
)
from prefect_omnivideo.flows.resolving import resolve_videos
from prefect_omnivideo.flows.run import flow as flows
from prefect_omnivideo.flows.run.flow import unless_typed
from prefect_omnivideo.flows.shard import generate_shard
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

FLOWS = [
    choose_takes,
    compare_accounts,
    collect_videos,
    generate_from_sheet,
    generate_sequence,
    generate_shard,
    generate_sharded,
    generate_video,
    generate_videos,
    resolve_videos,
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_field_of_a_form_is_explained_and_can_be_typed_into(flow: Flow[..., object]) -> None:
    for name, field in flow.parameters.properties.items():
        assert field["description"].endswith("."), name
        assert "As for" not in field["description"], name
        types = [each.get("type") for each in field.get("anyOf", [field])]
        assert "null" not in types or name == "credentials", f"{name}: a form shows a tab with nothing to type in"


@pytest.mark.parametrize(
    "name", ["refined-jaguar", "alpha4-quatal-expanse", "Refined-Jaguar", "Intelligent-Vicuña", "Tasty-Ciorbă de burtă"]
)
def test_a_generated_name_of_a_run_gives_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.flow_run, "name", name, raising=False)
    assert unless_typed(lambda: "3 prompts")() == "3 prompts"


@pytest.mark.parametrize("name", ["Spring for Acme", "spring", "Spring-2026", "take two", "3 prompts: a cat"])
def test_a_typed_name_of_a_run_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.flow_run, "name", name, raising=False)
    assert unless_typed(lambda: "3 prompts")() == name


@pytest.mark.usefixtures("prefect_server")
async def test_none_is_the_same_as_nothing_and_runs_are_told_apart(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    account = credentials(sandbox, "apimart")
    states = await asyncio.gather(
        generate_videos(["a red apple", "a pear"], account, store, batch=None, return_state=True),
        generate_videos(["a plum"], account, store, return_state=True),
        generate_videos(["a fig"], account, store, batch="fruit", return_state=True),
    )
    assert all(state.is_completed() for state in states)
    async with get_client() as client:
        runs = [await client.read_flow_run(state.state_details.flow_run_id) for state in states]
    assert [run.name for run in runs] == ["2 prompts: a red apple", "1 prompt: a plum", "1 prompt for fruit"]
