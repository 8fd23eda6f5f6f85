"""A run that refers to a block that cannot be used names the block and the reason, in its log and in its state."""

import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentCreate, BlockSchemaCreate, BlockTypeCreate

from prefect_omnivideo import APIMartCredentials, JimmyAICredentials, LocalVideoStore, S3VideoStore
from prefect_omnivideo.blocks.credentials import GatewayCredentials
from prefect_omnivideo.blocks.saved import BlockError
from prefect_omnivideo.flows import generate_video, generate_videos
from prefect_omnivideo.sandbox import Sandbox
from tests.accounts import credentials
from tests.saving import save_unchecked

pytestmark = pytest.mark.usefixtures("prefect_server")

SECRET = "sk very secret"


def slug(block: str) -> Any:
    return {"$ref": {"block_document_slug": block}}


async def refused(caplog: pytest.LogCaptureFixture, **given: Any) -> str:
    """The message in state and log of a run with these parameters."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        state = await generate_videos(**{"prompts": ["x"], **given}, return_state=True)
    assert state.is_failed()
    message = str(state.message).partition("BlockError: ")[2]
    assert message in caplog.text
    assert "Traceback" not in caplog.text
    assert SECRET not in caplog.text + str(state)
    return message


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (APIMartCredentials, {}, "API key: a value is required"),
        (APIMartCredentials, {"api_key": SECRET}, "API key: the API key is empty, or contains spaces"),
        (JimmyAICredentials, {"api_key": "sk", "base_url": "www"}, "Base URL: the base URL must look like https://"),
        (
            S3VideoStore,
            {"bucket": "b-1", "aws_secret_access_key": SECRET},
            "access key ID and secret access key belong",
        ),
        (LocalVideoStore, {"folder": "videos"}, "folder 'videos' is relative"),
        (LocalVideoStore, {}, "folder: a value is required"),
    ],
)
async def test_a_block_that_the_form_saved_as_it_was(
    kind: type[GatewayCredentials],
    data: dict[str, Any],
    says: str,
    sandbox: Sandbox,
    store: LocalVideoStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name, billed = f"broken-{uuid.uuid4().hex[:8]}", len(sandbox.jobs())
    identity = await save_unchecked(kind, name, data)
    good = {"credentials": credentials(sandbox, "apimart"), "store": store}
    field = "credentials" if issubclass(kind, GatewayCredentials) else "store"
    for reference in (slug(f"{kind._block_type_slug}/{name}"), {"$ref": {"block_document_id": str(identity)}}):
        message = await refused(caplog, **good | {field: reference})
        assert message.lower().startswith(f"block {kind._block_type_slug}/{name} cannot be used: {says}".lower())
    assert len(sandbox.jobs()) == billed


async def test_all_broken_blocks_are_named_at_once(caplog: pytest.LogCaptureFixture) -> None:
    message = await refused(caplog, credentials=[slug("apimart-credentials/nobody")], store=slug("s3-video-store/none"))
    assert "block apimart-credentials/nobody does not exist" in message
    assert "block s3-video-store/none does not exist" in message


async def test_a_missing_block_and_what_there_is_instead(
    sandbox: Sandbox, store: LocalVideoStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account = credentials(sandbox, "apimart")
    await LocalVideoStore(folder=tmp_path).save("there", overwrite=True)
    message = await refused(caplog, credentials=account, store=slug("local-video-store/gone"))
    assert message.startswith("block local-video-store/gone does not exist: save it under Blocks in the Prefect UI, or")
    assert "local-video-store/there" in message
    message = await refused(caplog, credentials=account, store=slug("video-store/prod"))
    assert message.startswith("block 'video-store/prod' does not exist, and neither does its type")
    identity = str(uuid.uuid4())
    for reference in (identity, {"block_document_id": identity}):
        message = await refused(caplog, credentials=account, store={"$ref": reference})
        assert message == f"the saved block with the id {identity} does not exist any more: choose another"


async def test_a_block_whose_type_is_not_installed(store: LocalVideoStore, caplog: pytest.LogCaptureFixture) -> None:
    async with get_client() as client:
        kind = await client.create_block_type(BlockTypeCreate(name="Elsewhere", slug="elsewhere"))
        schema = await client.create_block_schema(BlockSchemaCreate(block_type_id=kind.id, fields={}))
        document = BlockDocumentCreate(name="prod", block_type_id=kind.id, block_schema_id=schema.id)
        await client.create_block_document(document)
    message = await refused(caplog, credentials=slug("elsewhere/prod"), store=store)
    assert message == "block elsewhere/prod cannot be used: its type elsewhere is not installed here"


async def test_good_references_work_in_subflows_and_after_options(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await credentials(sandbox, "apimart").save("good", overwrite=True)
    await LocalVideoStore(folder=tmp_path).save("good", overwrite=True)
    named = generate_video.with_options(name="Another name")

    @flow
    async def around(store: str) -> Any:
        return await named("good", slug("apimart-credentials/good"), slug(store), batch="b")

    assert (await around("local-video-store/good")).request.prompt == "good"
    with pytest.raises(BlockError, match="block local-video-store/bad does not exist"):
        await around("local-video-store/bad")
