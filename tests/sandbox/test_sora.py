"""The Sora-compatible gateway as docs/gateways.md has it, and the official SDK against it."""

import openai
import pytest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def client(speak):
    return speak("sora")


@pytest.fixture
def sdk(sandbox):
    with openai.OpenAI(api_key=sandbox.key, base_url=sandbox.base_url("sora") + "/v1", max_retries=0) as sdk:
        yield sdk


def test_the_answers_have_the_documented_fields(client, clock, web):
    submitted = client.submit(seconds=8).json()
    assert (
        submitted.items()
        >= {"object": "video", "model": "sora-2", "status": "queued", "progress": 0, "seconds": "8"}.items()
    )
    assert submitted["created_at"] == int(clock() * 1000), "milliseconds, as in the gateway's example"
    clock.tick(4)
    assert client.query(submitted["id"]).json().items() >= {"status": "in_progress", "progress": 40}.items()
    clock.tick(6)
    final = client.query(submitted["id"]).json()
    assert (final["status"], final["progress"], final["completed_at"]) == ("completed", 100, int(clock() * 1000))
    assert web.get(final["video_url"]).status_code == 200


def test_a_job_may_have_no_link_and_then_content_is_the_way(client, clock):
    identity = client.start("a [fault:no-url]")
    early = client.http.get(f"/v1/videos/{identity}/content")
    assert early.status_code == 400
    assert early.json()["error"]["message"] == "Task is not completed yet, current status: NOT_START"
    clock.tick()
    final = client.query(identity).json()
    assert final["status"] == "completed"
    assert "video_url" not in final
    content = client.http.get(f"/v1/videos/{identity}/content")
    assert (content.status_code, content.headers["content-type"]) == (200, "video/mp4")
    assert identity.encode() in content.content


def test_errors_are_code_and_message(client):
    missing = client.query("task_none")
    assert (missing.status_code, missing.json()["error"].keys()) == (404, {"code", "message"})
    assert client.submit(model="sora-2-stable").status_code == 503
    assert client.finish("a [fault:moderated]")["error"].keys() == {"code", "message"}
    assert client.http.get("/v1/videos").status_code == 404, "the list is not offered"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"seconds": 12}, 12),
        ({"seconds": "12"}, 12),
        ({"duration": 5}, 5),
        ({}, 4),
        ({"model": "gemini-omni", "seconds": 7.5}, 8),
        ({"model": "gemini-omni", "duration": "60"}, 10),
    ],
)
def test_seconds_may_be_number_or_string_and_are_snapped_for_gemini_omni(client, sandbox, fields, seconds):
    assert client.submit(**fields).json()["seconds"] == str(seconds)
    assert sandbox.jobs()[-1]["clip"]["seconds"] == seconds


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"seconds": "long"}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": 0}, "seconds"),
        ({"size": "1792x1024"}, "size"),
        ({"model": "veo3", "size": "1x1"}, "size"),
        ({"images": "https://example.com/a.png"}, "images"),
        ({"callback_url": "nowhere"}, "callback_url"),
        ({"mode": "i2v"}, "image_url"),
        ({"mode": "i2v_first_last", "image_url": "https://example.com/a.png"}, "end_image_url"),
        ({"mode": "reference_images"}, "reference_images"),
        ({"mode": "reference_material"}, "image_urls"),
        ({"model": "gemini-omni", "mode": "r2v"}, "image"),
        ({"model": "gemini-omni", "mode": "edit", "images": ["https://example.com/a.png"]}, "video"),
        ({"model": "gemini-omni", "mode": "i2v"}, "gemini-omni"),
        ({"model": "kling-video", "mode": "t2v"}, "model_name"),
        ({"model": "kling-video", "model_name": "kling-v9"}, "model_name"),
        ({"model": "kling-video", "model_name": "kling-v2-6", "mode": "multi_i2v"}, "image_list"),
        ({"model": "kling-video", "model_name": "kling-v2-6", "mode": "extend"}, "video_id"),
    ],
)
def test_what_the_page_does_not_allow_is_refused(client, sandbox, fields, said):
    response = client.submit(**fields)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"anything": {"deep": 1}, "fps": 24},
        {"model": "gemini-omni", "mode": "edit", "video_url": "https://example.com/a.mp4"},
        {"model": "kling-video", "model_name": "kling-v2-6", "mode": "t2v", "duration": 5},
        {"model": "grok-imagine-1.0-video", "seconds": 10, "aspect_ratio": "16:9", "resolution": "720P"},
        {"mode": "r2v", "input_reference": {"image_url": "https://example.com/a.png"}},
    ],
)
def test_documented_and_unknown_fields_are_forwarded(client, sandbox, fields):
    assert client.submit(**fields).status_code == 200
    assert sandbox.jobs()[-1]["body"].items() >= fields.items()


def test_multipart_takes_a_file(client, sandbox):
    parts = {"model": (None, "sora-2"), "prompt": (None, "a"), "input_reference": ("start.png", PNG, "image/png")}
    assert client.http.post("/v1/videos", files=parts).status_code == 200
    job = sandbox.jobs()[-1]
    assert job["encoding"] == "multipart"
    assert job["body"]["input_reference"] == {"filename": "start.png", "content_type": "image/png", "bytes": len(PNG)}


def test_the_official_sdk_creates_retrieves_and_downloads(sdk, sandbox, clock):
    video = sdk.videos.create(
        model="sora-2",
        prompt="a paper boat",
        seconds="8",
        size="1280x720",
        input_reference=("start.png", PNG, "image/png"),
    )
    assert (video.status, video.seconds, video.size) == ("queued", "8", "1280x720")
    assert sandbox.jobs()[-1]["body"]["input_reference"]["bytes"] == len(PNG)
    clock.tick(5)
    assert sdk.videos.retrieve(video.id).progress == 50
    clock.tick(5)
    assert sdk.videos.retrieve(video.id).status == "completed"
    content = sdk.videos.download_content(video.id).read()
    assert content[4:8] == b"ftyp"
    assert len(sandbox.jobs()) == 1


def test_multipart_takes_an_object_in_brackets(client, sandbox):
    parts = {
        "model": (None, "sora-2"),
        "prompt": (None, "a"),
        "input_reference[image_url]": (None, "https://example.com/a"),
    }
    assert client.http.post("/v1/videos", files=parts).status_code == 200
    assert sandbox.jobs()[-1]["body"]["input_reference"] == {"image_url": "https://example.com/a"}


def test_the_official_sdk_understands_refusals(sdk):
    with pytest.raises(openai.BadRequestError, match="size"):
        sdk.videos.create(prompt="a", model="sora-2", size="1792x1024")
    with pytest.raises(openai.NotFoundError):
        sdk.videos.retrieve("task_none")
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="wrong").videos.retrieve("task_none")
