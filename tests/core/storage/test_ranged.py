"""An object in S3 as a file: read where it is wanted, and nowhere else."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_omnivideo.core.errors import StoreError
from prefect_omnivideo.core.media.probe import examine
from prefect_omnivideo.core.storage.ranged import RangedFile
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.core.transfer.transfer import HEAD
from prefect_omnivideo.sandbox.s3server import S3Server
from tests.core.media.test_media import film
from tests.core.transfer.lying_server import box

MIB = 1024 * 1024
DATA = bytes(range(256)) * 40


@given(
    st.integers(1, 3000),
    st.integers(0, len(DATA)),
    st.lists(st.tuples(st.integers(0, 2), st.integers(-200, 12_000), st.integers(-1, 6000))),
)
def test_reads_as_a_file_does(buffer: int, head: int, steps: list[tuple[int, int, int]]) -> None:
    """Wherever one goes, however much one reads and how much is known: it is what a file in memory gives."""
    there = io.BufferedReader(RangedFile(len(DATA), lambda start, stop: DATA[start:stop], DATA[:head]), buffer)
    here = io.BytesIO(DATA)
    for whence, offset, size in steps:
        target = offset + (0, here.tell(), len(DATA))[whence]
        if target >= 0:
            assert there.seek(offset, whence) == here.seek(target)
        assert there.read(size) == here.read(size)
        assert there.tell() == here.tell()


def test_there_is_nothing_before_the_beginning() -> None:
    with pytest.raises(ValueError, match="before the beginning"):
        RangedFile(10, lambda start, stop: b"").seek(-11, io.SEEK_END)


class Traffic(NamedTuple):
    """A bucket, and the bytes of every answer that brought a part of an object."""

    bucket: Bucket
    answers: list[int]


@pytest.fixture
def traffic(s3: S3Server, seaweed: Bucket) -> Traffic:
    made = client(
        S3Options(
            endpoint_url=s3.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=s3.access_key_id,
            aws_secret_access_key=s3.secret_access_key,
        )
    )
    answers: list[int] = []

    def count(parsed: Any, **_: Any) -> None:
        answers.append(parsed["ContentLength"])

    made.meta.events.register("after-call.s3.GetObject", count)
    return Traffic(Bucket(made, seaweed.bucket, seaweed.prefix), answers)


def long_film(*, index_first: bool) -> bytes:
    """A film of 100 MB, nearly all of which nobody needs for a look at it."""
    data = film(seconds=2.0)
    at = data.index(b"moov") - 4
    assert data.index(b"mdat") < at, "FFmpeg writes the index last unless it is told otherwise"
    dead = box(b"free", bytes(100 * MIB))
    # What stands in front of the pictures would move them away from where the index says they are.
    return data + dead if index_first else data[:at] + dead + data[at:]


@pytest.mark.parametrize("index_first", [True, False])
def test_a_look_at_a_long_film_reads_little_of_it(traffic: Traffic, index_first: bool) -> None:
    data = long_film(index_first=index_first)
    traffic.bucket.write("film.mp4", io.BytesIO(data), content_type="video/mp4", metadata={})
    with traffic.bucket.open("film.mp4") as file:
        assert examine(file) == examine(io.BytesIO(data))
    assert sum(traffic.answers) < 8 * MIB
    assert len(traffic.answers) < 10


@pytest.mark.parametrize(("index_first", "requests"), [(True, 0), (False, 1)])
def test_what_is_known_is_not_fetched(traffic: Traffic, index_first: bool, requests: int) -> None:
    data = long_film(index_first=index_first)
    traffic.bucket.write("film.mp4", io.BytesIO(data), content_type="video/mp4", metadata={})
    with traffic.bucket.open("film.mp4", head=data[:HEAD]) as file:
        assert examine(file) == examine(io.BytesIO(data))
    assert len(traffic.answers) <= requests


def test_reading_all_is_one_request(traffic: Traffic) -> None:
    traffic.bucket.put("a.bin", bytes(3 * MIB), content_type="video/mp4")
    with traffic.bucket.open("a.bin") as file:
        assert file.read() == bytes(3 * MIB)
    assert traffic.answers == [3 * MIB]


def test_an_object_that_changes_meanwhile_is_no_mixture(seaweed: Bucket) -> None:
    """Half of one video and half of another would be neither."""
    seaweed.put("a.bin", bytes(3 * MIB), content_type="video/mp4")
    with seaweed.open("a.bin") as file:
        file.read(10)
        seaweed.put("a.bin", b"1" * 3 * MIB, content_type="video/mp4")
        with pytest.raises(StoreError, match="PreconditionFailed"):
            file.read()


def test_an_object_that_is_not_there(seaweed: Bucket) -> None:
    with pytest.raises(StoreError, match="no such object"):
        seaweed.open("nothing.mp4")
