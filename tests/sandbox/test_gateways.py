"""What holds for every gateway."""

import json

import httpx
import pytest

UNAUTHORIZED = {
    "12ai": {"error": {"type": "new_api_error"}},
    "omnirouters": {"error": {"type": "new_api_error"}},
    "sora": {"error": {"code": "unauthorized"}},
    "apimart": {"error": {"code": 401, "type": "authentication_error"}},
    "jimmyai": {"code": "20001", "data": None},
}


def _contains(answer, part):
    return all(
        _contains(answer[key], value) if isinstance(value, dict) else answer[key] == value
        for key, value in part.items()
    )


@pytest.mark.parametrize("header", [None, "Bearer wrong", "sandbox-key", "Bearer sandbox-keyX"])
def test_a_wrong_key_is_a_401_in_the_gateways_shape_and_not_on_the_bill(client, sandbox, header, web):
    headers = {"authorization": header} if header else {}
    url = sandbox.base_url(client.wire.gateway) + client.wire.submit
    response = web.post(url, json=client.wire.body | {"prompt": "a"}, headers=headers)
    assert response.status_code == 401
    assert _contains(response.json(), UNAUTHORIZED[client.wire.gateway])
    assert sandbox.jobs() == []
    assert sandbox.stats()["gateways"][client.wire.gateway] == {"submissions": 1, "unauthorized": 1}


def test_queries_need_the_key_too(client, sandbox, web):
    identity = client.start()
    url = sandbox.base_url(client.wire.gateway) + client.wire.query.format(identity)
    assert web.get(url).status_code == 401


def test_a_job_walks_from_queued_to_completed_with_time_alone(client, clock):
    identity = client.start()
    seen = [client.status(identity)]
    for _ in range(10):
        clock.tick(1)
        seen.append(client.status(identity))
    assert seen[-1] == client.wire.done
    assert len(set(seen)) >= 3
    assert client.wire.done not in seen[:-1]
    assert [client.status(identity) for _ in range(2)] == [client.wire.done] * 2


def test_the_finished_video_is_on_another_origin(client, sandbox, web):
    link = client.film()
    assert link.startswith(sandbox.media_url)
    assert not link.startswith(sandbox.url)
    assert web.get(link).headers["content-type"] == "video/mp4"


def test_the_bill_says_what_was_sent_and_keeps_no_key(client, sandbox, clock):
    identity = client.start("a blue boat")
    job = sandbox.jobs()[-1]
    assert (job["id"], job["gateway"], job["prompt"]) == (identity, client.wire.gateway, "a blue boat")
    assert job["body"] == client.wire.body | {"prompt": "a blue boat"}
    assert (job["encoding"], job["accepted_at"], job["status"]) == ("json", clock(), "queued")
    assert job["headers"]["content-type"] == "application/json"
    assert sandbox.key not in json.dumps(job)


def test_a_job_of_another_account_is_an_unknown_task(client, sandbox, web):
    identity = client.start()
    url = sandbox.base_url(client.wire.gateway) + client.wire.query
    other = {"authorization": f"Bearer {sandbox.key}-b"}
    hidden, missing = (web.get(url.format(name), headers=other) for name in (identity, "task_none"))
    assert hidden.status_code == missing.status_code
    assert identity not in hidden.text.replace(f"{identity} not found", "").replace(f"task {identity} does", "")
    assert client.status(identity) != client.wire.failed


def test_accounts_are_told_apart_on_the_bill(client, sandbox):
    client.start()
    client.http.headers["authorization"] = f"Bearer {sandbox.key}-b"
    client.start()
    first, second = sandbox.jobs()
    assert first["account"] != second["account"]


def test_a_failed_job_says_why_in_the_gateways_own_place(client):
    for fault, marks in (("moderated", ("safety", "MODERATION")), ("fail", ("could not", "s3 upload"))):
        answer = client.finish(f"a [fault:{fault}]")
        assert client.wire.status(answer) == client.wire.failed
        assert any(mark in json.dumps(answer) for mark in marks)
        assert "/media/" not in json.dumps(answer)


@pytest.mark.parametrize("content", [b"{", b"[]", b"", b'"text"'])
def test_a_body_that_is_no_json_object_is_refused(client, sandbox, content):
    response = client.http.post(client.wire.submit, content=content, headers={"content-type": "application/json"})
    assert response.status_code == (200 if client.wire.gateway == "jimmyai" else 400)
    assert "JSON" in response.text
    assert sandbox.jobs() == []


def test_a_missing_model_or_prompt_is_refused(client, sandbox):
    for field in ("model", "prompt"):
        body = client.wire.body | {"prompt": "a"}
        del body[field]
        assert field in client.http.post(client.wire.submit, json=body).text
    assert sandbox.jobs() == []
    assert sandbox.stats()["gateways"][client.wire.gateway]["refused"] == 2


@pytest.mark.parametrize(
    ("gateway", "shape"),
    [
        ("12ai", {"error": {"type": "invalid_request_error"}}),
        ("omnirouters", {"error": {"type": "invalid_request_error"}}),
        ("sora", {"error": {"type": "invalid_request_error"}}),
        ("apimart", {"error": {"type": "not_found_error"}}),
        ("jimmyai", {"code": "20002"}),
    ],
)
def test_an_unknown_path_is_a_404_in_the_gateways_shape(sandbox, gateway, shape, web):
    response = web.get(sandbox.base_url(gateway) + "/v9/nothing")
    assert response.status_code == 404
    assert _contains(response.json(), shape)


def test_the_control_endpoints_need_no_key_and_can_start_afresh(sandbox, speak):
    speak("apimart").start("one")
    with httpx.Client(base_url=sandbox.url + "/_sandbox") as control:
        assert control.get("/health").json() == {"status": "ok"}
        assert [job["prompt"] for job in control.get("/jobs").json()] == ["one"]
        assert control.get("/stats").json()["gateways"]["apimart"] == {"submissions": 1, "accepted": 1}
        assert control.delete("/jobs").status_code == 204
        assert control.get("/jobs").json() == []
        assert control.get("/stats").json()["gateways"]["apimart"] == {}


def test_the_stats_give_the_times_that_detection_lag_is_made_of(client, sandbox, clock):
    identity = client.start()
    accepted = clock()
    assert sandbox.stats()["jobs"][identity]["finished_at"] is None
    clock.tick(15)
    client.query(identity)
    clock.tick(1)
    client.query(identity)
    times = sandbox.stats()["jobs"][identity]
    assert (times["accepted_at"], times["finished_at"], times["seen_at"]) == (accepted, accepted + 10, accepted + 15)
    assert times["polls"] == 2
