"""OmniRouters as docs/gateways.md has it."""

import pytest


@pytest.fixture
def client(speak):
    return speak("omnirouters")


@pytest.fixture
def rows(speak):
    return speak("omnirouters-generations")


def test_the_flat_answers(client, clock):
    submitted = client.submit().json()
    assert submitted.keys() == {"id", "task_id", "object", "model", "status", "progress", "created_at"}
    assert submitted["id"] == submitted["task_id"]
    assert client.status(submitted["id"]) == "unknown"
    clock.tick(1.5)
    assert client.status(submitted["id"]) == "queued"
    clock.tick(3)
    assert client.query(submitted["id"]).json().items() >= {"status": "in_progress", "progress": 45}.items()
    clock.tick(6)
    final = client.query(submitted["id"]).json()
    assert (final["status"], final["progress"], final["seconds"], final["size"]) == ("completed", 100, "5", "1280x720")
    assert final["metadata"].keys() == {"url"}


def test_the_row_answers(rows, clock):
    identity = rows.start()
    words, progress = [], []
    for _ in range(12):
        answer = rows.query(identity).json()
        assert (answer["code"], answer["message"]) == ("success", "")
        words.append(answer["data"]["status"])
        progress.append(answer["data"]["progress"])
        clock.tick(0.99)
    row = answer["data"]
    assert list(dict.fromkeys(words)) == ["NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "SUCCESS"]
    assert {"10%", "30%", "100%"} <= set(progress)
    assert isinstance(row["id"], int)
    assert row["task_id"] == identity
    assert row["data"]["status"] == "processing", "the upstream answer inside lags behind"


def test_a_failed_row_has_its_reason_even_where_the_link_would_be(rows):
    row = rows.finish("a [fault:fail]")["data"]
    assert row["fail_reason"] == row["result_url"] == "the model could not finish this video"


def test_both_query_routes_know_a_job_of_either_submit_route(client, rows, clock):
    first, second = client.start(), rows.start()
    clock.tick()
    assert (client.status(second), rows.status(first)) == ("completed", "SUCCESS")


@pytest.mark.parametrize(
    ("model", "place"),
    [("Vidu-q2", "metadata"), ("Hunyuan-3d-scene-2.0", "video_url"), ("doubao-seedance-2-0-260128", "metadata")],
)
def test_the_place_of_the_link_depends_on_the_channel(client, model, place):
    assert place in client.finish(model=model)


def test_several_files_are_listed_under_urls(client, rows, web):
    first, second = client.finish("a [fault:two-files]")["urls"]
    assert first != second
    assert web.get(first).content != web.get(second).content
    assert len(rows.finish("b [fault:two-files]")["data"]["urls"]) == 2


def test_veo_links_to_the_gateway_itself_where_the_key_is_needed(client, sandbox, web):
    link = client.film(model="Veo-3.1", seconds="8")
    assert link.startswith(sandbox.base_url("omnirouters"))
    assert web.get(link).status_code == 401
    assert client.http.get(link).headers["content-type"] == "video/mp4"
    assert sandbox.stats()["leaks"] == []


def test_veo_rows_have_the_vertex_shape(rows, clock):
    identity = rows.start(model="Veo-3.1", seconds="8")
    assert rows.query(identity).json()["data"].items() >= {"task_id": identity, "status": "queued", "url": ""}.items()
    clock.tick()
    data = rows.query(identity).json()["data"]
    assert (data["status"], data["format"], data["error"]) == ("succeeded", "mp4", None)
    assert data["url"].endswith(f"/v1/videos/{identity}/content")
    failed = rows.finish("a [fault:moderated]", model="Veo-3.1", seconds="8")["data"]
    assert (failed["status"], failed["url"]) == ("failed", "")
    assert "safety" in failed["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"seconds": 5}, "seconds must be a string"),
        ({"seconds": "five"}, "positive integer"),
        ({"seconds": "0"}, "positive integer"),
        ({"seconds": "16"}, "from 3 to 15"),
        ({"model": "Veo-3.1", "seconds": "5"}, "from 8 to 8"),
        ({"resolution": "4k"}, "resolution"),
        ({"resolution": 720}, "resolution"),
        ({"aspect_ratio": "wide"}, "aspect ratio"),
        ({"audio_generation": "on"}, "audio_generation"),
        ({"enable_bgm": True}, "enable_bgm"),
        ({"keep_original_sound": "yes"}, "keep_original_sound"),
        ({"video_reference_type": "motion"}, "video_reference_type"),
        ({"images": "https://example.com/a.png"}, "images"),
        ({"images": ["folder/a.png"]}, "images"),
        ({"model": "Vidu-q2-pro", "images": ["https://example.com/a.png"] * 3}, "at most 2"),
        ({"videos": [{}]}, "videos"),
        ({"firstframe": "a.png"}, "firstframe"),
        ({"lastframe": ["https://example.com/a.png"]}, "lastframe"),
        ({"subject_infos": {}}, "subject_infos"),
        ({"subject_infos": [{"name": "x"}]}, "id is required"),
        ({"subject_infos": [{"id": "x", "image_urls": ["a.png"]}]}, "image_urls"),
        ({"metadata": [1]}, "metadata"),
        ({"metadata": "no json"}, "metadata"),
    ],
)
def test_what_stock_new_api_or_the_seed_does_not_allow_is_a_flat_400(client, sandbox, fields, said):
    response = client.submit(**fields)
    assert response.status_code == 400
    assert response.json().keys() == {"code", "message", "data"}
    assert said in response.json()["message"]
    assert sandbox.jobs() == []


def test_an_unknown_model_has_no_channel(client):
    response = client.submit(model="kling-3.0-omni")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_not_found"


def test_a_missing_model_is_refused_by_the_gate(client):
    response = client.http.post("/v1/videos", json={"prompt": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "missing_model")


@pytest.mark.parametrize(
    "fields",
    [
        {"made_up": 1, "images": ["https://example.com/a.png"], "input_region": "Mainland", "image_usage": "Reference"},
        {"metadata": {"ext_info": {"AdditionalParameters": {"multi_shot": True}}}},
        {"metadata": '{"ratio": "9:16"}'},
        {"subject_infos": [{"id": "s1", "name": "subject", "image_urls": ["https://example.com/s.jpg"]}]},
        {"firstframe": "https://example.com/a.png", "lastframe": "https://example.com/b.png"},
    ],
)
def test_unknown_fields_and_vendor_extras_are_forwarded(client, sandbox, fields):
    assert client.submit(**fields).status_code == 200
    assert sandbox.jobs()[-1]["body"].items() >= fields.items()


def test_forms_are_taken_as_stock_new_api_does(client, sandbox):
    form = {
        "model": "Kling-3.0",
        "prompt": "a",
        "seconds": "5",
        "images": ["https://example.com/a", "https://example.com/b"],
    }
    assert client.http.post("/v1/videos", data=form).status_code == 200
    assert sandbox.jobs()[-1]["body"] == form
    single = client.http.post("/v1/videos", data=form | {"images": "https://example.com/a"})
    assert single.status_code == 400, "one single form value reads as a string (The new-api family, Request body)"
    parts = [(name, (None, value)) for name, value in form.items() if name != "images"]
    assert client.http.post("/v1/videos", files=parts).status_code == 200
    assert sandbox.jobs()[-1]["encoding"] == "multipart"


@pytest.mark.parametrize(
    ("fields", "clip"),
    [
        ({}, (1280, 720, 5, False)),
        ({"resolution": "1080p", "aspect_ratio": "9:16", "seconds": "8"}, (1080, 1920, 8, False)),
        ({"audio_generation": "Enabled"}, (1280, 720, 5, True)),
        (
            {"model": "doubao-seedance-2-0-260128", "metadata": {"ratio": "9:16", "generate_audio": True}},
            (720, 1280, 5, True),
        ),
    ],
)
def test_the_fields_shape_the_clip(client, sandbox, fields, clip):
    client.start(**fields)
    made = sandbox.jobs()[-1]["clip"]
    assert (made["width"], made["height"], made["seconds"], made["sound"]) == clip


def test_a_refusal_carries_the_request_id_of_the_family(client):
    assert client.submit(seconds=5).headers["x-oneapi-request-id"]


def test_models_are_listed(client):
    assert "Veo-3.1" in [model["id"] for model in client.http.get("/v1/models").json()["data"]]
