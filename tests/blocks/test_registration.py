"""The documented `prefect block register -m prefect_omnivideo`."""

from prefect.cli.block import register
from prefect.client.orchestration import get_client

from tests.test_imports import SLUGS


async def test_the_documented_command_registers_every_block(prefect_server: None) -> None:
    await register(module_name="prefect_omnivideo")
    async with get_client() as api:
        types = await api.read_block_types()
    assert {block.slug for block in types} >= SLUGS
