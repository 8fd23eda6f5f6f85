"""A Sora-compatible server that reads forms only, through the public flow."""

import pytest

from prefect_omnivideo import LocalVideoStore, VideoRequest
from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.flows import generate_video
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_job_is_submitted_as_a_form_and_stored(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    block = credentials(sandbox, "sora", submit_as="form")
    request = VideoRequest(prompt="a pear", model="sora-2", duration=4, size="720x1280")
    record = await generate_video(request, block, store, batch="forms")
    assert record.state == "stored"
    [job] = sandbox.jobs()
    assert job["encoding"] == "multipart"
    assert job["body"] == {"model": "sora-2", "prompt": "a pear", "seconds": "4", "size": "720x1280"}


async def test_lists_are_refused_before_anything_is_spent(sandbox: Sandbox, store: LocalVideoStore) -> None:
    sandbox.reset()
    block = credentials(sandbox, "sora", submit_as="form")
    with pytest.raises(RequestError, match="cannot be sent in a form"):
        await generate_video(
            VideoRequest(prompt="a pear", model="veo3.1", options={"image_urls": ["https://e.com/a.png"]}), block, store
        )
    assert sandbox.jobs() == []
