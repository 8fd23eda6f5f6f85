"""Uploaded files, kept while the sandbox runs and served by the media origin."""

import shutil
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from prefect_omnivideo.sandbox.checks import Refused
from prefect_omnivideo.sandbox.state import State, Upload

_FORM_BYTES = 64 * 1024
"""Allowance for the multipart form around the file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An accepted upload; `size` in bytes."""

    url: str
    filename: str
    content_type: str
    size: int


async def keep(state: State, request: Request, most_bytes: int, types: Collection[str]) -> Kept:
    """Store the form field `file`; `types` are media types, or prefixes such as `image/`. Raises `Refused`."""
    if int(request.headers.get("content-length", 0)) > most_bytes + _FORM_BYTES:
        raise Refused(f"the file is larger than {most_bytes} bytes", status=413)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused("the file must come as multipart/form-data")
    try:
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.size:
                raise Refused("the form field file must hold a file that is not empty")
            content_type = file.content_type or ""
            if not any(content_type.startswith(start) for start in types):
                raise Refused(f"files of type {content_type!r} are not accepted")
            if file.size > most_bytes:
                raise Refused(f"the file is larger than {most_bytes} bytes", status=413)
            filename = Path(file.filename or "file").name
            name = uuid.uuid4().hex + Path(filename).suffix
            await run_in_threadpool(_copy, file.file, state.folder / name)
    except HTTPException as error:
        raise Refused(f"the form cannot be read: {error.detail}") from None
    state.uploads[name] = Upload(state.folder / name, content_type)
    return Kept(f"{state.links.media_url}/uploads/{name}", filename, content_type, file.size)


def _copy(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
