"""Submissions whose answer was lost, resolved by the gateway's own console."""

import time
from collections.abc import Callable, Generator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_omnivideo import LocalVideoStore
from prefect_omnivideo.core.jobs import look as looking
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.flows import BatchFailedError, collect_videos, generate_videos
from prefect_omnivideo.sandbox import Sandbox, Settings, running
from tests.accounts import credentials

AGO = 3600.0
"""Seconds: the gateway lives in the past, and the records are made to fit, so that every claim is long over."""


@pytest.fixture
def earlier(prefect_server: None) -> Generator[Sandbox]:
    with running(Settings(latency=0.1), clock=lambda: time.time() - AGO) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _no_memory_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOKED", 0.0)


def account(sandbox: Sandbox, gateway: str) -> Any:
    more = {"send_key_as": "external_task_id"} if gateway == "sora" else {}
    return credentials(sandbox, gateway, console_access_token="sandbox-access-token", console_user_id="1", **more)


def move_back(folder: Path) -> None:
    """Every attempt was made when the gateway's clock says it was."""
    records, shift = Records(Folder(folder)), timedelta(seconds=AGO)

    def earlier(record: VideoRecord) -> VideoRecord:
        attempts = tuple(
            attempt.model_copy(
                update={
                    "started_at": attempt.started_at - shift,
                    "claim_ends_at": attempt.claim_ends_at - shift,
                    "submitted_at": attempt.submitted_at and attempt.submitted_at - shift,
                }
            )
            for attempt in record.attempts
        )
        return record.model_copy(update={"attempts": attempts})

    for record in list(records.all()):
        current = records.load(record.batch, record.request)
        assert current is not None
        records.update(current, earlier)


@pytest.mark.parametrize("gateway", ["12ai", "omnirouters", "sora"])
@pytest.mark.parametrize("again", ["the batch", "collect"])
@pytest.mark.parametrize(("fault", "found"), [("drop-after", True), ("drop-before*1", False)])
async def test_a_lost_answer_is_found_and_paid_once(
    gateway: str, fault: str, found: bool, again: str, earlier: Sandbox, tmp_path: Path
) -> None:
    store = LocalVideoStore(folder=tmp_path)
    prompts = [f"a lighthouse [fault:{fault}]", "a proof that the list is this account's"]
    with pytest.raises(BatchFailedError):
        await generate_videos(prompts, account(earlier, gateway), store, batch="lost")
    assert [r.state for r in Records(Folder(tmp_path)).batch("lost")].count(VideoState.UNKNOWN) == 1
    assert len(earlier.jobs()) == (2 if found else 1)
    move_back(tmp_path)
    run: Callable[[], Any]
    if again == "collect":
        run = lambda: collect_videos("lost", account(earlier, gateway), store)  # noqa: E731
    else:
        run = lambda: generate_videos(prompts, account(earlier, gateway), store, batch="lost")  # noqa: E731
    if found or again == "the batch":
        report = await run()
        assert len(report.stored) == 2
        assert len(earlier.jobs()) == 2, "paid once"
        # No answer named the request that the key's log charges; the console's row of the job has its cost.
        assert [cost.value for cost in report.cost] == [Decimal(earlier.charged()["USD"])]
        assert all(record.attempt.cost for record in Records(Folder(tmp_path)).batch("lost"))
    else:
        with pytest.raises(
            BatchFailedError
        ):  # collecting submits nothing, and says what the next run of the batch does
            await run()
        record = next(r for r in Records(Folder(tmp_path)).batch("lost") if r.state is VideoState.FAILED)
        assert record.failure is not None
        assert record.failure.may_resubmit
        assert len(earlier.jobs()) == 1
