"""A finished video comes home whole, whatever its link does; a failed one says why."""

import asyncio
import hashlib
import io
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from prefect.logging import disable_run_logger

from prefect_omnivideo.blocks import LocalVideoStore
from prefect_omnivideo.core.errors import NotAVideoError, StillRunningError, StoreError, TransferError
from prefect_omnivideo.core.jobs.deliver import clean_up, deliver
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.jobs.wait import wait
from prefect_omnivideo.core.money.amount import Amount
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.threads import TRANSFERS_IN_FLIGHT
from prefect_omnivideo.sandbox import Sandbox
from prefect_omnivideo.tasks.factory import store_video
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
    assert record.mismatches == ()
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
    assert stored.record.state is VideoState.FINISHED, "it was paid for: a later run tries again"
    assert "not a video" in stored.record.attempt.trouble
    assert [name for name in records.store.names("") if name.endswith(".mp4")] == []


async def test_a_link_that_stays_forbidden_loses_nothing(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    request = VideoRequest(prompt="forbidden [fault:link-403]")
    with pytest.raises(TransferError):
        await make(sandbox, "apimart", request, records, log)
    stored = records.load("batch", request)
    assert stored is not None
    assert stored.record.state is VideoState.FINISHED
    assert stored.record.attempt.answers
    assert stored.record.attempt.cost == Amount.parse("1 USD"), "that much is known of it"
    assert stored.record.attempt.finished_at is not None


async def test_a_record_is_written_three_times_and_looked_at_once(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claimed, submitted, stored; and whether nobody else stored it meanwhile. Each of these costs a request to S3."""
    calls: Counter[str] = Counter()

    def count(name: str, real: Callable[..., Any]) -> None:
        def counted(*args: Any) -> Any:
            calls[name] += 1
            return real(*args)

        monkeypatch.setattr(records, name, counted)

    count("claim", records.claim)
    count("save", records.save)
    count("get", records.get)
    await make(sandbox, "jimmyai", VideoRequest(prompt="frugal"), records, log)
    assert calls == {"claim": 1, "save": 2, "get": 1}


async def test_all_files_of_a_result_are_stored(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    record = await make(sandbox, "apimart", VideoRequest(prompt="two [fault:two-files]"), records, log)
    assert [file.name for file in record.files] == [f"{record.stem}.mp4", f"{record.stem}-2.mp4"]
    assert bytes_of(records, record, 0) != b""
    assert bytes_of(records, record, 1) != b""


@pytest.mark.parametrize("gateway", ["12ai", "omnirouters", "sora"])
@pytest.mark.parametrize("cut", ["truncate", "truncate-silent*1"])
async def test_the_gateways_own_endpoint_may_cut_the_bytes_off(
    gateway: str, cut: str, sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    """It is asked again, with the key: for the rest where that is possible, otherwise from the beginning."""
    before = sandbox.stats()["gateways"][gateway].get("contents", 0)
    record = await make(sandbox, gateway, VideoRequest(prompt=f"{gateway} [fault:no-url] [fault:{cut}]"), records, log)
    assert str(record.attempt.task_id).encode() in bytes_of(records, record)
    assert record.files[0].source_host == "127.0.0.1"
    assert sandbox.stats()["gateways"][gateway].get("contents", 0) - before == 2
    assert sandbox.stats()["leaks"] == []


async def test_the_record_says_how_it_went(sandbox: Sandbox, records: Records, log: logging.Logger) -> None:
    """What a person asks later: where it is, what it is, where it came from, how long it took, what it cost."""
    await make(sandbox, "apimart", VideoRequest(prompt="the end", resolution="720p"), records, log)
    (name,) = [name for name in records.store.names() if name.endswith(".json")]
    found = records.get(name)
    assert found is not None
    record, file = found.record, found.record.files[0]
    assert file.uri == records.store.uri(file.name)
    assert file.size == records.store.size(file.name)
    assert len(file.sha256) == 64
    assert file.media == {
        "container": "mp4",
        "codec": "h264",
        "duration": file.media["duration"],
        "width": 1280,
        "height": 720,
        "frame_rate": 24.0,
        "audio": file.media["audio"],
    }
    assert file.source_host == "127.0.0.1"
    assert file.link_expires_at is not None
    assert file.transfer_seconds >= 0
    attempt = record.attempt
    assert attempt.submitted_at is not None
    assert attempt.finished_at is not None
    assert attempt.started_at <= attempt.submitted_at <= attempt.finished_at <= record.updated_at
    assert attempt.generated_seconds is not None
    assert attempt.generated_seconds >= 0
    after = (record.updated_at - attempt.finished_at).total_seconds()
    assert after > file.transfer_seconds, "finished is not stored"
    assert attempt.cost == Amount.parse("1 USD")


async def test_a_video_larger_than_allowed_is_refused(sandbox: Sandbox, tmp_path: Path, log: logging.Logger) -> None:
    """The limit is one of the store; raised, it lets the same video in."""
    account = credentials(sandbox, "jimmyai")
    store = LocalVideoStore(folder=tmp_path, max_video_bytes=1000)
    records = Records(store.open())
    record = await submit(VideoRequest(prompt="large"), account.account(), records, "batch", log)
    job = await wait(record, account.account(), 30, log)
    with disable_run_logger():
        with pytest.raises(TransferError, match="larger than the limit of 1000 bytes; raise `max_video_bytes`"):
            await store_video.fn(record, job, account, store)
        assert [name for name in records.store.names() if name.endswith(".mp4")] == []
        stored = await store_video.fn(record, job, account, LocalVideoStore(folder=tmp_path))
    assert stored.state is VideoState.STORED


async def test_what_cannot_be_opened_is_kept_and_marked_doubtful(
    sandbox: Sandbox,
    records: Records,
    log: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was paid for, and others may be able to open it."""

    def refuse(_: object, **__: object) -> None:
        raise NotAVideoError("not a video that can be opened")

    monkeypatch.setattr("prefect_omnivideo.core.media.probe.examine", refuse)
    record = await make(sandbox, "jimmyai", VideoRequest(prompt="only an outside"), records, log)
    assert record.state is VideoState.STORED
    assert record.files[0].doubt == "doubtful: not a video that can be opened"
    assert record.attempt.answers, "the evidence is kept"
    assert [name for name in records.store.names() if name.endswith(".mp4")] == [record.files[0].name]
    assert "doubtful" in caplog.text


async def test_a_video_that_the_store_has_in_part_only_is_not_stored(
    sandbox: Sandbox, tmp_path: Path, log: logging.Logger
) -> None:
    """A server that reports success and keeps less: the video is still at the gateway, and a later run fetches it."""

    class Losing(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            kept = io.BytesIO(source.read()[:-1])
            source.read()
            super().write(name, kept, content_type=content_type, metadata=metadata)

    records, request = Records(Losing(tmp_path)), VideoRequest(prompt="a lossy store")
    with pytest.raises(StoreError, match=r"bytes in the store, of \d+ that were sent"):
        await make(sandbox, "apimart", request, records, log)
    found = records.load("batch", request)
    assert found
    assert found.record.state is VideoState.SUBMITTED
    again = await deliver(
        found.record,
        await wait(found.record, credentials(sandbox, "apimart").account(), 30, log),
        credentials(sandbox, "apimart").account(),
        Records(Folder(tmp_path)),
        log,
    )
    assert again.state is VideoState.STORED


async def test_videos_come_home_a_few_at_a_time(sandbox: Sandbox, tmp_path: Path, log: logging.Logger) -> None:
    """However many are finished at the same moment."""
    lock, full, running, most = threading.Lock(), threading.Event(), 0, 0

    class Counting(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == TRANSFERS_IN_FLIGHT:
                    full.set()
            full.wait(30)
            super().write(name, source, content_type=content_type, metadata=metadata)
            with lock:
                running -= 1

    records = Records(Counting(tmp_path))
    prompts = [f"one of many {number}" for number in range(3 * TRANSFERS_IN_FLIGHT)]
    made = await asyncio.gather(
        *(make(sandbox, "jimmyai", VideoRequest(prompt=prompt), records, log) for prompt in prompts)
    )
    assert {record.state for record in made} == {VideoState.STORED}
    assert most == TRANSFERS_IN_FLIGHT


async def test_what_was_left_behind_is_removed_by_a_later_run(
    records: Records, tmp_path: Path, log: logging.Logger
) -> None:
    left = tmp_path / "videos" / "another batch" / ".0123.part"
    left.parent.mkdir(parents=True)
    left.touch()
    await clean_up(records.store, log)
    assert left.exists(), "it may still be written"
    os.utime(left, (0, 0))
    await clean_up(records.store, log)
    assert not left.exists()


async def test_a_store_that_does_not_show_what_was_left_behind_is_good_enough(
    records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every key may list unfinished uploads."""

    def refuse() -> int:
        raise StoreError("AccessDenied")

    monkeypatch.setattr(records.store, "clean", refuse)
    await clean_up(records.store, log)
    assert "AccessDenied" in caplog.text


async def test_cost_is_recorded_where_the_gateway_tells(
    sandbox: Sandbox, records: Records, log: logging.Logger
) -> None:
    assert (await make(sandbox, "apimart", VideoRequest(prompt="cost"), records, log)).cost == (Amount.parse("1 USD"),)
    assert (await make(sandbox, "jimmyai", VideoRequest(prompt="no cost"), records, log)).cost == ()


async def test_what_came_otherwise_is_written_down(
    sandbox: Sandbox, records: Records, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_omnivideo.core.media import probe as media

    facts: media.MediaFacts = {"duration": 5.0, "width": 1280, "height": 720, "audio": True}
    monkeypatch.setattr(media, "examine", lambda file, **_: media.Examined(facts, None))
    record = await make(sandbox, "jimmyai", VideoRequest(prompt="ten seconds", duration=10), records, log)
    assert len(record.mismatches) == 1
    assert "10" in record.mismatches[0]


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
