"""Reads a file of marks from where it is."""

from __future__ import annotations

from prefect_omnivideo.core.errors import RequestError
from prefect_omnivideo.core.reports.marks import Marks, read_marks
from prefect_omnivideo.core.sheets.source import read
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.storage.s3 import Bucket

_MAX_BYTES = 32 * 1024**2


def marks_at(location: str, store: ObjectStore) -> Marks:
    """The marks in a file that the gallery exported.

    Args:
        location: a local path, an https URL, or `s3://bucket/key`.
        store: whose credentials open its bucket; other buckets are read through the default AWS chain.

    Raises:
        RequestError: there is no such file, or it is not one of marks.
        StoreError: S3 refused the request.
    """
    bucket = store.whole() if isinstance(store, Bucket) else None
    try:
        return read_marks(read(location, at_most=_MAX_BYTES, bucket=bucket).data)
    except RequestError as error:
        fields = ("choices" if problem.field == "sheet" else problem.field for problem in error.problems)
        problems = [problem._replace(field=field) for problem, field in zip(error.problems, fields, strict=True)]
        raise RequestError(problems, subject=error.subject) from None
