"""A video's link and a task's id at any place of any answer, among everything that is not them."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prefect_omnivideo.core.answers.json_paths import walk
from prefect_omnivideo.core.answers.links import find_links
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.submission import read_submission
from prefect_omnivideo.core.errors import StatusDeniedError, StatusUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Accepted, Answer, Job, Unknown
from prefect_omnivideo.core.gateways.words import JobStatus

_GATEWAYS = st.sampled_from(("12ai", "apimart", "jimmyai", "omnirouters", "sora"))

# fmt: off
_RESULT_NAMES = st.sampled_from((
    "video_url", "videoUrl", "url", "urls", "output", "result", "resultUrl", "download_url", "file", "uri", "video",
    "mp4", "play_url", "link", "media", "resource", "content", "message", "fail_reason", "outputs", "hd", "signedUri",
    "mediaUrl", "fileUrl", "cdn_url", "publicUrl", "s3_url", "final_url", "asset", "src", "mp4_url", "discover_url",
    "recovered", "no_watermark", "url_without_watermark", "originUrl", "video_raw", "videoFile", "works", "clip", "pic",
))
_CONTAINERS = st.sampled_from((
    "data", "result", "response", "output", "Resp", "task", "job", "task_result", "videos", "creations", "items",
    "generations", "assets", "metadata", "choices", "detail", "resultJson", "upstreamData", "0", "ä", "a b", "结果",
))
_DECOYS = (
    ("cover", "https://host.test/cover.jpg"),
    ("cover_image_url", "https://host.test/cover"),
    ("thumbnail", "https://host.test/thumb.webp"),
    ("poster", "https://host.test/p.gif"),
    ("last_frame_url", "https://host.test/last.png"),
    ("image_urls", "https://host.test/in.png"),
    ("input", "https://host.test/in.mp4"),
    ("input_video_url", "https://host.test/in2.mp4"),
    ("reference", "https://host.test/ref.mov"),
    ("watermark_url", "https://host.test/marked.mp4"),
    ("preview_url", "https://host.test/low.mp4"),
    ("webhook", "https://hook.test/done"),
    ("callback_url", "https://hook.test/back"),
    ("get", "https://api.test/v1/jobs/7"),
    ("cancel", "https://api.test/v1/jobs/7/cancel"),
    ("status_url", "https://api.test/v1/jobs/7/status"),
    ("audio_url", "https://host.test/sound.mp3"),
)
# fmt: on
_LINKS = st.sampled_from(
    (
        "http://host.test/v.mp4?sig=a&e=1",
        "https://host.test/v.mp4",
        "https://host.test/o/8c1f?X-Amz-Signature=00ff&copy=2",
        "https://host.test/a_b/v.webm?Signature=Ab-Cd~Ef__",
        "https://host.test/%E7%89%87.mov#t=1",
        "https://127.0.0.1:8443/f/(1)/v.mp4?x=[1]",
    )
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
_WRITINGS: dict[str, Callable[[str], Any]] = {
    "as it is": lambda link: link,
    "with spaces": lambda link: f" {link}\n",
    "in a list": lambda link: [None, [link]],
    "in an object": lambda link: {"url": link, "duration": 5},
    "in JSON in a text": lambda link: json.dumps({"url": link}),
    "in JSON encoded twice": lambda link: json.dumps(json.dumps([{"url": link}])),
    "in a sentence": lambda link: f"任务完成，视频：{link} 。",
    "in Markdown": lambda link: f"[watch it]({link})",
    "escaped": html.escape,
    "in escaped HTML": lambda link: html.escape(f'<video controls src="{html.escape(link)}"></video>'),
    "in HTML": lambda link: f'<a href="{html.escape(link)}">here</a>',
    "in a piece of JSON": lambda link: (
        'answered {"video_url":' + json.dumps(link).replace("/", "\\/").replace("&", "\\u0026")
    ),
    "in a sentence with others": lambda link: (
        f"[Input](https://host.test/s/in.mp4) preview: <https://host.test/s/low.mp4>\n**Video**: {link}"
    ),
    "in JSON that was cut off": lambda link: (
        '{"input":"https://host.test/s/in.mp4","preview_url":"https://host.test/s/low.mp4",'
        f'"video_url":{json.dumps(link)},"watermark_url":"https://host.test/s/marked.mp4","cov'
    ),
}
_WITHIN = {"https://host.test/s/in.mp4", "https://host.test/s/low.mp4", "https://host.test/s/marked.mp4"}


@st.composite
def _around(draw: st.DrawFn, inner: Any, leaves: Any = _SCALARS) -> Any:
    """Something, somewhere within JSON that says nothing."""
    for _ in range(draw(st.integers(0, 5))):
        match draw(st.integers(0, 5)):
            case 0:
                before, after = draw(st.lists(leaves, max_size=2)), draw(st.lists(leaves, max_size=2))
                inner = [*before, inner, *after]
            case 1:
                inner = json.dumps(inner, ensure_ascii=draw(st.booleans()))
            case _:
                name = draw(_CONTAINERS)
                noise = draw(st.dictionaries(_CONTAINERS, leaves, max_size=3))
                items = [*noise.items(), (name, inner)]
                inner = dict(draw(st.permutations(items))) | {name: inner}
    return inner


@st.composite
def _answers(draw: st.DrawFn, link: str) -> dict[str, Any]:
    """The answer about a finished job with this link, among decoys."""
    written = _WRITINGS[draw(st.sampled_from(sorted(_WRITINGS)))](link)
    fields = [(draw(_RESULT_NAMES), written), *draw(st.lists(st.sampled_from(_DECOYS), max_size=6, unique=True))]
    result = draw(_around(dict(draw(st.permutations(fields)))))
    answer = {"id": "the-task", "status": "completed", draw(_CONTAINERS): result}
    for name, decoy in draw(st.lists(st.sampled_from(_DECOYS), max_size=3, unique=True)):
        answer[name] = decoy
    return answer


def _read(gateway: str, body: Any) -> Job:
    return read_status(get_gateway(gateway), Answer(200, {}, body, json.dumps(body)[:500]), "the-task")


@given(st.data(), _GATEWAYS, _LINKS)
def test_the_link_is_found_before_all_decoys(data: st.DataObject, gateway: str, link: str) -> None:
    job = _read(gateway, data.draw(_answers(link)))
    assert job.status is JobStatus.SUCCEEDED
    found = [each.url for each in job.links]
    assert link in found
    assert not ({decoy for _, decoy in _DECOYS} | _WITHIN) & set(found[: found.index(link)])


@given(st.data(), _GATEWAYS, _LINKS)
def test_what_was_sent_is_never_the_result(data: st.DataObject, gateway: str, link: str) -> None:
    body = data.draw(_answers(link))
    job = read_status(get_gateway(gateway), Answer(200, {}, body), "the-task", frozenset({link}))
    assert link not in [each.url for each in job.links]


@given(st.data(), _GATEWAYS)
def test_decoys_alone_are_never_a_result_of_a_job_whose_word_is_unknown(data: st.DataObject, gateway: str) -> None:
    """Inputs, pictures and pages about the job do not end it."""
    decoys = [decoy for decoy in _DECOYS if decoy[0] not in ("watermark_url", "preview_url")]
    fields = data.draw(st.lists(st.sampled_from(decoys), unique=True, max_size=8))
    job = _read(gateway, {"id": "the-task", "status": "baking", "data": data.draw(_around(dict(fields)))})
    assert not job.status.is_final
    assert job.links == ()


@pytest.mark.parametrize("name", ["stream", "get", "web", "responseUrl", "error"])
def test_a_video_file_among_pages_about_the_job_is_the_last_to_try(name: str) -> None:
    film, page = "https://host.test/v.mp4", "https://api.test/v1/jobs/7"
    assert [
        each.url for each in _read("sora", {"status": "completed", "urls": {name: film, "cancel": page}}).links
    ] == [film]
    other = {"status": "completed", "urls": {name: film}, "preview": "https://host.test/low.mp4"}
    assert [each.url for each in _read("sora", other).links][-1] == film


# fmt: off
_ID_NAMES = st.sampled_from((
    "task_id", "taskId", "TaskID", "job_id", "jobId", "video_id", "generation_id", "generationId", "prediction_id",
    "operation_id", "task_uuid",
))
_IDS = st.sampled_from((
    "task_01KS1H7ZYSJWH1N779S2FSHTKA", "8672", "video_6f3c2a9d", "2a145658-3342-4228-b779-b8323a2b77df",
    318633193768896, "models/veo/operations/mg3pt9", "veo3:b873872e-7358", "cHJvamVjdHMv=", "a",
))
_NO_IDS = (
    ("request_id", "8f0c1a2b-1111-4222-8333-944455556666"),
    ("requestId", "req_0123456789"),
    ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("log_id", "20260312000000ABCDEF0123456789"),
    ("message", "The task was accepted, 1 of 3 in the queue"),
    ("msg", "提交成功 12345678"),
    ("code", 200),
    ("code", "success"),
    ("user_id", "user-12345678"),
    ("model", "sora-2-2025-12-08"),
    ("created_at", 1764000000),
    ("polling_url", "https://api.test/v1/jobs/12345678"),
)
# fmt: on
_TOO_SHORT = st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=3)


@given(st.data(), _GATEWAYS, _IDS)
def test_a_task_id_is_found_wherever_a_field_names_it(data: st.DataObject, gateway: str, task_id: str | int) -> None:
    noise = data.draw(st.lists(st.sampled_from(_NO_IDS), max_size=5))
    fields = [*noise, (data.draw(_ID_NAMES), task_id)]
    inner = data.draw(_around(dict(data.draw(st.permutations(fields))), _TOO_SHORT))
    assume("detail" not in json.dumps(inner))  # what speaks of something else
    body = {**dict(noise), "data": inner} if data.draw(st.booleans()) else inner
    outcome = read_submission(get_gateway(gateway), Answer(200, {}, body))
    assert isinstance(outcome, Accepted)
    assert outcome.task_id == str(task_id)


@given(st.data(), _GATEWAYS)
def test_ids_of_requests_and_sentences_are_no_task(data: st.DataObject, gateway: str) -> None:
    noise = dict(data.draw(st.lists(st.sampled_from(_NO_IDS), max_size=8)))
    body = data.draw(_around(noise, _TOO_SHORT))
    outcome = read_submission(get_gateway(gateway), Answer(200, {}, body))
    assert isinstance(outcome, Unknown), "nothing is known of a job, and nothing says that there is none"


def _deep_lists(inner: Any) -> Any:
    for _ in range(10_000):
        inner = [inner]
    return inner


def _deep_objects(inner: Any) -> Any:
    for _ in range(10_000):
        inner = {"data": inner}
    return inner


def _text_in_text(inner: Any) -> Any:
    for _ in range(14):
        inner = json.dumps({"data": inner})
    return inner


_MEGABYTE = 1_000_000
_HOSTILE: dict[str, Any] = {
    "deep lists": {"id": "the-task", "status": "completed", "urls": _deep_lists("https://host.test/v.mp4")},
    "deep objects": {"id": "the-task", "status": "completed", "data": _deep_objects("https://host.test/v.mp4")},
    "deep lists alone": _deep_lists("x"),
    "deep text": "[" * _MEGABYTE,
    "text in text": _text_in_text("https://host.test/v.mp4"),
    "wide": {"data": [{"url": f"https://host.test/{n}.jpg"} for n in range(30_000)]},
    "many names": {f"name{n}": n for n in range(30_000)},
    **{
        f"a megabyte of {part[:12]!r}": {"id": "the-task", name: (part * _MEGABYTE)[:_MEGABYTE] + "!"}
        for part in (
            "a",
            "\n",
            "{",
            '"',
            "\\",
            "\\/",
            "https://",
            "https://h.test/).",
            "http://a&amp;",
            "data:video/",
            ";a=b",
        )
        for name in ("status", "task_id", "message", "video_base64")
    },
    "brackets": {"status": "completed", "url": "see https://h.test/" + ").](" * (_MEGABYTE // 4)},
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_answers_are_read_in_a_moment(name: str) -> None:
    body, gateway = _HOSTILE[name], get_gateway("sora")
    answer = Answer(200, {}, body)
    limit, began = sys.getrecursionlimit(), time.process_time()
    with suppress(StatusDeniedError, StatusUnavailableError):
        assert len(read_status(gateway, answer, "the-task").answer.evidence.body) <= 2000  # type: ignore[union-attr]
    read_submission(gateway, answer)
    find_links(gateway, body, body)
    assert sum(1 for _ in walk(body)) <= 20_000
    assert len(answer.evidence.body) <= 2000
    assert time.process_time() - began < 15
    assert sys.getrecursionlimit() == limit
