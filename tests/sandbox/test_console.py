"""The console of the new-api family: the job table and what was charged, in the shapes of its public source."""

from __future__ import annotations

import json

import httpx
import pytest

from prefect_omnivideo.sandbox import Settings, running
from tests.sandbox.conftest import LATENCY, WIRES, Client

FAMILY = ("12ai", "omnirouters", "sora")
TOKEN, USER = "sandbox-access-token", "1"


@pytest.fixture(params=FAMILY)
def client(request, speak):
    return speak(request.param)


def tasks(client: Client, token: str = TOKEN, user: str = USER, **query: object) -> httpx.Response:
    headers = {"Authorization": token, "New-Api-User": user}
    return client.http.get("/api/task/self", params=query, headers={k: v for k, v in headers.items() if v})


def items(client: Client, **query: object) -> list[dict]:
    answer = tasks(client, **query).json()
    assert answer["success"] is True
    return answer["data"]["items"]


def test_the_job_table_tells_newest_first_what_became_of_a_job(client, clock):
    first = client.start("a pear", model=client.wire.body["model"])
    clock.tick(1)
    second = client.start("an apple [fault:fail]")
    running_now = items(client)
    assert [row["task_id"] for row in running_now] == [second, first]
    assert [row["status"] for row in running_now] == ["NOT_START", "SUBMITTED"]
    clock.tick()
    failed, done = items(client)
    assert (done["status"], done["progress"], done["fail_reason"]) == ("SUCCESS", "100%", "")
    assert (failed["status"], failed["quota"]) == ("FAILURE", 0)
    assert failed["fail_reason"]
    assert done["properties"]["origin_model_name"] == client.wire.body["model"]
    assert done["submit_time"] == int(clock.now) - 11
    assert isinstance(done["submit_time"], int)


def test_a_job_whose_answer_was_lost_is_there(client):
    with pytest.raises(httpx.HTTPError):
        client.submit("a pear [fault:drop-after]")
    assert [row["task_id"] for row in items(client)] == [client.sandbox.jobs()[0]["id"]]


def test_times_filter_and_pages_have_at_most_a_hundred_rows(client, clock):
    start = int(clock.now)
    for _ in range(12):
        client.start()
        clock.tick(1)
    assert len(items(client, start_timestamp=start + 3, end_timestamp=start + 5, page_size=100)) == 3
    assert items(client, start_timestamp=start + 100) == []
    page = tasks(client, p=2).json()["data"]
    assert (page["page"], page["page_size"], page["total"], len(page["items"])) == (2, 10, 12, 2)
    assert tasks(client, page_size=1000).json()["data"]["page_size"] == 100
    assert tasks(client, p=-1, page_size="x").json()["data"]["page"] == 1
    assert len(items(client, status="SUCCESS", page_size=50)) == 3


@pytest.mark.parametrize(
    ("token", "user", "status"),
    [(TOKEN, "", 401), (TOKEN, "x", 401), (TOKEN, "2", 401), ("wrong", USER, 200), ("sandbox-key", USER, 200)],
)
def test_wrong_credentials_are_refused_as_the_software_does(client, token, user, status):
    response = tasks(client, token, user)
    assert response.status_code == status
    assert response.json()["success"] is False
    assert response.json()["message"]


def test_the_api_key_does_not_open_the_job_table(client):
    """httpx sends the client's own Bearer key where the call names no other."""
    assert client.http.get("/api/task/self", headers={"New-Api-User": USER}).json()["success"] is False


def test_every_account_sees_its_own(client, sandbox):
    client.start()
    assert items(client, token=f"{TOKEN}-other") == []
    other = {"Authorization": f"Bearer {sandbox.key}-other"}
    client.http.post(client.wire.submit, json=client.wire.body | {"prompt": "x"}, headers=other)
    assert len(items(client, token=f"{TOKEN}-other")) == 1
    assert len(items(client)) == 1


def test_the_log_of_a_key_tells_charges_and_refunds(client, clock):
    client.start("a pear [fault:fail]")
    charged = client.http.get("/api/log/token").json()
    assert charged["success"] is True
    [row] = charged["data"]
    assert (row["type"], row["created_at"]) == (2, int(clock.now))
    assert row["model_name"] == client.wire.body["model"]
    assert row["quota"] > 0
    assert json.loads(row["other"])["is_task"] is True
    clock.tick()
    refund, consumed = client.http.get("/api/log/token").json()["data"]
    assert (refund["type"], consumed["type"]) == (6, 2)
    assert refund["quota"] == consumed["quota"]
    refused = client.http.get("/api/log/token", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    assert refused.json()["success"] is False


def test_the_callers_own_id_is_in_the_vendors_answer(speak):
    client = speak("sora")
    client.start(external_task_id="0123456789abcdef")
    assert items(client)[0]["data"]["task_info"]["external_task_id"] == "0123456789abcdef"


@pytest.mark.parametrize("gateway", ["apimart", "jimmyai"])
def test_other_gateways_have_no_console(gateway, speak):
    assert tasks(speak(gateway)).status_code == 404


def test_without_an_access_token_there_is_no_console(clock):
    with running(Settings(latency=LATENCY, access_token=""), clock) as sandbox:
        client = Client(WIRES["sora"], sandbox, clock)
        assert tasks(client).status_code == 404
        assert client.http.get("/api/log/token").status_code == 404
        client.http.close()
