"""A process that brings one video into a store and may be killed while it does: `python -m tests.store.mover`."""

import json
import sys

from prefect_omnivideo.store.local import Folder
from prefect_omnivideo.store.s3 import Bucket, client
from prefect_omnivideo.store.transfer import Source, transfer

if __name__ == "__main__":
    order = json.load(sys.stdin)
    place = order["folder"]
    transfer(
        Source(order["url"], order["url"]),
        Folder(place) if place else Bucket(client(**order["client"]), order["bucket"], order["prefix"]),
        order["name"],
    )
