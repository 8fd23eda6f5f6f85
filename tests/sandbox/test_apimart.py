"""APIMart as docs/gateways.md has it."""

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def client(speak):
    return speak("apimart")


def test_the_answers_have_the_documented_fields(client, clock):
    submitted = client.submit().json()
    identity = client.wire.id(submitted)
    assert submitted == {"code": 200, "data": [{"status": "submitted", "task_id": identity}]}
    assert client.status(identity) == "submitted"
    clock.tick(1.5)
    assert client.status(identity) == "pending"
    clock.tick(7.6)
    running = client.query(identity).json()["data"]
    assert (running["id"], running["status"], running["progress"]) == (identity, "processing", 91)
    assert not running.keys() & {"result", "cost", "error", "completed"}
    clock.tick(1)
    final = client.query(identity).json()
    data = final["data"]
    assert final["code"] == 200
    assert data["completed"] - data["created"] == data["actual_time"] == 10
    assert (data["progress"], data["cost"], data["credits_cost"]) == (100, 1.0, 10)
    assert data["result"]["videos"][0]["expires_at"] == data["completed"] + 86_400
    assert isinstance(data["result"]["videos"][0]["url"], list)


def test_a_cancelled_task_has_neither_result_nor_error(client):
    data = client.finish("a [fault:cancelled]")["data"]
    assert data["status"] == "cancelled"
    assert not data.keys() & {"result", "error"}


@pytest.mark.parametrize(
    ("language", "word"), [("en", "safety"), ("zh", "安全"), ("ko", "안전"), ("ja", "安全"), ("fr", "safety")]
)
def test_the_language_changes_the_text_of_the_error_only(client, clock, language, word):
    identity = client.start("a [fault:moderated]")
    clock.tick()
    data = client.http.get(f"/v1/tasks/{identity}", params={"language": language}).json()["data"]
    assert data["error"].keys() == {"code", "message", "type"}
    assert word in data["error"]["message"]
    assert data["error"]["code"] == "content_policy_violation"


@pytest.mark.parametrize(
    ("fields", "said", "code"),
    [
        ({"model": "veo"}, "model", 400),
        ({"prompt": ""}, "prompt", 400),
        ({"resolution": "1080p"}, "resolution", "invalid_resolution"),
        ({"duration": 8}, "duration", 400),
        ({"image_urls": ["https://example.com/a.png"] * 17}, "at most 16", 400),
        ({"image_urls": ["data:image/png;base64,AA"]}, "image_urls", 400),
        ({"video_urls": ["https://example.com/a.mp4"] * 2}, "at most 1", 400),
        ({"video_urls": "https://example.com/a.mp4"}, "video_urls", 400),
        ({"extend_from_task_id": "task_none"}, "extend_from_task_id", 400),
        ({"webhook": "https://example.com"}, "webhook", 400),
        ({"model": "Omni-Flash-Ext", "duration": 5}, "duration", "invalid_duration"),
        ({"model": "Omni-Flash-Ext", "duration": "6"}, "duration", "invalid_duration"),
        ({"model": "Omni-Flash-Ext", "resolution": "2k"}, "resolution", "invalid_resolution"),
    ],
)
def test_what_the_page_does_not_allow_is_refused(client, sandbox, fields, said, code):
    response = client.submit(**fields)
    error = response.json()["error"]
    assert response.status_code == 400
    assert said in error["message"]
    assert (error["code"], error["type"]) == (code, "invalid_request_error")
    assert sandbox.jobs() == []


def test_forms_are_not_taken(client):
    assert client.http.post("/v1/videos/generations", data=client.wire.body | {"prompt": "a"}).status_code == 400


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (1280, 720)),
        ({"aspect_ratio": "9:16"}, (720, 1280)),
        ({"aspect_ratio": "1:1"}, (1280, 720)),
        ({"model": "Omni-Flash-Ext", "resolution": "4k", "duration": 4}, (3840, 2160)),
    ],
)
def test_the_fields_shape_the_clip_which_has_sound(client, sandbox, fields, size):
    client.start(**fields)
    clip = sandbox.jobs()[-1]["clip"]
    assert (clip["width"], clip["height"]) == size
    assert clip["sound"]
    assert 3 <= clip["seconds"] <= 10


def test_references_replace_the_prompt(client):
    assert client.submit("", video_urls=["data:video/mp4;base64,AAAA"]).status_code == 200
    assert client.submit("", image_urls=["https://example.com/a.png"]).status_code == 200


def test_a_finished_task_can_be_extended(client, clock):
    identity = client.start()
    assert client.submit(extend_from_task_id=identity).status_code == 400
    clock.tick()
    assert client.submit(extend_from_task_id=identity).status_code == 200


def test_an_unknown_task_is_a_400(client):
    response = client.query("task_none")
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_upload_comes_back_from_its_address(client, sandbox, clock):
    response = client.http.post("/v1/uploads/images", files={"file": ("photo.png", PNG, "image/png")})
    kept = response.json()
    assert kept.keys() == {"url", "filename", "content_type", "bytes", "created_at"}
    assert (kept["filename"], kept["content_type"], kept["bytes"], kept["created_at"]) == (
        "photo.png",
        "image/png",
        len(PNG),
        int(clock()),
    )
    assert client.http.get(kept["url"], headers={"authorization": ""}).status_code == 400
    assert sandbox.stats()["gateways"]["apimart"]["uploads"] == 1


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({"file": ("a.txt", b"text", "text/plain")}, 400),
        ({"image": ("a.png", PNG, "image/png")}, 400),
        ({"file": ("a.png", b"", "image/png")}, 400),
        ({"file": ("a.png", bytes(20 * 1024 * 1024 + 1), "image/png")}, 413),
    ],
)
def test_an_upload_of_the_wrong_kind_or_size_is_refused(client, files, status):
    assert client.http.post("/v1/uploads/images", files=files).status_code == status


def test_a_file_of_twenty_megabytes_is_taken(client):
    files = {"file": ("a.png", bytes(20 * 1024 * 1024), "image/png")}
    assert client.http.post("/v1/uploads/images", files=files).json()["bytes"] == 20 * 1024 * 1024


def test_the_balance_falls_with_each_finished_job(client, clock):
    before = client.http.get("/v1/balance").json()
    client.start("one")
    client.start("two [fault:fail]")
    clock.tick()
    after = client.http.get("/v1/balance").json()
    assert after.keys() == {"success", "remain_balance", "used_balance", "unlimited_quota"}
    assert after["used_balance"] - before["used_balance"] == 1.0
    assert client.http.get("/v1/user/balance").json() == after


def test_models_are_listed(client):
    models = client.http.get("/v1/models", params={"expand": "parameters"}).json()["data"]
    assert "gemini-omni-flash-preview" in [model["id"] for model in models]
