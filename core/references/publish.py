"""Makes references reachable right before a submission: uploads, stages or presigns them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from weakref import WeakKeyDictionary

import stamina

from prefect_omnivideo.core.client.client import GatewayClient
from prefect_omnivideo.core.client.uploads import upload
from prefect_omnivideo.core.errors import StoreUnavailableError
from prefect_omnivideo.core.gateways.specification import Upload
from prefect_omnivideo.core.media.files import MediaFile, digest, stage
from prefect_omnivideo.core.references.parse import attached, replaced
from prefect_omnivideo.core.references.plan import LINK_SECONDS, Passage, object_link, passages
from prefect_omnivideo.core.references.sharing import Shared
from prefect_omnivideo.core.request import VideoRequest, local_path
from prefect_omnivideo.core.storage.base import ObjectStore
from prefect_omnivideo.core.threads import on_records, on_transfers

REMEMBERED = 3600.0
"""Seconds for which a file's hash and its copy in the store are cached."""
PATIENCE = 60.0
"""Seconds to retry while the store is unavailable."""

_patiently = stamina.AsyncRetryingCaller(
    attempts=None, timeout=PATIENCE, wait_initial=0.5, wait_max=10, wait_jitter=1
).on(StoreUnavailableError)


class _Known(NamedTuple):
    """Cached results of one event loop."""

    digests: Shared[str]
    staged: Shared[str]
    uploaded: Shared[str]


_known: WeakKeyDictionary[asyncio.AbstractEventLoop, _Known] = WeakKeyDictionary()


async def reachable(request: VideoRequest, client: GatewayClient, store: ObjectStore) -> VideoRequest:
    """The request with links that the gateway can fetch in place of local files and objects of S3.

    A file is uploaded once per account, and staged once per store, whatever the number of requests that refer to it.
    The links are for the submission only and must not reach a record, a log or a message.

    Raises:
        RequestError: a reference cannot be used; see `passages`.
        NotAcceptedError: the gateway refuses a file; nothing was spent.
        StoreError: the store cannot be read or written.
    """
    links: dict[str, str] = {}
    for way in await on_records(passages, request, client.account, store):
        links[way.reference.value] = await _link(way, client, store)
    if travels := attached(client.account.gateway, request):
        links[travels] = str(local_path(travels))
    return replaced(request, links)


async def _link(way: Passage, client: GatewayClient, store: ObjectStore) -> str:
    file = way.file
    if file is None:
        return await _patiently(on_records, object_link, way.reference, store)
    known = _known.setdefault(asyncio.get_running_loop(), _Known(Shared(), Shared(), Shared()))
    sha256 = await known.digests.get(
        (file.path, file.version), lambda: on_transfers(digest, file), valid_for=REMEMBERED
    )
    if endpoint := way.upload:
        return await known.uploaded.get(
            (client.account, endpoint.path, sha256),
            lambda: _upload(client, endpoint, file, sha256),
            # A job may be queued at the gateway before its references are fetched.
            valid_for=endpoint.valid_for / 2,
        )
    name = await known.staged.get(
        (store, sha256), lambda: _patiently(on_transfers, stage, file, sha256, store), valid_for=REMEMBERED
    )
    return await on_records(store.link, name, seconds=LINK_SECONDS)


async def _upload(client: GatewayClient, endpoint: Upload, file: MediaFile, sha256: str) -> str:
    link = await upload(client, endpoint, file.path, f"{sha256[:16]}{file.ending}", file.content_type)
    file.check_unchanged()  # a link to bytes that do not match the hash must not be cached
    return link
