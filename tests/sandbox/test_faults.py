"""Every fault, by marker and by plan."""

import json

import httpx
import pytest

from prefect_omnivideo.sandbox import Fault, FaultError, FaultPlan, Settings, running
from prefect_omnivideo.sandbox.faults import KINDS

STATUS = {
    "429": 429,
    "retry-after": 429,
    "429-empty": 429,
    "400": 400,
    "500": 500,
    "502": 502,
    "503": 503,
    "504": 504,
    "524": 524,
}
BROKEN = (httpx.RemoteProtocolError, httpx.ReadError)
HERE = (
    *STATUS,
    *("drop-before", "drop-after", "500-after", "garbage", "slow", "no-balance"),
    *("fail", "moderated", "cancelled", "never", "strange-status", "no-url", "two-files", "gone"),
    *("poll-429", "poll-500", "poll-drop", "poll-garbage"),
    *("expired-link", "truncate", "truncate-silent", "link-403", "html-video", "json-video", "redirect", "slow-body"),
)


def test_every_fault_has_its_test_here():
    assert set(HERE) == set(KINDS)


@pytest.mark.parametrize("name", STATUS)
def test_a_refused_submission_is_not_on_the_bill(client, sandbox, name):
    response = client.submit(f"a [fault:{name}]")
    assert response.status_code == STATUS[name]
    assert sandbox.jobs() == []
    assert ("retry-after" in response.headers) == (name == "retry-after")
    if name == "429-empty":
        assert response.content == b""
    elif name == "524":
        assert response.headers["content-type"].startswith("text/html")
    else:
        assert response.json()


@pytest.mark.parametrize("name", ["429", "retry-after=7", "429-empty"])
def test_a_rate_limit_passes(client, sandbox, name):
    prompt = f"a [fault:{name}]"
    first, second = client.submit(prompt), client.submit(prompt)
    assert (first.status_code, second.status_code, len(sandbox.jobs())) == (429, 200, 1)
    assert first.headers.get("retry-after") == ("7" if "=" in name else None)


def test_markers_count_their_times_per_prompt_and_follow_each_other(client, sandbox):
    prompt = "a [fault:429*2] [fault:503*1]"
    assert [client.submit(prompt).status_code for _ in range(4)] == [429, 429, 503, 200]
    assert client.submit(prompt + "!").status_code == 429
    assert len(sandbox.jobs()) == 1


def test_dropped_before_acceptance(client, sandbox):
    with pytest.raises(httpx.RemoteProtocolError):
        client.submit("a [fault:drop-before]")
    assert sandbox.jobs() == []


def test_dropped_after_acceptance_is_on_the_bill_each_time(client, sandbox):
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            client.submit("a [fault:drop-after]")
    assert len(sandbox.jobs()) == 2


def test_an_error_after_acceptance_is_on_the_bill(client, sandbox):
    assert client.submit("a [fault:500-after]").status_code == 500
    assert len(sandbox.jobs()) == 1


def test_garbage_after_acceptance(client, sandbox):
    response = client.submit("a [fault:garbage]")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(sandbox.jobs()) == 1


def test_a_slow_answer_comes_after_the_client_has_gone_but_the_job_is_there(client, sandbox):
    with pytest.raises(httpx.ReadTimeout):
        client.http.post(client.wire.submit, json=client.wire.body | {"prompt": "a [fault:slow=30]"}, timeout=0.2)
    assert len(sandbox.jobs()) == 1
    assert client.submit("a [fault:slow=0.01]").status_code == 200


def test_no_balance_in_each_gateways_own_way(client, sandbox):
    response = client.submit("a [fault:no-balance]")
    status = {"apimart": 402, "jimmyai": 200}.get(client.wire.gateway, 403)
    assert response.status_code == status
    assert "quota" in response.text or "balance" in response.text
    assert sandbox.jobs() == []


def test_a_job_that_never_ends(client, clock):
    identity = client.start("a [fault:never]")
    clock.tick(1_000_000)
    assert client.status(identity) not in (client.wire.done, client.wire.failed)


def test_times_of_a_job_fault_count_jobs(client):
    prompt = "a [fault:fail*1]"
    assert [client.wire.status(client.finish(prompt)) for _ in range(2)] == [client.wire.failed, client.wire.done]


def test_cancelled_where_it_is_documented(client):
    words = {"omnirouters-generations": "FAILURE", "12ai": "completed", "sora": "completed"}
    word = (
        words["omnirouters-generations"]
        if client.wire.done == "SUCCESS"
        else words.get(client.wire.gateway, "cancelled")
    )
    assert client.wire.status(client.finish("a [fault:cancelled]")) == word


def test_strange_words_before_the_end(client, clock):
    identity = client.start("a [fault:strange-status]")
    words = []
    for _ in range(3):
        words.append(client.status(identity))
        clock.tick(5)
    assert words == ["warming_up", "upscaling", client.wire.done]


def test_a_finished_job_without_a_link(client):
    answer = client.finish("a [fault:no-url]")
    assert client.wire.status(answer) == client.wire.done
    assert "/media/" not in json.dumps(answer)


def test_two_files_where_several_can_be_listed(speak):
    videos = speak("apimart").finish("a [fault:two-files]")["data"]["result"]["videos"]
    assert len({video["url"][0] for video in videos}) == 2


def test_a_task_that_is_gone(client, clock):
    identity = client.start("a [fault:gone=3]")
    known = [client.query(identity) for _ in range(2)]
    missing = client.query(identity)
    unknown = client.query("task_none")
    assert all(client.wire.status(answer.json()) for answer in known)
    assert (missing.status_code, missing.json().keys()) == (unknown.status_code, unknown.json().keys())
    assert client.query(identity).status_code == unknown.status_code


def test_a_task_that_is_invisible_at_first(client):
    identity = client.start("a [fault:gone*2]")
    answers = [client.query(identity).json() for _ in range(3)]
    assert answers[0] == answers[1] != answers[2] or client.wire.gateway == "jimmyai"
    assert client.wire.status(answers[2])


@pytest.mark.parametrize("name", ["poll-429", "poll-500", "poll-garbage", "poll-drop"])
def test_a_query_fails_once_and_the_next_is_well(client, name):
    identity = client.start(f"a [fault:{name}]")
    if name == "poll-drop":
        with pytest.raises(httpx.RemoteProtocolError):
            client.query(identity)
    else:
        response = client.query(identity)
        assert response.status_code == {"poll-429": 429, "poll-500": 500}.get(name, 200)
        assert response.headers["content-type"].startswith("text/html") == (name == "poll-garbage")
    assert client.status(identity)


def test_the_first_link_has_expired_already(client, clock, web):
    identity = client.start("a [fault:expired-link]")
    clock.tick()
    stale, fresh = (client.wire.link(client.query(identity).json()) for _ in range(2))
    assert (web.get(stale).status_code, web.get(fresh).status_code) == (403, 200)


def _read(response, into):
    for chunk in response.iter_raw():
        into += chunk


def test_a_download_breaks_off_in_the_middle_and_can_be_resumed(client, web):
    link, received = client.film("a [fault:truncate]"), bytearray()
    with web.stream("GET", link) as response:
        size = int(response.headers["content-length"])
        with pytest.raises(BROKEN):
            _read(response, received)
    assert 0 < len(received) < size
    rest = web.get(link, headers={"range": f"bytes={len(received)}-"})
    assert rest.status_code == 206
    assert len(received + rest.content) == size


def test_a_download_ends_early_without_a_word(speak, web):
    client = speak("12ai")
    response = web.get(client.film("a [fault:truncate-silent]"))
    assert response.status_code == 200
    assert "content-length" not in response.headers
    assert len(response.content) < 100_000 < len(web.get(client.film("a")).content)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("link-403", 403, "text/plain"), ("html-video", 200, "text/html"), ("json-video", 200, "application/json")],
)
def test_something_else_than_a_video(client, name, status, kind, web):
    response = web.get(client.film(f"a [fault:{name}]"))
    assert response.status_code == status
    assert response.headers["content-type"].startswith(kind)


def test_a_redirect_to_another_path(client, sandbox, web):
    link = client.film("a [fault:redirect]")
    assert web.get(link).status_code == 302
    assert web.get(link, follow_redirects=True).headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("name", ["12ai", "omnirouters", "sora"])
def test_the_content_endpoint_redirects_to_the_media_origin_where_no_key_belongs(speak, sandbox, clock, name):
    client = speak(name)
    identity = client.start("a [fault:redirect] [fault:no-url]")
    clock.tick()
    response = client.http.get(f"/v1/videos/{identity}/content")
    assert response.status_code == 302
    assert response.headers["location"].startswith(sandbox.media_url)
    assert client.http.get(f"/v1/videos/{identity}/content", follow_redirects=True).status_code == 200
    assert sandbox.stats()["leaks"] == [], "httpx drops the key on the way to another origin"


@pytest.mark.parametrize("name", ["truncate", "html-video", "link-403"])
def test_the_content_endpoint_is_struck_too(speak, clock, name):
    client = speak("sora")
    identity = client.start(f"a [fault:{name}]")
    clock.tick()
    path = f"/v1/videos/{identity}/content"
    if name == "truncate":
        with pytest.raises(BROKEN):
            client.http.get(path)
    else:
        response = client.http.get(path)
        assert response.headers["content-type"] != "video/mp4"


def test_a_slow_body_comes_in_small_pieces(speak, web):
    link = speak("12ai").film("a [fault:slow-body=1000000]")
    with web.stream("GET", link, headers={"range": "bytes=0-99999"}) as response:
        sizes = [len(chunk) for chunk in response.iter_raw()]
    assert sum(sizes) == 100_000
    assert len(sizes) >= 2


@pytest.mark.parametrize(
    "marker", ["[fault:nonsense]", "[fault:]", "[fault:429*0]", "[fault:429=5]", "[fault:slow=]", "[fault:slow=0]"]
)
def test_a_marker_that_cannot_be_followed_is_a_refusal_that_says_so(speak, sandbox, marker):
    response = speak("apimart").submit(f"a {marker}")
    assert response.status_code == 400
    assert "fault" in response.json()["error"]["message"] or "value" in response.json()["error"]["message"]
    assert sandbox.jobs() == []


def _submit(sandbox, gateway, prompt, web):
    paths = {"apimart": "/v1/videos/generations", "12ai": "/v1/videos"}
    models = {"apimart": "gemini-omni-flash-preview", "12ai": "omni_flash-10s"}
    headers = {"authorization": f"Bearer {sandbox.key}"}
    return web.post(
        sandbox.base_url(gateway) + paths[gateway], json={"model": models[gateway], "prompt": prompt}, headers=headers
    )


@pytest.mark.server
def test_a_plan_strikes_by_gateway_and_prompt(tmp_path, web):
    plan = tmp_path / "faults.json"
    rule = {"fault": "503", "gateway": "apimart", "match": "b[io]rd", "value": None, "times": 1, "probability": None}
    plan.write_text(json.dumps({"faults": [rule], "seed": 3}))
    with running(Settings(faults=plan)) as sandbox:
        asked = [
            ("12ai", "bird"),
            ("apimart", "cat"),
            ("apimart", "a bird"),
            ("apimart", "a bird"),
            ("apimart", "a bord"),
        ]
        assert [_submit(sandbox, *each, web).status_code for each in asked] == [200, 200, 503, 200, 503]


@pytest.mark.server
def test_a_probability_is_drawn_from_the_seed(web):
    def run(seed):
        with running(Settings(faults=FaultPlan((Fault("500", probability=0.5),), seed))) as sandbox:
            return [_submit(sandbox, "12ai", f"prompt {number}", web).status_code for number in range(12)]

    first = run(1)
    assert set(first) == {200, 500}
    assert run(1) == first != run(2)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("no json", "cannot be read as JSON"),
        ("[]", "must be an object"),
        ('{"fault": []}', "unknown key 'fault'"),
        ('{"faults": {}}', "must be a list"),
        ('{"faults": [], "seed": "x"}', "whole number"),
        ('{"faults": [{"fault": "429"}, {}]}', "faults[1]: must be an object with the key 'fault'"),
        ('{"faults": [{"fault": "418"}]}', "faults[0]: there is no fault '418'"),
        ('{"faults": [{"fault": "429", "gatewy": "sora"}]}', "faults[0]: unknown key 'gatewy'"),
        ('{"faults": [{"fault": "429", "gateway": "veo"}]}', "faults[0]: gateway must be"),
        ('{"faults": [{"fault": "429", "match": "("}]}', "faults[0]: match must be"),
        ('{"faults": [{"fault": "429", "value": 1}]}', "faults[0]: the fault 429 takes no value"),
        ('{"faults": [{"fault": "slow", "value": -1}]}', "faults[0]: value must be"),
        ('{"faults": [{"fault": "429", "times": 0}]}', "faults[0]: times must be"),
        ('{"faults": [{"fault": "429", "probability": 2}]}', "faults[0]: probability must be"),
    ],
)
def test_a_bad_plan_is_refused_with_the_entry_and_the_rule(tmp_path, plan, said):
    path = tmp_path / "faults.json"
    path.write_text(plan)
    with pytest.raises(FaultError) as error:
        FaultPlan.load(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_plan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FaultError, match=r"missing\.json"), running(Settings(faults=tmp_path / "missing.json")):
        pass
