"""A finished batch is an asset of Prefect, by one event; read from the server, as an automation would see it."""

import asyncio
from typing import Any

import pytest
from prefect.assets import Asset
from prefect.client.orchestration import get_client
from prefect.events.worker import EventsWorker

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.flows import BatchFailedError, BatchIncompleteError, collect_videos, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.tasks import assets
from prefect_omnivideo.tasks.assets import asset_key
from tests.accounts import credentials
from tests.flows.conftest import Held

pytestmark = pytest.mark.usefixtures("prefect_server")


async def materializations(store: LocalVideoStore, *, at_least: int = 0) -> list[dict[str, Any]]:
    """The events of assets of this store that have reached the server, the latest first."""
    wanted = {"event": {"prefix": ["prefect.asset."]}, "resource": {"id_prefix": [store.folder.as_uri()]}}
    await asyncio.to_thread(EventsWorker.instance().wait_until_empty)
    for _ in range(100):
        async with get_client() as client:
            answer = await client._client.post("/events/filter", json={"filter": wanted, "limit": 50})
        found: list[dict[str, Any]] = answer.json()["events"]
        if len(found) >= at_least:
            break
        await asyncio.sleep(0.1)
    return found


async def test_a_finished_batch_is_one_materialization(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account, web = credentials(sandbox, "apimart"), "https://videos.example.com"
    public = LocalVideoStore(folder=store.folder, public_url=web)
    with pytest.raises(BatchFailedError):
        await generate_videos(["one", "two", "bad [fault:moderated]"], account, public, batch="Autumn campaign")
    (event,) = await materializations(store, at_least=1)
    assert event["event"] == "prefect.asset.materialization.succeeded"
    assert event["resource"]["prefect.resource.id"] == f"{store.folder.as_uri()}/Autumn-campaign"
    assert event["resource"]["prefect.resource.name"] == "Autumn campaign"
    assert event["resource"]["prefect.asset.url"] == f"{web}/Autumn-campaign/index.html"
    payload = event["payload"]
    assert (payload["stored"], payload["failed"], payload["pending"]) == (2, 1, 0)
    assert payload["gallery"] == f"{web}/Autumn-campaign/index.html"
    assert payload["cost"]
    assert sandbox.key not in str(event)


async def test_a_run_that_makes_nothing_materializes_nothing(sandbox: Sandbox, store: LocalVideoStore) -> None:
    account = credentials(sandbox, "apimart")
    await generate_videos(["one"], account, store, batch="b")
    await generate_videos(["one"], account, store, batch="b")
    await generate_videos(["one", "two"], account, store, batch="b")
    found = await materializations(store, at_least=2)
    assert [event["payload"]["stored"] for event in found] == [2, 1]


async def test_a_batch_is_an_asset_only_when_it_is_finished(
    slow_sandbox: Sandbox, held: Held, store: LocalVideoStore
) -> None:
    account = credentials(slow_sandbox, "apimart")
    with pytest.raises(BatchIncompleteError):
        await generate_videos(["one", "two"], account, store, batch="b", deadline=0.05)
    assert await materializations(store) == []
    held.finish()
    await collect_videos(None, account, store)
    (event,) = await materializations(store, at_least=1)
    assert event["payload"]["stored"] == 2


async def test_an_asset_that_cannot_be_shown_fails_no_run(
    sandbox: Sandbox, store: LocalVideoStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("this is broken")

    monkeypatch.setattr(assets, "materialize", broken)
    state = await generate_videos(["one"], credentials(sandbox, "apimart"), store, batch="b", return_state=True)
    assert state.is_completed()
    assert "the asset of the batch cannot be shown in Prefect" in caplog.text


@pytest.mark.parametrize(
    ("store", "batch", "key"),
    [
        ("s3://videos/omni/", "daily/2026-08-01", "s3://videos/omni/daily/2026-08-01"),
        ("s3://videos/", "b", "s3://videos/b"),
        ("file:///srv/my%20%5Bvideos%5D%3F", "b", "file:///srv/my--videos--/b"),
        (f"file:///{'x' * 600}", "b", f"file:///{'x' * 504}"),
    ],
)
def test_the_key_is_the_address_of_the_batch(store: str, batch: str, key: str) -> None:
    assert asset_key(store, batch) == key
    assert Asset(key=key)
