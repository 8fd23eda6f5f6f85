"""References of a submission: brought within the gateway's reach once, and never written down as what they became."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.uploads import UPLOAD_ATTEMPTS
from prefect_omnivideo.core.errors import (
    NotAcceptedError,
    RefusedError,
    RequestError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, Rejected
from prefect_omnivideo.core.jobs.submit import submit
from prefect_omnivideo.core.records.model import VideoRecord, VideoState
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.request import VideoRequest
from prefect_omnivideo.core.storage.s3 import Bucket
from prefect_omnivideo.flows.run.accounts import eligible
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
JPEG = b"\xff\xd8\xff\xe0" + b"picture"
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 32

Submit = Callable[..., Any]


@pytest.fixture
def ask(sandbox: Sandbox, records: Records, log: logging.Logger) -> Submit:
    """Submit a request to a gateway of the sandbox, under a key of its own for each test."""

    async def ask(gateway: str, prompt: str = "x", *, into: Records = records, **settings: Any) -> VideoRecord:
        account = credentials(sandbox, gateway, **settings.pop("account", {})).account()
        return await submit(VideoRequest(prompt=prompt, **settings), account, into, "batch", log)

    return ask


@pytest.fixture
def cat(tmp_path: Path) -> str:
    path = tmp_path / "my secret cat.png"
    # Of this test alone: what one test has uploaded, another one would not upload again.
    path.write_bytes(PNG + str(tmp_path).encode())
    return str(path)


def body_of(sandbox: Sandbox, record: VideoRecord) -> dict[str, Any]:
    job = next(job for job in sandbox.jobs() if job["id"] == record.attempt.task_id)
    return dict(job["body"])


def uploads(sandbox: Sandbox, gateway: str) -> int:
    return int(sandbox.stats()["gateways"][gateway].get("uploads", 0))


@pytest.mark.parametrize(
    ("gateway", "field", "native", "content"),
    [
        ("apimart", "images", "image_urls", PNG),
        ("jimmyai", "images", "image_urls", JPEG),
        ("jimmyai", "videos", "video_urls", MP4),
    ],
)
async def test_a_local_file_is_uploaded_and_the_record_keeps_its_path(
    gateway: str, field: str, native: str, content: bytes, ask: Submit, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "wrong ending.txt"
    path.write_bytes(content)
    record = await ask(gateway, **{field: (str(path),)})
    (link,) = body_of(sandbox, record)[native]
    assert link.startswith(sandbox.media_url)
    assert httpx.get(link).content == content
    written = record.model_dump_json()
    assert record.request.model_dump()[field] == (str(path),)
    assert record.key == VideoRequest(prompt="x", **{field: (str(path),)}).key  # type: ignore[arg-type]  # by name
    assert sandbox.media_url not in written
    assert not sandbox.stats()["leaks"]


async def test_a_file_used_by_fifty_prompts_is_uploaded_once(ask: Submit, sandbox: Sandbox, cat: str) -> None:
    before = uploads(sandbox, "apimart")
    made = await asyncio.gather(*(ask("apimart", f"fifty {number}", images=(cat,)) for number in range(50)))
    assert uploads(sandbox, "apimart") - before == 1
    assert len({body_of(sandbox, record)["image_urls"][0] for record in made}) == 1
    again = await asyncio.gather(*(ask("apimart", f"fifty {number}", images=(cat,)) for number in range(50)))
    assert again == made
    assert uploads(sandbox, "apimart") - before == 1


async def test_each_account_has_its_own_upload(ask: Submit, sandbox: Sandbox, cat: str) -> None:
    before = uploads(sandbox, "apimart")
    await ask("apimart", "one", images=(cat,))
    await ask("apimart", "other", images=(cat,), account={"api_key": f"{sandbox.key}-b"})
    assert uploads(sandbox, "apimart") - before == 2


def test_a_later_run_uploads_nothing_though_the_file_is_gone(ask: Submit, sandbox: Sandbox, cat: str) -> None:
    """What was submitted is collected, whatever became of its references. Each run has an event loop of its own."""
    first = asyncio.run(ask("apimart", images=(cat,)))
    before = uploads(sandbox, "apimart")
    Path(cat).unlink()
    assert asyncio.run(ask("apimart", images=(cat,))) == first
    assert uploads(sandbox, "apimart") == before


async def test_a_changed_file_is_another_file(ask: Submit, sandbox: Sandbox, cat: str) -> None:
    first = await ask("apimart", "before", images=(cat,))
    Path(cat).write_bytes(PNG + b"another one")
    second = await ask("apimart", "after", images=(cat,))
    links = [body_of(sandbox, record)["image_urls"][0] for record in (first, second)]
    assert links[0] != links[1]
    assert httpx.get(links[1]).content == PNG + b"another one"


HOSTILE = [
    'a"b.png',
    "a\r\nX-Evil: 1.png",
    "日本 猫.png",
    "%2e%2e%2fcat.png",
    "-rf.png",
    "a;b='c'.png",
    "no ending",
    "ö" * 120,
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_gateway_learns_how_a_file_is_called(
    name: str, ask: Submit, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name, the file arrives under one of ours; paths may be relative."""
    (tmp_path / name).write_bytes(PNG + name.encode())
    monkeypatch.chdir(tmp_path)
    body = body_of(sandbox, await ask("apimart", f"link {name}", images=(name,)))
    assert httpx.get(body["image_urls"][0]).content == PNG + name.encode()
    if "ending" not in name:
        form = body_of(sandbox, await ask("sora", f"form {name}", images=(name,)))
        assert form["input_reference"]["filename"].startswith("reference")
        assert form["input_reference"]["bytes"] == len(PNG + name.encode())


Faults = list[Exception | Answer]


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """What happens to the next uploads instead of reaching the sandbox."""
    coming: Faults = []
    post = GatewayClient.post_file

    async def faulty(self: GatewayClient, *args: Any) -> Answer:
        if coming:
            fault = coming.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        return await post(self, *args)

    monkeypatch.setattr(GatewayClient, "post_file", faulty)
    return coming


def answer(status: int, **body: Any) -> Answer:
    return Answer(status, {}, body, json.dumps(body))


async def test_an_upload_is_tried_again_whatever_went_wrong(
    ask: Submit, sandbox: Sandbox, cat: str, faults: Faults
) -> None:
    """Even after a broken connection or an answer that makes no sense: unlike a submission, it costs nothing."""
    faults += [httpx.ReadError("broken"), answer(502), TimeoutError(), answer(200, url="no link")]
    record = await ask("apimart", images=(cat,))
    assert faults == []
    assert record.state is VideoState.SUBMITTED
    assert len([job for job in sandbox.jobs() if job["id"] == record.attempt.task_id]) == 1


@pytest.mark.parametrize(
    ("fault", "error", "tries"),
    [
        (httpx.ConnectError("gone"), UnreachableError, UPLOAD_ATTEMPTS),
        (answer(503, error={"message": "busy"}), UnavailableError, UPLOAD_ATTEMPTS),
        (answer(413, error={"message": "too large"}), RefusedError, 1),
        (answer(401, error={"message": "bad key"}), UnauthorizedError, 1),
    ],
)
async def test_a_failed_upload_is_not_remembered(
    fault: Exception | Answer,
    error: type[NotAcceptedError],
    tries: int,
    ask: Submit,
    sandbox: Sandbox,
    records: Records,
    cat: str,
    faults: Faults,
) -> None:
    """Nothing was claimed, sent or spent, so that the next run begins afresh."""
    faults += [fault] * tries
    bill = len(sandbox.jobs())
    with pytest.raises(error):
        await ask("apimart", images=(cat,))
    assert faults == []
    assert list(records.all()) == []
    assert len(sandbox.jobs()) == bill
    assert (await ask("apimart", images=(cat,))).state is VideoState.SUBMITTED


async def test_what_cannot_be_used_is_neither_claimed_nor_sent(
    ask: Submit, sandbox: Sandbox, records: Records, cat: str
) -> None:
    bill = len(sandbox.jobs())
    for gateway, reference in (("12ai", cat), ("apimart", "gone.png"), ("apimart", "s3://bucket")):
        with pytest.raises(RequestError, match=r"images\.0"):
            await ask(gateway, images=(reference,))
    assert list(records.all()) == []
    assert len(sandbox.jobs()) == bill


async def test_staged_once_for_twenty_prompts_and_fetched_by_the_link(
    ask: Submit, sandbox: Sandbox, seaweed: Bucket, cat: str, caplog: pytest.LogCaptureFixture
) -> None:
    """12AI documents no upload: the file goes through the store, as one private object."""
    caplog.set_level(logging.INFO)
    into = Records(seaweed)
    made = await asyncio.gather(*(ask("12ai", f"staged {n}", into=into, images=(cat,)) for n in range(20)))
    assert len(list(seaweed.names("references/"))) == 1
    for record in made:
        assert record.request.images == (cat,)
        assert "X-Amz" not in record.model_dump_json()
    assert "X-Amz" not in caplog.text
    assert len(list(into.all())) == 20, "what is staged is no record"
    (link,) = body_of(sandbox, made[0])["images"]
    assert httpx.get(link).content == Path(cat).read_bytes()


@pytest.mark.parametrize(("gateway", "native"), [("12ai", "images"), ("apimart", "image_urls"), ("sora", "images")])
async def test_an_object_of_s3_is_presigned(
    gateway: str, native: str, ask: Submit, sandbox: Sandbox, seaweed: Bucket
) -> None:
    seaweed.put("dog.png", PNG, content_type="image/png")
    value = seaweed.uri("dog.png")
    record = await ask(gateway, into=Records(seaweed), images=(value,))
    (link,) = body_of(sandbox, record)[native]
    assert httpx.get(link).content == PNG
    assert "X-Amz-Expires=86400" in link
    assert record.request.images == (value,)
    assert "X-Amz" not in record.model_dump_json()


async def test_a_sora_compatible_gateway_is_given_one_image_with_the_form_and_links_to_several(
    ask: Submit, sandbox: Sandbox, seaweed: Bucket, cat: str
) -> None:
    into, url = Records(seaweed), f"file://{cat.replace(' ', '%20')}"
    one = await ask("sora", "one", into=into, images=(url,))
    assert body_of(sandbox, one)["input_reference"]["bytes"] == Path(cat).stat().st_size
    assert one.request.images == (url,)
    assert list(seaweed.names("references/")) == []
    two = await ask("sora", "two", into=into, images=(cat, "https://e.com/a.png"))
    links = body_of(sandbox, two)["images"]
    assert links[1] == "https://e.com/a.png"
    assert httpx.get(links[0]).content == Path(cat).read_bytes()


async def test_an_image_that_vanishes_before_the_form_is_sent_costs_nothing(
    ask: Submit, sandbox: Sandbox, records: Records, cat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "claim", lambda record, claim=records.claim: (Path(cat).unlink(), claim(record))[1])
    bill = len(sandbox.jobs())
    with pytest.raises(UnreachableError, match="Nothing was sent"):
        await ask("sora", images=(cat,))
    (record,) = records.all()
    assert record.state is VideoState.FAILED
    assert record.failure is not None
    assert record.failure.may_resubmit
    assert len(sandbox.jobs()) == bill


def test_what_a_gateway_quotes_of_a_presigned_link_is_cut() -> None:
    """The message ends up in records and logs, and a link with its signature is as good as the file."""
    link = "https://b.s3.amazonaws.com/cat.png?X-Amz-Credential=AKIA%2F2026&X-Amz-Expires=9&X-Amz-Signature=0a1b2c"
    for quoted in (link, link.replace("=", "%3D").replace("&", "%26")):
        refusal = answer(400, error={"message": f"cannot fetch '{quoted}' (404)", "code": 400})
        outcome = read_submission(get_gateway("apimart"), refusal)
        assert isinstance(outcome, Rejected)
        for said in (outcome.message, refusal.evidence.body):
            assert "cat.png" in said
            assert "0a1b2c" not in said
            assert "AKIA" not in said
            assert "(404)" in said


def test_all_prompts_are_checked_up_front(sandbox: Sandbox, records: Records, cat: str) -> None:
    """By every account: a file that one gateway cannot get may be what another one takes."""
    both = [credentials(sandbox, "12ai"), credentials(sandbox, "apimart")]
    fine, local = VideoRequest(prompt="a"), VideoRequest(prompt="b", images=(cat,))
    assert eligible([fine, local], both, records.store) == [frozenset({0, 1}), frozenset({1})]
    assert eligible([local], both) == [frozenset({0, 1})], "without a store, only the files are looked at"
    with pytest.raises(RequestError, match=r"prompt 2: 12AI, images\.0: .* is a local file") as caught:
        eligible([fine, local, replace_images(local, "gone.png")], both[:1], records.store)
    assert "prompt 3: 12AI, images.0: there is no file 'gone.png'" in str(caught.value)


def replace_images(request: VideoRequest, *images: str) -> VideoRequest:
    return request.model_copy(update={"images": images})
