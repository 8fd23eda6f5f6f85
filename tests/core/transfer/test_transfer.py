"""From a link into the store: who gets the key, what is tried again, and what is said when it fails."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
import stamina
import stamina.instrumentation
from pydantic import SecretStr

from prefect_omnivideo.core.errors import LinkExpiredError, NotAVideoError, StoreError, TransferError
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.transfer import download
from prefect_omnivideo.core.transfer import url_policy as links
from prefect_omnivideo.core.transfer.transfer import transfer
from tests.core.transfer.lying_server import (
    HALF,
    KEY,
    SIGNATURE,
    VIDEO,
    CountingFolder,
    Server,
    answer,
    bring,
    content,
    mp4,
    redirect,
    refused,
    rest,
    running,
    source_at,
    then_gone,
)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    """Another origin: the same machine, another port."""
    with running() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> CountingFolder:
    return CountingFolder(tmp_path)


def test_a_video_comes_home(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(Content_Type="application/octet-stream")]
    done = bring(server, store, metadata={"job": "1"})
    assert content(store) == VIDEO
    assert (done.name, done.size, done.content_type, done.host) == (
        "batch/video.mp4",
        len(VIDEO),
        "video/mp4",
        "127.0.0.1",
    )
    assert done.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert done.seconds > 0
    assert store.seen == ("video/mp4", {"job": "1"})
    [(path, headers)] = server.requests
    assert path == f"/v.mp4?sig={SIGNATURE}"
    assert headers["accept-encoding"] == "identity"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "range" not in headers


def test_the_server_does_not_name_the_file(server: Server, tmp_path: Path) -> None:
    server.answers = [answer(Content_Disposition='attachment; filename="../../../evil.sh"')]
    source = source_at(server, url=f"{server.url}/..%2f..%2fevil.sh?name=evil.sh")
    assert transfer(source, CountingFolder(tmp_path / "a" / "store"), "batch/video").name == "batch/video.mp4"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "a/store/batch/video.mp4"]


def test_another_origin_never_gets_the_key(server: Server, other: Server, store: CountingFolder) -> None:
    other.answers = [answer()]
    source = source_at(server, url=f"{other.url}/v.mp4")
    transfer(source, store, "batch/video", delay=0)
    assert "authorization" not in other.requests[0][1]


def test_a_redirect_to_another_origin_loses_the_key_for_good(
    server: Server, other: Server, store: CountingFolder
) -> None:
    """Also when that origin leads back to the gateway."""
    server.answers = [redirect(f"{other.url}/away"), answer()]
    other.answers = [redirect(f"{server.url}/back")]
    bring(server, store)
    assert server.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in other.requests[0][1]
    assert "authorization" not in server.requests[1][1]


def test_a_redirect_within_the_origin_keeps_the_key(server: Server, store: CountingFolder) -> None:
    server.answers = [redirect("/files/1"), answer()]
    bring(server, store)
    assert [path for path, _ in server.requests][1] == "/files/1"
    assert server.requests[1][1]["authorization"] == f"Bearer {KEY}"


def test_redirects_have_an_end(server: Server, store: CountingFolder) -> None:
    server.answers = [redirect("/again")]
    assert "more than 5 redirects" in refused(server, store, TransferError)
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/v.mp4", "http://cdn.example:99999/", "http://me:pw@127.0.0.1/v"])
def test_every_hop_of_a_redirect_is_checked(server: Server, store: CountingFolder, location: str) -> None:
    server.answers = [redirect(location)]
    refused(server, store, TransferError)
    assert len(server.requests) == 1


def test_an_answer_from_inside_the_house_is_refused(
    server: Server, store: CountingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that was public when it was checked and leads home when it is connected to (DNS rebinding)."""
    monkeypatch.setattr(links, "_addresses", lambda _: ["93.184.216.34"])
    server.answers = [answer()]
    source = source_at(server, base_url="http://gateway.example")
    with pytest.raises(TransferError, match="private address"):
        transfer(source, store, "batch/video", delay=0)
    assert not list(store.names())
    assert "authorization" not in server.requests[0][1]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 524])
def test_a_passing_fault_is_tried_again(server: Server, store: CountingFolder, status: int) -> None:
    server.answers = [answer(b"later", status), answer()]
    bring(server, store)
    assert content(store) == VIDEO


def test_it_gives_up_after_five_attempts(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(b"", 503)]
    message = refused(server, store, TransferError)
    assert message == f"{server.url[7:]}/v.mp4: answered 503; given up after 5 attempts"
    assert len(server.requests) == 5


def test_no_connection_is_tried_again_and_given_up(server: Server, store: CountingFolder) -> None:
    source = source_at(server, url="http://127.0.0.1:1/v.mp4")
    with pytest.raises(TransferError, match=r"could not be reached \(ConnectError\); given up after 3 attempts"):
        transfer(source, store, "batch/video", attempts=3, delay=0)


@pytest.fixture
def delays() -> Iterator[list[float]]:
    """Seconds of every pause between two attempts, which are real here."""
    found: list[float] = []
    before = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([lambda details: found.append(details.wait_for)])
    with stamina.set_testing(False):
        yield found
    stamina.instrumentation.set_on_retry_hooks(before)


def test_retry_after_goes_first(server: Server, store: CountingFolder, delays: list[float]) -> None:
    server.answers = [answer(b"", 503, Retry_After="0.001"), answer()]
    bring(server, store, delay=1000)
    assert delays == [0.001]


def test_a_long_retry_after_is_capped() -> None:
    error = download.InterruptedTransferError("busy", retry_after=86_400)
    assert download._delay(error) == download.LONGEST_DELAY


def test_delays_double_up_to_eight_times_the_first(server: Server, store: CountingFolder, delays: list[float]) -> None:
    server.answers = [answer(b"", 500)]
    refused(server, store, TransferError, attempts=6, delay=0.001)
    assert delays == [pytest.approx(0.001 * factor, abs=0.000_21) for factor in (1, 2, 4, 8, 8)]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_dead_link_is_said_at_once(server: Server, store: CountingFolder, status: int) -> None:
    server.answers = [answer(b"gone", status)]
    refused(server, store, LinkExpiredError)
    assert len(server.requests) == 1


def test_a_refused_key_is_named_by_its_account(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(b"", 401)]
    assert f"the API key of {server.url[7:]}/ is not accepted" in refused(server, store, TransferError)
    assert len(server.requests) == 1


def test_any_other_refusal_is_final_and_quoted(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(f'{{"message": "Task is not completed yet", "key": "{KEY}"}}'.encode(), 400)]
    message = refused(server, store, TransferError)
    assert "answered 400" in message
    assert "Task is not completed yet" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("expired", [True, False])
def test_after_its_time_a_refused_link_is_an_expired_one(server: Server, store: CountingFolder, expired: bool) -> None:
    moment = datetime.now(UTC) + timedelta(hours=-1 if expired else 1)
    source = source_at(server, expires_at=moment)
    for reply, otherwise in ((answer(b"", 400), TransferError), (answer(b"<html>expired"), NotAVideoError)):
        server.answers = [reply]
        with pytest.raises(TransferError) as caught:
            transfer(source, store, "batch/video", delay=0)
        assert type(caught.value) is (LinkExpiredError if expired else otherwise)


def test_a_link_past_its_time_is_tried_all_the_same(server: Server, store: CountingFolder) -> None:
    """Clocks differ, and the video is paid for."""
    server.answers = [answer()]
    transfer(source_at(server, expires_at=datetime(2020, 1, 1, tzinfo=UTC)), store, "batch/video", delay=0)
    assert content(store) == VIDEO


def test_what_the_store_raises_comes_out_and_ends_the_download(server: Server, tmp_path: Path) -> None:
    class Full(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            source.read(10)
            raise StoreError("no room")

    server.answers = [answer(mp4(20_000_000))]
    with pytest.raises(StoreError, match="no room"):
        bring(server, Full(tmp_path))
    assert len(server.requests) == 1


def test_a_store_that_stops_reading_is_found_out(server: Server, tmp_path: Path) -> None:
    class Lazy(Folder):
        def write(self, name: str, source: BinaryIO, *, content_type: str, metadata: Mapping[str, str]) -> None:
            source.read(10)

    server.answers = [answer()]
    with pytest.raises(StoreError, match="did not read it to its end"):
        bring(server, Lazy(tmp_path))


def test_nothing_secret_is_logged_or_shown(
    server: Server, store: CountingFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [answer(b"", 500), answer(sent=HALF, ETag='"a"'), rest()]
    bring(server, store)
    assert caplog.records
    for text in (caplog.text, repr(source_at(server))):
        assert KEY not in text
        assert SIGNATURE not in text


def test_a_key_that_cannot_be_a_header_is_not_quoted(server: Server, store: CountingFolder) -> None:
    source = source_at(server, key=SecretStr(f"{KEY}\n"))
    with pytest.raises(TransferError, match="cannot be sent") as caught:
        transfer(source, store, "batch/video", delay=0)
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


def test_downloads_from_one_host_share_a_connection(server: Server, store: CountingFolder) -> None:
    server.answers = [answer()]
    for name in ("first", "second"):
        transfer(source_at(server), store, name)
    assert server.clients == [server.clients[0]] * 2


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(server: Server, store: CountingFolder) -> None:
    server.answers = [then_gone(answer()), answer()]
    for name in ("first", "second"):
        transfer(source_at(server), store, name)
    assert server.clients[0] != server.clients[1]


def test_a_connection_that_broke_is_not_used_again(server: Server, store: CountingFolder) -> None:
    server.answers = [answer(ETag='"a"', sent=HALF), rest()]
    transfer(source_at(server), store, "film", delay=0)
    assert server.clients[0] != server.clients[1]
