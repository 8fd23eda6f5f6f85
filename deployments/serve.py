"""Three deployments without work pool and worker, served as long as this script runs.

prefect server start
python deployments/serve.py
"""

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from prefect_omnivideo.flows import generate_from_sheet, generate_videos, resolve_videos


def block(slug: str) -> dict[str, dict[str, str]]:
    """A saved block as a parameter: the run loads it, so that no key is stored with the deployment."""
    return {"$ref": {"block_document_slug": slug}}


BLOCKS = {"credentials": block("apimart-credentials/prod"), "store": block("local-video-store/videos")}
# The form shows no preset blocks: they look unset, and are used as long as no others are chosen.
PRESET = "Unless others are chosen: the credentials apimart-credentials/prod and the store local-video-store/videos."

if __name__ == "__main__":
    serve(
        RunnerDeployment.from_flow(
            generate_videos,
            "laptop",
            description=f"A list of prompts, typed into the form. {PRESET}",
            parameters=BLOCKS,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            generate_from_sheet,
            "laptop",
            description=f"The rows that are new in prompts.csv, every hour. {PRESET}",
            parameters={**BLOCKS, "sheet": "~/prompts.csv", "batch": "laptop", "on_bad_row": "skip"},
            cron="0 * * * *",
            concurrency_limit=1,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            resolve_videos,
            "laptop",
            description="Decides about videos of unknown outcome, or failed ones.",
            parameters={"store": BLOCKS["store"]},
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
    )
