"""Where people settle videos of unknown outcome in the Prefect UI."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.utilities.urls import url_for

from prefect_omnivideo.core.reports.markdown import markdown_link, markdown_text

FLOW_THAT_SETTLES = "Resolve videos"


async def how_to_settle(batch: str) -> str:
    """A paragraph for the report of a batch: the flow to run, with the address of its deployment if there is one."""
    async with get_client() as client:
        only = FlowFilter(name=FlowFilterName(any_=[FLOW_THAT_SETTLES]))
        found = await client.read_deployments(flow_filter=only, limit=1)
    address = url_for("deployment", found[0].id) if found else None
    place = f" at {markdown_link(address)}" if address else ""
    return f"\nWithout a shell: run the flow **{FLOW_THAT_SETTLES}**{place} for the batch {markdown_text(batch)}.\n"
