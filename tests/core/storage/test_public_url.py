"""Where people find an object of a store that a web server shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prefect_omnivideo import LocalVideoStore, S3VideoStore
from prefect_omnivideo.core.storage.folder import Folder


@pytest.mark.parametrize("url", ["https://videos.example.com", "https://videos.example.com/omni/", "http://nas:8080"])
def test_a_public_url_is_where_objects_are_found(url: str, tmp_path: Path) -> None:
    expected = f"{url.rstrip('/')}/daily/a%20red%20%C3%A9t%C3%A9%23.mp4"
    for block in (LocalVideoStore(folder=tmp_path, public_url=url), S3VideoStore(bucket="videos", public_url=url)):
        assert block.open().address("daily/a red été#.mp4") == expected
        assert block.model_validate(block.model_dump()).public_url == block.public_url


def test_without_one_the_address_is_that_of_the_store(tmp_path: Path) -> None:
    assert LocalVideoStore(folder=tmp_path).open().address("b/a.mp4") == (tmp_path / "b" / "a.mp4").as_uri()
    assert S3VideoStore(bucket="videos", prefix="omni").open().address("b/a.mp4") == "s3://videos/omni/b/a.mp4"


@pytest.mark.parametrize(
    "url",
    [
        "videos.example.com",
        "s3://videos",
        "javascript://x.example/%0aalert(1)",
        "https://",
        "https://user:very-secret@videos.example.com",
        "https://videos.example.com?X-Amz-Signature=very-secret",
        "https://videos.example.com/?",
        "https://videos.example.com/#top",
        "https://videos.example.com/a b",
        "https://videos.example.com/\n",
        "https://[videos",
        "https://videos.example.com/)",
    ],
)
def test_an_address_that_cannot_work_or_holds_a_secret_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        LocalVideoStore(folder=tmp_path, public_url=url)
    assert "very-secret" not in str(caught.value)


@given(st.text(min_size=1, max_size=30).filter(lambda name: name.isprintable()))
def test_any_name_stays_one_path(name: str) -> None:
    address = Folder("/videos", "https://videos.example.com").address(name)
    assert address.startswith("https://videos.example.com/")
    assert not set(address.removeprefix("https://")) & set(" ?#<>\"'()[]`\\|")
