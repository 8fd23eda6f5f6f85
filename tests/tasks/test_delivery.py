"""A finished video comes home whole, whatever its link does; a failed one says why."""

import hashlib
import logging
from pathlib import Path

import pytest

from prefect_omnivideo.providers.errors import NotAVideoError, StillRunningError, TransferError
from prefect_omnivideo.providers.request import VideoRequest
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.store.record import VideoRecord, VideoState
from prefect_omnivideo.store.records import Records
from prefect_omnivideo.tasks.delivery import deliver
from prefect_omnivideo.tasks.submission import submit
from prefect_omnivideo.tasks.waiting import wait
from tests.accounts import GATEWAYS, credentials


async def make(
    sandbox: Sandbox, gateway: str, request: VideoRequest, records: Records, log: logging.Logger
) -> VideoRecord:
    account = credentials(sandbox, gateway).account()
    record = await submit(request, account, records, "batch", log)
    return await deliver(record, await wait(record, account, 30, log), account, records, log)


def bytes_of(records: Records, record: VideoRecord, number: int = 0) -> bytes:
    with records.store.open(record.files[number].name) as file:
        return file.read()


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_every_gateway_delivers(gateway: str, sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    record = await make(sandbox, gateway, VideoRequest(prompt="a red apple"), records, log)
    stored = records.load("batch", record.request)
    assert stored is not None
    assert stored.record == record
    assert record.state is VideoState.STORED
    data = bytes_of(records, record)
    file = record.files[0]
    assert str(record.attempt.task_id).encode() in data, "it is this job's video, not another's"
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert file.name == f"{record.stem}.mp4"
    assert file.media["codec"] == "h264"
    assert record.differences == ()
    assert file.poster is not None
    with records.store.open(file.poster) as poster:
        assert poster.read(2) == b"\xff\xd8"
    assert sandbox.stats()["leaks"] == []


RECOVERS = [
    "truncate",
    "truncate-silent*1",
    "expired-link",
    "link-403*1",
    "redirect",
    "no-url",
    "poll-500",
    "poll-drop",
]


@pytest.mark.parametrize("fault", RECOVERS)
async def test_trouble_on_the_way_is_overcome(
    fault: str, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    bill = len(sandbox.jobs())
    record = await make(sandbox, "sora", VideoRequest(prompt=f"home [fault:{fault}]"), records, log)
    assert str(record.attempt.task_id).encode() in bytes_of(records, record)
    assert len(sandbox.jobs()) - bill == 1, "a failed download never submits again"
    assert sandbox.stats()["leaks"] == []


@pytest.mark.parametrize("fault", ["html-video", "json-video"])
async def test_a_page_is_no_video(fault: str, sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    request = VideoRequest(prompt=f"a page [fault:{fault}]")
    with pytest.raises(NotAVideoError):
        await make(sandbox, "apimart", request, records, log)
    stored = records.load("batch", request)
    assert stored is not None
    assert stored.record.state is VideoState.SUBMITTED, "it was paid for: a later run tries again"
    assert [name for name in records.store.names("") if name.endswith(".mp4")] == []


async def test_a_link_that_stays_forbidden_loses_nothing(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    request = VideoRequest(prompt="forbidden [fault:link-403]")
    with pytest.raises(TransferError):
        await make(sandbox, "apimart", request, records, log)
    stored = records.load("batch", request)
    assert stored is not None
    assert stored.record.state is VideoState.SUBMITTED


async def test_all_files_of_a_result_are_stored(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    record = await make(sandbox, "apimart", VideoRequest(prompt="two [fault:two-files]"), records, log)
    assert [file.name for file in record.files] == [f"{record.stem}.mp4", f"{record.stem}-2.mp4"]
    assert bytes_of(records, record, 0) != b""
    assert bytes_of(records, record, 1) != b""


async def test_cost_is_recorded_where_the_gateway_tells(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    assert (await make(sandbox, "apimart", VideoRequest(prompt="cost"), records, log)).cost == 1.0
    assert (await make(sandbox, "jimmyai", VideoRequest(prompt="no cost"), records, log)).cost is None


async def test_what_came_otherwise_is_written_down(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_omnivideo.store import media

    monkeypatch.setattr(media, "probe", lambda file: {"duration": 5.0, "width": 1280, "height": 720, "audio": True})
    record = await make(sandbox, "jimmyai", VideoRequest(prompt="ten seconds", duration=10), records, log)
    assert len(record.differences) == 1
    assert "10" in record.differences[0]


async def test_without_the_media_extra_everything_else_works(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    record = await make(sandbox, "jimmyai", VideoRequest(prompt="no PyAV"), records, log)
    assert record.state is VideoState.STORED
    assert record.files[0].media == {}
    assert record.files[0].poster is None


async def test_a_passed_deadline_is_no_failure(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    account = credentials(sandbox, "apimart").account()
    record = await submit(VideoRequest(prompt="endless [fault:never]"), account, records, "batch", log)
    with pytest.raises(StillRunningError, match="not lost"):
        await wait(record, account, 0.2, log)
    stored = records.load("batch", record.request)
    assert stored is not None
    assert stored.record.state is VideoState.SUBMITTED
