"""JimmyAI as docs/gateways.md has it."""

import pytest

BASE = "/api/open-api/v1"
IMAGE = "https://example.com/a.png"
VIDEO = "https://example.com/a.mp4"


@pytest.fixture
def client(speak):
    return speak("jimmyai")


def test_the_answers_have_the_documented_fields(client, clock):
    submitted = client.submit().json()
    assert (submitted["code"], submitted["msg"]) == ("20000", "ok")
    assert submitted["data"].keys() == {"task_id", "status", "model", "created_at"}
    identity, words = submitted["data"]["task_id"], []
    for _ in range(17):
        words.append(client.status(identity))
        clock.tick(0.65)
    assert list(dict.fromkeys(words)) == ["queued", "pending", "submitted", "processing", "completed"]
    data = client.query(identity).json()["data"]
    assert (data["progress"], data["completed_at"] - data["created_at"]) == (100, 10)
    assert data["result"].keys() == {"video_url", "image_url"}


def test_a_failure_is_an_error_message(client):
    data = client.finish("a [fault:moderated]")["data"]
    assert (data["status"], data["progress"], data["error_message"]) == (
        "failed",
        0,
        "PROVIDER_MODERATION_ERROR: TRADEMARK",
    )


@pytest.mark.parametrize(
    ("model", "proper"), [("gemini-omni", "Gemini-Omini"), ("Omni-Flash-Ext", "Gemini-Omini"), ("omni-10s", "omni-10s")]
)
def test_aliases_are_given_their_proper_name(client, model, proper):
    assert client.submit(model=model).json()["data"]["model"] == proper


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "Gemini-Omni"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"duration": 5}, "duration"),
        ({"duration": "6"}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": 6, "video_urls": [VIDEO]}, "same time"),
        ({"video_urls": [VIDEO, VIDEO]}, "at most 1"),
        ({"video_urls": ["a.mp4"]}, "video_urls"),
        ({"image_urls": [IMAGE] * 2}, "1 or 3"),
        ({"image_urls": [IMAGE] * 4}, "1 or 3"),
        ({"generation_type": "frame"}, "exactly 1"),
        ({"generation_type": "frame", "image_urls": [IMAGE] * 3}, "exactly 1"),
        ({"generation_type": "edit"}, "generation_type"),
        ({"resolution": "720"}, "resolution"),
        ({"orientation": "wide"}, "orientation"),
        ({"aspect_ratio": "1280x720"}, "aspect ratio"),
        ({"seed": 1}, "seed"),
        ({"model": "omni-10s", "image_urls": [IMAGE] * 8}, "at most 7"),
        ({"model": "omni-10s", "video_urls": [VIDEO]}, "omni-10s"),
        ({"model": "omni-10s", "generation_type": "frame", "image_urls": [IMAGE]}, "omni-10s"),
    ],
)
def test_what_the_page_does_not_allow_is_refused_under_http_200(client, sandbox, fields, said):
    response = client.submit(**fields)
    assert response.status_code == 200
    assert response.json().items() >= {"code": "20002", "data": None}.items()
    assert said in response.json()["msg"]
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    "fields",
    [
        {
            "duration": 6,
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "generation_type": "reference",
            "image_urls": [],
            "video_urls": [],
        },
        {"video_urls": [VIDEO]},
        {"image_urls": [IMAGE] * 3},
        {"image_urls": [], "images": [IMAGE]},
        {"generation_type": "frame", "images": [IMAGE]},
        {"model": "omni-10s", "image_urls": [IMAGE, VIDEO], "duration": 5, "resolution": "8k"},
    ],
)
def test_what_the_page_allows_is_taken(client, sandbox, fields):
    assert client.submit(**fields).json()["code"] == "20000"
    assert len(sandbox.jobs()) == 1


@pytest.mark.parametrize(
    ("fields", "clip"),
    [
        ({}, (1280, 720, 6)),
        ({"duration": 10, "resolution": "1080p", "aspect_ratio": "9:16"}, (1080, 1920, 10)),
        ({"orientation": "portrait"}, (720, 1280, 6)),
        ({"orientation": "portrait", "aspect_ratio": "16:9"}, (1280, 720, 6)),
        ({"model": "omni-10s", "duration": 4, "resolution": "4k"}, (1280, 720, 10)),
    ],
)
def test_the_fields_shape_the_clip(client, sandbox, fields, clip):
    client.start(**fields)
    made = sandbox.jobs()[-1]["clip"]
    assert (made["width"], made["height"], made["seconds"]) == clip


def test_an_unknown_task_is_a_200_with_a_code(client):
    response = client.query("task_none")
    assert (response.status_code, response.json()["code"]) == (200, "20002")


def test_an_upload_comes_back_from_its_address(client, web):
    response = client.http.post(BASE + "/files/upload", files={"file": ("song.mp3", b"ID3 sound", "audio/mpeg")})
    data = response.json()["data"]
    assert (data["filename"], data["size"], data["mime_type"]) == ("song.mp3", 9, "audio/mpeg")
    assert web.get(data["url"]).content == b"ID3 sound"
    refused = client.http.post(BASE + "/files/upload", files={"file": ("a.txt", b"text", "text/plain")})
    assert refused.json()["code"] == "20002"


def test_the_balance_counts_what_has_not_failed(client, clock):
    client.start("one")
    client.start("two [fault:fail]")
    clock.tick()
    answer = client.http.get(BASE + "/user/balance").json()
    assert answer["data"] == {"balance": 1000, "used_coin": 10, "available": 990}
    assert client.http.get(BASE + "/key/balance").json() == answer
