"""`omnivideo choose`: copies of the videos that a person keeps."""

from __future__ import annotations

import sys

from prefect_omnivideo.cli.app import any_store, app, report_error
from prefect_omnivideo.core.choosing.copies import FOLDER, carry_out
from prefect_omnivideo.core.choosing.takes import choice_of, takes_of
from prefect_omnivideo.core.errors import OmniVideoError, StoreError
from prefect_omnivideo.core.jobs.settle import in_store
from prefect_omnivideo.core.records.model import now
from prefect_omnivideo.core.records.repository import Records
from prefect_omnivideo.core.reports.wording import title

FAILED = 1
"""Exit code if a video could not be copied."""


@app.command
def choose(batch: str, *, store: str, choices: str, to: str = FOLDER, endpoint_url: str | None = None) -> int:
    """Copy the videos of a batch that a person keeps, with their records, under names that stay the same.

    Nothing is deleted and nothing is spent. Exit code 1: a video could not be copied.

    Args:
        batch: The batch, by its title or its name in the store.
        store: s3://bucket/prefix, a folder, or a saved block such as s3-video-store/prod.
        choices: The file of marks that the gallery of the batch exports: a path, an https:// URL or s3://bucket/key.
        to: Folder of the store for the copies; each batch has its own in it.
        endpoint_url: Address of an S3-compatible server. Keys and region come from the default AWS chain.
    """
    # Here and not above: other commands do not wait for boto3.
    from prefect_omnivideo.core.choosing.reading import marks_at
    from prefect_omnivideo.core.sheets.source import name_of

    try:
        records = Records(any_store(store, endpoint_url))
        name = in_store(records, batch) or batch
        takes = takes_of(records.batch(name))
        if not takes:
            raise StoreError(f"there is no batch {name} in {records.store.uri('')}")
        choice = choice_of(marks_at(choices, records.store), name, takes, now(), f"file {name_of(choices)}")
        done = carry_out(choice, records.store, name, to)
    except OmniVideoError as error:
        return report_error(str(error))
    for video in done.videos:
        address = " ".join(records.store.address(file.name) for file in video.files)
        sys.stdout.write(f"{title(video.video)}: {address}\n")
    sys.stdout.write(f"{done.summary()}\n")
    for address in done.earlier:
        sys.stdout.write(f"of an earlier choice: {address}\n")
    if done.again:
        sys.stdout.write(f"{done.how_to_make()}\n")
    for problem in done.problems:
        report_error(problem)
    return FAILED if done.problems else 0
