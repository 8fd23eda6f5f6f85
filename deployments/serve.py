"""Four deployments without work pool and worker, served as long as this script runs.

prefect server start
python deployments/serve.py
"""

from prefect import serve
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from prefect_omnivideo.flows import choose_takes, generate_from_sheet, generate_videos, resolve_videos


def block(kind: str, name: str) -> dict[str, dict[str, str]]:
    """A saved block as a parameter: the run loads it, so that no key is stored with the deployment.

    The form shows a block as chosen by its id alone; one that is not saved yet is looked up by the run, by its name.
    """
    with get_client(sync_client=True) as client:
        try:
            return {"$ref": {"block_document_id": str(client.read_block_document_by_name(name, kind).id)}}
        except ObjectNotFound:
            return {"$ref": {"block_document_slug": f"{kind}/{name}"}}


PRESET = "Unless others are chosen: the credentials apimart-credentials/prod and the store local-video-store/videos."

if __name__ == "__main__":
    store = block("local-video-store", "videos")
    blocks = {"credentials": block("apimart-credentials", "prod"), "store": store}
    serve(
        RunnerDeployment.from_flow(
            generate_videos,
            "laptop",
            description=f"A list of prompts, typed into the form. {PRESET}",
            parameters=blocks,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            generate_from_sheet,
            "laptop",
            description=f"The rows that are new in prompts.csv, every hour. {PRESET}",
            parameters={**blocks, "sheet": "~/prompts.csv", "batch": "laptop", "on_bad_row": "skip"},
            cron="0 * * * *",
            concurrency_limit=1,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            resolve_videos,
            "laptop",
            description="Decides about videos of unknown outcome, or failed ones.",
            parameters={"store": store},
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            choose_takes,
            "laptop",
            description="Asks which takes of a batch to keep, and copies them.",
            parameters={"store": store},
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
    )
