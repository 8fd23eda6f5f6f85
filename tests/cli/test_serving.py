"""`omnivideo serve`: a store in a browser, and nothing but that."""

import shutil
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright
from starlette.testclient import TestClient

from prefect_omnivideo.cli.serving import LINK_SECONDS, viewer
from prefect_omnivideo.core.choosing.copies import carry_out, stem
from prefect_omnivideo.core.choosing.takes import Choice
from prefect_omnivideo.core.records.compact import PackedRecords, pack
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.comparison import Comparison, Contender
from prefect_omnivideo.core.reports.gallery import gallery
from prefect_omnivideo.core.reports.report import BatchReport
from prefect_omnivideo.core.reports.start_page import entry_of, list_batch
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.sandbox.media import render
from prefect_omnivideo.sandbox.s3server import running_s3
from tests.core.choosing.test_copies import put
from tests.core.records.samples import record, stored

VIDEO = bytes(range(256)) * 4096
HOSTS = ["127.0.0.1"]
NAME = stored(record("a red apple")).files[0].name


def filled(store: ObjectStore, video: bytes = VIDEO) -> ObjectStore:
    """One batch with a video, as a run leaves it, and what is nobody's business."""
    made = stored(record("a red apple"))
    Records(store).claim(made)
    report = BatchReport(batch="daily", records=PackedRecords([pack(made)]))
    store.put(NAME, video, content_type="video/mp4")
    store.put("daily/index.html", gallery(report).encode(), content_type="text/html; charset=utf-8")
    store.put("daily/report.json", report.to_json(), content_type="application/json")
    list_batch(store, entry_of(report.to_json()))
    for name in PRIVATE:
        store.put(name, b"very-secret", content_type="text/plain")
    return store


PRIVATE = (
    "sheets/prompts.csv",
    "secret.txt",
    "settings.json",
    "daily/notes.txt",
    "daily/settings.json",
    "budgets/day.json",
    f"x-{'0' * 16}.json",
    f"references/{'0' * 64}.png",
)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    (tmp_path / "outside.mp4").write_bytes(b"very-secret")
    return filled(Folder(tmp_path / "videos"))


def asked(store: ObjectStore) -> TestClient:
    return TestClient(viewer(store, HOSTS), base_url="http://127.0.0.1", follow_redirects=False)


def test_the_start_page_the_gallery_the_record_and_the_video_are_shown(store: ObjectStore) -> None:
    browser = asked(store)
    start = browser.get("/")
    assert start.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="daily/index.html"' in start.text
    assert "a red apple" in browser.get("/daily/index.html").text
    assert browser.get(f"/{NAME.removesuffix('.mp4')}.json").json()["key"] == record("a red apple").key
    assert browser.get("/daily/report.json").json()["counts"]["stored"] == 1
    video = browser.get(f"/{NAME}")
    assert (video.content, video.headers["content-type"]) == (VIDEO, "video/mp4")
    assert browser.head(f"/{NAME}").headers["content-length"] == str(len(VIDEO))


def test_a_player_can_seek(store: ObjectStore) -> None:
    part = asked(store).get(f"/{NAME}", headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, VIDEO[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(VIDEO)}"
    assert asked(store).get(f"/{NAME}", headers={"Range": f"bytes={len(VIDEO)}-"}).status_code == 416


def test_chosen_copies_and_comparisons_are_shown(store: ObjectStore) -> None:
    (video,) = put(store, record("a red apple"))
    assert carry_out(Choice([video], 0, "", "f", video.created_at), store, "daily").copied == 1
    video, contender = video.model_copy(update={"batch": "t/apimart"}), Contender("apimart", "apimart", "apimart", "")
    comparison = Comparison("t", "T", [contender], [video.request], {("apimart", video.key): video}, {}, {})
    store.put("t/compare.html", comparison.page().encode(), content_type="text/html; charset=utf-8")
    store.put("t/compare.json", comparison.to_json(), content_type="application/json")
    copy = f"chosen/daily/{stem(video.request)}"
    for name, kind in ((f"{copy}.mp4", "video/mp4"), (f"{copy}.json", "application/json")):
        assert asked(store).get(f"/{name}").headers["content-type"] == kind
    assert "Play a red apple" in asked(store).get("/t/compare.html").text
    assert asked(store).get("/t/compare.json").json()["rows"]


@pytest.mark.parametrize("name", PRIVATE)
def test_nothing_else_of_the_store_is_shown(name: str, store: ObjectStore) -> None:
    assert store.read(name)
    answer = asked(store).get(f"/{name}")
    assert answer.status_code == 404
    assert "very-secret" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        *("daily/", "daily", "batches.json", "..%2foutside.mp4", "%2e%2e/outside.mp4", "daily/..%2f..%2foutside.mp4"),
        *("daily%5c..%5c..%5coutside.mp4", "daily//index.html", "/etc/passwd", "%2fetc%2fpasswd", f"{NAME}%00.mp4"),
        *(f"nobody/x-{'0' * 16}.mp4", f"nobody/x-{'0' * 16}.json", "nobody/index.html"),
    ],
)
def test_no_path_leads_out_and_none_is_listed(path: str, store: ObjectStore) -> None:
    answer = asked(store).get(f"/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "x-content-type-options" in answer.headers


def test_a_symbolic_link_does_not_lead_out(tmp_path: Path, store: ObjectStore) -> None:
    for ending in ("mp4", "json"):
        (tmp_path / "videos" / "daily" / f"x-{'0' * 16}.{ending}").symlink_to(tmp_path / "outside.mp4")
        assert asked(store).get(f"/daily/x-{'0' * 16}.{ending}").status_code == 404


@given(st.text(max_size=40))
def test_any_path_is_answered(path: str) -> None:
    store = Folder("/no-such-folder")
    answer = asked(store).get("/" + "".join(f"%{byte:02x}" for byte in path.encode()))
    assert answer.status_code == (200 if path in ("", "index.html") else 404)


def test_a_page_elsewhere_cannot_read_through_the_browser(store: ObjectStore) -> None:
    """Its name may be made to point at 127.0.0.1, and it may frame or embed what is shown."""
    browser = asked(store)
    assert browser.get("/", headers={"Host": "evil.example"}).status_code == 400
    headers = browser.get("/").headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    for method in ("POST", "PUT", "DELETE"):
        assert browser.request(method, f"/{NAME}").status_code == 405


def test_a_store_without_a_start_page_has_one(tmp_path: Path) -> None:
    store = filled(Folder(tmp_path))
    for name in ("index.html", "batches.json"):
        store.delete(name)
    assert 'href="daily/index.html"' in asked(store).get("/").text
    assert store.read("index.html") is None, "nothing is written"


@pytest.fixture(scope="module")
def bucket() -> Generator[Bucket]:
    with running_s3() as s3:
        options = {
            "endpoint_url": s3.endpoint_url,
            "region_name": "us-east-1",
            "aws_access_key_id": s3.access_key_id,
            "aws_secret_access_key": s3.secret_access_key,
            "addressing_style": "path",
        }
        yield Bucket(client(S3Options.model_validate(options)), s3.bucket("shown"), "omni")


@pytest.mark.server
def test_a_video_on_s3_is_a_link_that_ends_soon(bucket: Bucket, capfd: pytest.CaptureFixture[str]) -> None:
    store = filled(bucket)
    browser = asked(store)
    assert 'href="daily/index.html"' in browser.get("/").text
    answer = browser.get(f"/{NAME}")
    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    link = answer.headers["location"]
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == [str(LINK_SECONDS)]
    part = httpx.get(link, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, VIDEO[1000:2000])
    assert browser.get("/secret.txt").status_code == 404
    assert browser.get(f"/nobody/x-{'0' * 16}.mp4").status_code == 404
    objects = [store.read(name) for name in store.names()]
    assert not any(b"X-Amz-Signature" in found[0] for found in objects if found)
    assert "X-Amz-Signature" not in "".join(capfd.readouterr())


@contextmanager
def listening(store: ObjectStore) -> Generator[str]:
    """The server itself; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(viewer(store, HOSTS), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [free]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{free.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.mark.server
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_video_plays_and_seeks_in_a_browser(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = Folder(tmp_path) if kind == "folder" else request.getfixturevalue("bucket")
    filled(store, render(320, 180, 6.0, 3, sound=False))
    with sync_playwright() as playwright, listening(store) as address:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        page.get_by_role("link", name="daily").click()
        page.wait_for_url("**/daily/index.html")
        seen = page.evaluate(
            """async name => {
                const video = document.createElement("video");
                video.src = name; video.preload = "auto"; video.muted = true; document.body.append(video);
                await new Promise((done, fail) => { video.onloadedmetadata = done; video.onerror = fail; });
                const sought = new Promise(done => { video.onseeked = done; });
                video.currentTime = 4; await sought;
                return [video.currentTime, video.videoWidth, video.seekable.end(0)];
            }""",
            NAME.removeprefix("daily/"),
        )
        browser.close()
    assert seen == [4, 320, 6]
    assert not [text for text in said if "Content Security Policy" in text]
