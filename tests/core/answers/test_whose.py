"""What of an answer belongs to our job: its id, its status and its links, among those of others, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_omnivideo.core.answers.links import find_links
from prefect_omnivideo.core.answers.status import read_status
from prefect_omnivideo.core.answers.task_id import find_task_id
from prefect_omnivideo.core.errors import StatusDeniedError, StatusUnavailableError
from prefect_omnivideo.core.gateways.registry import get_gateway
from prefect_omnivideo.core.gateways.specification import Answer, Job
from prefect_omnivideo.core.money.amount import Amount

SORA = get_gateway("sora")
URL, OTHER = "https://cdn.example.com/v.mp4", "https://cdn.example.com/w.mp4"


def status(body: Any) -> Job:
    return read_status(SORA, Answer(200, {}, body, str(body)[:500]), "task_1")


@pytest.mark.parametrize("name", ["id", "task_id", "taskId", "jobId", "name"])
@pytest.mark.parametrize("ours_first", [True, False])
def test_an_object_with_our_id_goes_before_others(name: str, ours_first: bool) -> None:
    """A gateway that lists the jobs of an account, say."""
    ours = {name: "task_1", "status": "processing", "cost": 1}
    theirs = {name: "task_2", "status": "failed", "cost": 9, "error": {"message": "theirs"}}
    job = status({"data": [ours, theirs] if ours_first else [theirs, ours]})
    assert (job.status, job.cost, job.error_message) == ("running", Amount.parse("1 XXX"), "")


def test_an_object_with_our_id_goes_before_others_where_none_tells_a_status() -> None:
    job = status({"data": [{"id": "task_2", "cost": 9, "progress": 90}, {"id": "task_1", "cost": 1, "progress": 10}]})
    assert (job.status, job.cost, job.progress) == ("queued", Amount.parse("1 XXX"), 10.0)


@pytest.mark.parametrize(
    ("body", "expected", "word"),
    [
        # A failure of something without a name does not outweigh what else is said.
        ({"status": "processing", "data": {"status": "failed"}}, "running", "processing"),
        ({"status": "queued", "steps": [{"status": "cancelled"}]}, "queued", "queued"),
        ({"status": "completed", "upscale": {"state": "failed"}}, "succeeded", "completed"),
        ({"steps": [{"status": "failed"}, {"status": "processing"}]}, "running", "processing"),
        # Alone, or with a name, it counts.
        ({"data": {"status": "failed"}}, "failed", "failed"),
        ({"status": "failed", "data": {"status": "error"}}, "failed", "error"),
        ({"status": "processing", "data": {"id": "task_1", "status": "failed"}}, "failed", "failed"),
        ({"status": "processing", "data": {"task_id": "up_1", "status": "cancelled"}}, "cancelled", "cancelled"),
        ({"status": "processing", "data": {"name": "task_1", "status": "failed"}}, "failed", "failed"),
        ({"id": "task_1", "status": "failed", "data": {"status": "processing"}}, "failed", "failed"),
        # Nor does an unknown word outweigh a known one; a failure is not concluded from another object's word.
        ({"id": "task_1", "status": "baking", "data": {"status": "queued"}}, "queued", "queued"),
        ({"id": "task_1", "status": "baking", "data": {"status": "failed"}}, "running", "baking"),
        ({"id": "task_1", "status": "baking", "data": {"status": "cancelled"}}, "running", "baking"),
    ],
    ids=str,
)
def test_which_of_several_words_counts(body: Any, expected: str, word: str) -> None:
    job = status(body)
    assert (job.status, job.status_word) == (expected, word)


GONE = {"error": {"code": "task_not_exist", "message": "task not found"}}


@pytest.mark.parametrize("gateway", ["12ai", "apimart", "jimmyai", "omnirouters", "sora"])
@pytest.mark.parametrize(
    ("http", "is_missing"),
    [(200, True), (400, True), (404, True)]
    + [(each, False) for each in (201, 204, 301, 405, 408, 409, 410, 418, 422, 429, 500, 502, 503, 504, 524)],
)
def test_only_a_clean_answer_says_that_there_is_no_such_task(gateway: str, http: int, is_missing: bool) -> None:
    with pytest.raises(StatusUnavailableError) as caught:
        read_status(get_gateway(gateway), Answer(http, {}, GONE, str(GONE)), "task_1")
    assert caught.value.not_found is is_missing


@pytest.mark.parametrize("body", [None, [GONE], "task not found"], ids=str)
def test_a_page_never_says_that_there_is_no_such_task(body: Any) -> None:
    with pytest.raises(StatusUnavailableError) as caught:
        read_status(SORA, Answer(404, {}, body, "task not found"), "task_1")
    assert not caught.value.not_found


@pytest.mark.parametrize("http", [401, 402, 403])
def test_a_key_that_may_not_read_does_not_say_that_there_is_no_such_task(http: int) -> None:
    with pytest.raises(StatusDeniedError):
        read_status(SORA, Answer(http, {}, GONE, str(GONE)), "task_1")


@pytest.mark.parametrize(
    "body",
    [
        {"task_id": "my-own-1234"},
        {"data": {"taskId": "my-own-1234", "status": "queued"}},
        {"id": "my-own-1234", "status": "queued"},
        {"id": "my-own-1234"},
        {"data": "my-own-1234"},
        "my-own-1234",
    ],
    ids=str,
)
def test_what_was_sent_is_never_the_id(body: Any) -> None:
    assert find_task_id(SORA, body) == "my-own-1234"
    assert find_task_id(SORA, body, {"my-own-1234"}) == ""
    assert find_task_id(SORA, {"result": body, "job": {"job_id": "real-1"}}, {"my-own-1234"}) == "real-1"


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        # A small number is the row of a database; a large one names a job where something else describes one.
        ({"id": 17, "status": "queued"}, ""),
        ({"id": 99_999, "status": "queued"}, ""),
        ({"id": 100_000, "status": "queued"}, "100000"),
        ({"id": 318633193768896, "progress": 0}, "318633193768896"),
        ({"id": 318633193768896}, ""),
        ({"id": 318633193768896, "status": "success"}, ""),
        ({"id": True, "status": "queued"}, ""),
        ({"task_id": 17}, "17"),
        ({"id": 17, "status": "queued", "data": {"id": "task9", "status": "queued"}}, "task9"),
        # A word of the envelope describes no job; what is within goes first.
        *(
            ({"id": "outer", "status": word, "data": {"id": "task9", "status": "queued"}}, "task9")
            for word in ("success", "SUCCEED", "succeeded", "ok", "200", 200, "0", 0)
        ),
        *(
            ({"id": "outer", "status": word, "data": {"id": "task9", "status": "queued"}}, "outer")
            for word in ("queued", "submitted", "processing")
        ),
        ({"id": "outer", "status": "success", "progress": 0, "data": {"id": "task9", "status": "x"}}, "outer"),
        ({"id": "outer", "status": "success"}, "outer"),
        # The id of a request is not that of a job.
        *(
            ({name: f"{kind}{mark}0123456789", "status": "queued"}, "")
            for name in ("id", "task_id")
            for kind, mark in (
                ("req", "_"),
                ("REQ", "-"),
                ("request", "-"),
                ("trace", ":"),
                ("span", "_"),
                ("log", "-"),
            )
        ),
        ({"data": "req_0123456789"}, ""),
        ({"id": "request9", "status": "queued"}, "request9"),
        # Nor is the id of an error, of a link, or of something else that the answer speaks of.
        ({"id": "task9", "error": {"message": "no"}}, ""),
        ({"id": "https://h.test/1", "status": "queued"}, ""),
        *(({name: {"id": "task9", "status": "queued"}}, "") for name in ("user", "error", "request", "input", "usage")),
        # Nor is a status word.
        ({"data": "processing"}, ""),
        *(({"result": word}, "") for word in ("job_state_running", "task_status_queued")),
        ({"data": "in-progress-1"}, "in-progress-1"),
    ],
    ids=str,
)
def test_what_may_name_a_job(body: Any, task_id: str) -> None:
    assert find_task_id(SORA, body) == task_id


@pytest.mark.parametrize(
    ("body", "documented"),
    [
        ({"video_url": URL}, True),
        ({"metadata": {"url": URL}}, True),
        ({"extra": {"clip": URL}}, False),
        ({"extra": f"see {URL}"}, False),
        ({"extra": [f'{{"clip": "{URL}"}}']}, False),
    ],
    ids=str,
)
def test_a_link_that_was_sent_is_no_result(body: Any, documented: bool) -> None:
    assert [(link.url, link.is_documented) for link in find_links(SORA, body, body)] == [(URL, documented)]
    assert find_links(SORA, body, body, {URL}) == ()
    both = {**body, "more": {"clip": OTHER}}
    assert [link.url for link in find_links(SORA, both, both, {URL})] == [OTHER]


@pytest.mark.parametrize("second", ["watermark_url", "preview_url", "sample_video", "low_res", "cover", "proxy", "get"])
def test_a_second_choice_is_tried_last(second: str) -> None:
    """Even where the result's own link says nothing by its name or ending."""
    for body in ({"extra": {second: OTHER, "o": "https://h.test/o/1"}}, {"o": "https://h.test/o/1", second: OTHER}):
        assert [link.url for link in find_links(SORA, body, body)] == ["https://h.test/o/1", OTHER]
