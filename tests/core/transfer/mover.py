"""A process that brings one video into a store and may be killed meanwhile: `python -m tests.core.transfer.mover`."""

import json
import sys

from prefect_omnivideo.core.storage.folder import Folder
from prefect_omnivideo.core.storage.s3 import Bucket, S3Options, client
from prefect_omnivideo.core.transfer.transfer import Source, transfer

if __name__ == "__main__":
    order = json.load(sys.stdin)
    place = order["folder"]
    transfer(
        Source(order["url"], order["url"]),
        Folder(place) if place else Bucket(client(S3Options(**order["client"])), order["bucket"], order["prefix"]),
        order["name"],
    )
