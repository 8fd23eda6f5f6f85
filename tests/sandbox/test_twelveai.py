"""12AI as docs/gateways.md has it."""

import pytest


@pytest.fixture
def client(speak):
    return speak("12ai")


def test_the_answers_have_the_documented_fields(client, clock):
    submitted = client.submit().json()
    assert submitted.items() >= {"status": "queued", "model": "omni_flash-10s", "created_at": int(clock())}.items()
    assert submitted["id"].startswith("task_")
    clock.tick(5)
    assert client.query(submitted["id"]).json() == {"id": submitted["id"], "status": "processing", "progress": 50}
    clock.tick(5)
    final = client.query(submitted["id"]).json()
    assert final.keys() == {"id", "status", "progress", "video_url"}
    assert (final["status"], final["progress"]) == ("completed", 100)


def test_a_failure_is_an_error_object(client):
    error = client.finish("a [fault:moderated]")["error"]
    assert error.keys() == {"message", "code"}


def test_references_go_into_images_as_json(client, sandbox):
    links = [f"https://example.com/{number}.jpg" for number in range(7)]
    assert client.submit(images=links).status_code == 200
    assert sandbox.jobs()[-1]["body"]["images"] == links


@pytest.mark.parametrize("files", [None, {"note": (None, "x")}])
def test_references_go_into_input_reference_as_a_form(client, sandbox, files):
    """Urlencoded, and multipart once there is a part to force it (which is refused as unknown)."""
    form = {
        "model": "omni_flash-10s",
        "prompt": "a",
        "input_reference[]": ["https://example.com/1.jpg", "https://example.com/2.mp4"],
    }
    response = client.http.post("/v1/videos", data=form, files=files)
    if files:
        assert (response.status_code, "unknown field note" in response.text) == (400, True)
        return
    assert response.status_code == 200
    assert sandbox.jobs()[-1]["encoding"] == "form"
    assert sandbox.jobs()[-1]["body"] == form


def test_multipart_is_taken(client, sandbox):
    parts = [
        ("model", (None, "omni_flash-10s")),
        ("prompt", (None, "a")),
        ("input_reference[]", (None, "https://example.com/1.jpg")),
    ]
    assert client.http.post("/v1/videos", files=parts).status_code == 200
    assert sandbox.jobs()[-1]["encoding"] == "multipart"
    assert sandbox.jobs()[-1]["body"]["input_reference[]"] == ["https://example.com/1.jpg"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "sora-2"}, "model"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"size": "1920x1080"}, "size"),
        ({"size": "720p"}, "size"),
        ({"size": 720}, "size"),
        ({"images": "https://example.com/1.jpg"}, "images"),
        ({"images": ["https://example.com/1.jpg"] * 8}, "images"),
        ({"images": ["data:image/png;base64,AA"]}, "images"),
        ({"images": [1]}, "images"),
        ({"input_reference[]": ["https://example.com/1.jpg"]}, "input_reference[]"),
        ({"seconds": "10"}, "seconds"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio"),
    ],
)
def test_what_the_page_does_not_allow_is_refused(client, sandbox, fields, said):
    response = client.submit(**fields)
    assert response.status_code == 400
    assert response.json().keys() == {"code", "message", "data"}
    assert said in response.json()["message"]
    assert sandbox.jobs() == []


@pytest.mark.parametrize("size", ["1280x720", "720x1280", "720x720"])
def test_the_size_shapes_the_clip(client, sandbox, size):
    client.start(size=size)
    clip = sandbox.jobs()[-1]["clip"]
    assert f"{clip['width']}x{clip['height']}" == size
    assert clip["seconds"] == 10


def test_an_unknown_task_is_a_flat_400(client):
    response = client.query("task_none")
    assert (response.status_code, response.json()["code"]) == (400, "task_not_exist")


def test_delete_makes_a_task_unknown_but_keeps_it_on_the_bill(client, sandbox, web):
    identity = client.start()
    assert client.http.delete(f"/v1/videos/{identity}").json()["success"] is True
    assert client.query(identity).status_code == 400
    again = client.http.delete(f"/v1/videos/{identity}")
    assert (again.status_code, again.json()["error"]["message"]) == (400, "Invalid request, Task not found")
    assert [job["id"] for job in sandbox.jobs()] == [identity]
    assert web.delete(sandbox.base_url("12ai") + f"/v1/videos/{identity}").status_code == 401


def test_models_are_listed(client):
    assert [model["id"] for model in client.http.get("/v1/models").json()["data"]] == ["omni_flash-10s"]
