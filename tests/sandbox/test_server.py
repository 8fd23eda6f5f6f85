"""Running, restarting, many at once."""

import asyncio
import signal
import subprocess
import sys

import httpx
import pytest

from prefect_omnivideo.sandbox import Settings, running
from prefect_omnivideo.sandbox.faults import GATEWAYS
from prefect_omnivideo.sandbox.jobs import Clip, Job, JobBook, moment

pytestmark = pytest.mark.server

BODY = {"model": "omni_flash-10s", "prompt": "a"}


def _http(sandbox):
    return httpx.Client(
        base_url=sandbox.base_url("12ai"), headers={"authorization": f"Bearer {sandbox.key}"}, verify=False
    )


def test_a_restart_with_the_same_journal_knows_its_jobs_and_its_bill(tmp_path, web):
    settings = Settings(latency=0, journal=tmp_path / "journal.jsonl")
    with running(settings) as sandbox, _http(sandbox) as http:
        identity = http.post("/v1/videos", json=BODY).json()["id"]
        with pytest.raises(httpx.RemoteProtocolError):
            http.post("/v1/videos", json=BODY | {"prompt": "b [fault:drop-after] [fault:fail]"})
        before = sandbox.jobs()
    with running(settings) as sandbox, _http(sandbox) as http:
        answer = http.get(f"/v1/videos/{identity}").json()
        assert web.get(answer["video_url"]).status_code == 200
        assert http.get(f"/v1/videos/{before[1]['id']}").json()["status"] == "failed"
        assert [(job["id"], job["body"], job["number"]) for job in sandbox.jobs()] == [
            (job["id"], job["body"], job["number"]) for job in before
        ]
        assert http.post("/v1/videos", json=BODY).status_code == 200
        assert sandbox.jobs()[-1]["number"] == 3


def test_a_torn_last_line_of_the_journal_is_cut_off(tmp_path):
    path = tmp_path / "journal.jsonl"
    with running(Settings(journal=path)) as sandbox, _http(sandbox) as http:
        http.post("/v1/videos", json=BODY)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "task_ha')
    with running(Settings(journal=path)) as sandbox, _http(sandbox) as http:
        assert len(sandbox.jobs()) == 1
        http.post("/v1/videos", json=BODY)
    assert len(path.read_bytes().splitlines()) == 2
    assert path.read_bytes().startswith(whole)


def test_a_reset_empties_the_journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    with running(Settings(journal=path)) as sandbox, _http(sandbox) as http:
        http.post("/v1/videos", json=BODY)
        assert path.stat().st_size > 0
        sandbox.reset()
        assert path.stat().st_size == 0


def test_the_journal_keeps_no_key(tmp_path):
    path = tmp_path / "journal.jsonl"
    with running(Settings(journal=path)) as sandbox, _http(sandbox) as http:
        http.post("/v1/videos", json=BODY)
        assert sandbox.key not in path.read_text()
    assert sandbox.key not in repr(sandbox.settings)


def test_hundreds_of_clients_at_once_lose_nothing(tmp_path):
    async def storm(base_url, key):
        limits = httpx.Limits(max_connections=50)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=base_url, headers=headers, limits=limits, timeout=60, verify=False
        ) as http:

            async def one(number):
                identity = (await http.post("/v1/videos", json=BODY | {"prompt": f"{number}"})).json()["id"]
                return (await http.get(f"/v1/videos/{identity}")).json()["status"]

            return await asyncio.gather(*(one(number) for number in range(200)))

    with running(Settings(latency=3600, journal=tmp_path / "journal.jsonl")) as sandbox:
        assert asyncio.run(storm(sandbox.base_url("12ai"), sandbox.key)) == ["queued"] * 200
        assert len({job["id"] for job in sandbox.jobs()}) == len({job["prompt"] for job in sandbox.jobs()}) == 200


def test_jitter_spreads_the_jobs_within_its_bounds():
    book = JobBook(lambda: 0.0, latency=10, jitter=0.5)
    for _ in range(50):
        book.accept(Job("12ai", "m", "p", Clip(2, 2, 1), {}, "json", {}, "a", {}))
    latencies = {job.latency for job in book}
    assert len(latencies) == 50
    assert all(5 <= latency <= 15 for latency in latencies)


def test_a_job_moves_by_time_alone():
    job = Job("12ai", "m", "p", Clip(2, 2, 1), {}, "json", {}, "a", {}, accepted_at=100, latency=10)
    steps = [
        (moment(job, 100 + elapsed).phase, moment(job, 100 + elapsed).progress)
        for elapsed in (0, 1.9, 2, 5, 9.99, 10, 99)
    ]
    assert steps == [("queued", 0)] * 2 + [("running", 20), ("running", 50), ("running", 99)] + [("succeeded", 100)] * 2


@pytest.mark.parametrize("wrong", [{"key": ""}, {"latency": -1}, {"jitter": 1}, {"link_seconds": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)


def test_ports_are_those_asked_for_and_loopback_only(web):
    with running(Settings()) as sandbox:
        port, media_port = httpx.URL(sandbox.url).port, httpx.URL(sandbox.media_url).port
        with pytest.raises(OSError, match="in use"), running(Settings(port=port)):
            pass
    with running(Settings(port=port, media_port=media_port)) as again:
        assert (again.url, again.media_url) == (sandbox.url, sandbox.media_url)
        assert web.get(again.url + "/_sandbox/health").status_code == 200
        assert httpx.URL(again.url).host == httpx.URL(again.media_url).host == "127.0.0.1"
        with pytest.raises(ValueError, match="gateways are"):
            again.base_url("veo")


def test_serve_prints_where_it_is_and_stops_on_interrupt(web):
    program = "from prefect_omnivideo.sandbox import Settings, serve; serve(Settings())"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(1 + len(GATEWAYS))]
        url = lines[0].removeprefix("sandbox ready on ").strip()
        assert [line.split() for line in lines[1:]] == [[gateway, f"{url}/{gateway}"] for gateway in GATEWAYS]
        assert web.get(url + "/_sandbox/health").json() == {"status": "ok"}
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
