"""The videos: that they play, and how the media origin serves them."""

import io
import ssl

import av
import httpx
import pytest
import trustme

from prefect_omnivideo.sandbox import Settings, running
from prefect_omnivideo.sandbox.media import render


def _probe(content):
    with av.open(io.BytesIO(content)) as container:
        video = container.streams.video[0]
        frames = [bytes(frame.planes[0])[::4096] for frame in container.decode(video)]
        sound = [stream.codec_context.name for stream in container.streams.audio]
        return video.codec_context.name, video.width, video.height, frames, container.duration / 1e6, sound


@pytest.mark.parametrize(
    ("gateway", "fields", "size", "seconds", "sound"),
    [
        ("12ai", {"size": "1280x720"}, (1280, 720), 10, []),
        ("12ai", {"size": "720x1280"}, (720, 1280), 10, []),
        ("omnirouters", {"resolution": "1080p", "audio_generation": "Enabled"}, (1920, 1080), 5, ["aac"]),
        ("jimmyai", {"resolution": "4k", "duration": 4}, (3840, 2160), 4, []),
    ],
)
def test_a_video_plays_at_the_size_and_length_asked_for(speak, gateway, fields, size, seconds, sound, web):
    content = web.get(speak(gateway).film(**fields)).content
    codec, width, height, frames, length, tracks = _probe(content)
    assert (codec, (width, height), tracks) == ("h264", size, sound)
    assert len(frames) == seconds * 24
    assert length == pytest.approx(seconds, abs=0.1)
    assert len(set(frames[:12])) > 3, "something moves"
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first"


def test_apimart_videos_have_a_sound_track(speak, web):
    assert _probe(web.get(speak("apimart").film()).content)[5] == ["aac"]


def test_no_two_jobs_share_their_bytes_and_each_names_its_job(speak, sandbox, web):
    client = speak("12ai")
    first, second = (web.get(client.film("one prompt")).content for _ in range(2))
    assert first != second
    assert sandbox.jobs()[-1]["id"].encode() in second
    assert sandbox.jobs()[-1]["downloads"] == 1


def test_ranges_add_up_to_the_whole(speak, web):
    link = speak("12ai").film()
    whole = web.get(link)
    assert whole.headers["accept-ranges"] == "bytes"
    head = web.get(link, headers={"range": "bytes=0-999"})
    tail = web.get(link, headers={"range": "bytes=1000-", "if-range": whole.headers["etag"]})
    last = web.get(link, headers={"range": "bytes=-10"})
    assert {head.status_code, tail.status_code, last.status_code} == {206}
    assert head.headers["content-range"] == f"bytes 0-999/{len(whole.content)}"
    assert head.content + tail.content == whole.content
    assert last.content == whole.content[-10:]


@pytest.mark.parametrize("extra", [{"if-range": '"other"'}, {"range": "bytes=0-1,5-6"}, {"range": "lines=1-2"}])
def test_a_range_that_does_not_apply_gives_the_whole(speak, extra, web):
    link = speak("12ai").film()
    response = web.get(link, headers={"range": "bytes=5-"} | extra)
    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(response.content) > 1000


def test_a_range_behind_the_end_is_a_416(speak, web):
    link = speak("12ai").film()
    size = len(web.get(link).content)
    response = web.get(link, headers={"range": f"bytes={size}-"})
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{size}")


def test_head_gives_the_length_alone(speak, sandbox, web):
    link = speak("12ai").film()
    response = web.head(link)
    assert response.content == b""
    assert response.headers["content-length"] == str(len(web.get(link).content))
    assert sandbox.jobs()[-1]["downloads"] == 1


def test_a_link_expires_and_the_next_status_query_gives_a_fresh_one(speak, clock, web):
    client = speak("apimart")
    identity = client.start()
    clock.tick()
    answer = client.query(identity).json()
    link = client.wire.link(answer)
    assert client.wire.link(client.query(identity).json()) == link, "the same while it is good"
    clock.tick(answer["data"]["result"]["videos"][0]["expires_at"] - clock() - 1)
    assert web.get(link).status_code == 200
    clock.tick(2)  # the answer gives whole seconds
    assert web.get(link).status_code == 403
    fresh = client.wire.link(client.query(identity).json())
    assert web.get(fresh).status_code == 200


@pytest.mark.parametrize("token", ["x", "a.0.99999999999999.0000000000000000", "a.b.c.d"])
def test_a_link_cannot_be_made_up(sandbox, token, web):
    assert web.get(f"{sandbox.media_url}/media/{token}.mp4").status_code == 404


def test_a_key_at_the_media_origin_is_refused_and_put_on_record(client, sandbox):
    link = client.film()
    assert sandbox.stats()["leaks"] == []
    assert client.http.get(link).status_code == 400
    assert sandbox.stats()["leaks"] == [httpx.URL(link).path]
    assert client.http.get(sandbox.media_url + "/elsewhere").status_code == 400
    assert len(sandbox.stats()["leaks"]) == 2


def test_the_gateways_and_the_media_origin_do_not_mix(sandbox, speak, web):
    link = httpx.URL(speak("12ai").film())
    assert web.get(sandbox.url + link.path).status_code == 404
    assert web.get(sandbox.media_url + "/_sandbox/health").status_code == 404


@pytest.mark.server
def test_padding_makes_a_large_video_that_still_plays(web):
    size = 3_000_000
    body = {"model": "omni_flash-10s", "prompt": "a"}
    with running(Settings(latency=0, video_bytes=size)) as sandbox:
        key = {"authorization": f"Bearer {sandbox.key}"}
        videos = sandbox.base_url("12ai") + "/v1/videos"
        identity = web.post(videos, json=body, headers=key).json()["id"]
        content = web.get(web.get(f"{videos}/{identity}", headers=key).json()["video_url"]).content
        part = web.get(f"{videos}/{identity}/content", headers=key | {"range": "bytes=100000-2999999"}).content
    assert len(content) == size
    assert content[100_000:] == part
    assert len(_probe(content)[3]) == 240


@pytest.mark.server
def test_clips_of_a_folder_are_the_videos_and_come_by_https_with_a_certificate(tmp_path):
    clip = render(64, 64, 1.0, 0, sound=False)
    (tmp_path / "one.mp4").write_bytes(clip)
    authority = trustme.CA()
    pem = tmp_path / "sandbox.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    settings = Settings(latency=0, clips=tmp_path, certificate=pem)
    with running(settings) as sandbox, httpx.Client(verify=trust) as web:
        key = {"authorization": f"Bearer {sandbox.key}"}
        videos = sandbox.base_url("sora") + "/v1/videos"
        made = [
            web.post(videos, json={"model": "gemini-omni", "prompt": "a"}, headers=key).json()["id"] for _ in range(2)
        ]
        links = [web.get(f"{videos}/{each}", headers=key).json()["video_url"] for each in made]
        one, two = (web.get(link) for link in links)
        around_the_end = web.get(links[0], headers={"range": f"bytes={len(clip) - 5}-{len(clip) + 20}"}).content
    assert links[0].startswith("https://")
    assert one.content.startswith(clip)
    assert one.content[len(clip) - 5 : len(clip) + 21] == around_the_end
    assert made[0].encode() in one.content[len(clip) :]
    assert one.headers["etag"] != two.headers["etag"]


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \.mp4 file"):
        Settings(clips=tmp_path)


def test_content_needs_the_key_and_serves_ranges(speak, sandbox, clock, web):
    client = speak("12ai")
    identity = client.start()
    clock.tick()
    path = f"/v1/videos/{identity}/content"
    assert web.get(sandbox.base_url("12ai") + path).status_code == 401
    assert client.http.get("/v1/videos/task_none/content").status_code == 404
    part = client.http.get(path, headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert sandbox.stats()["gateways"]["12ai"]["contents"] == 3
