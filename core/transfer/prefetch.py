"""Reading ahead in a thread, so that the network and the store work at the same time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread

HANDFUL = 1024 * 1024
"""Bytes that change hands at once: each time wakes a thread, which takes long on a busy machine."""


@contextmanager
def ahead(pieces: Iterator[bytes], depth: int) -> Generator[Iterator[bytes]]:
    """Give the items of `pieces`, at most about `depth` bytes of them read ahead in a thread.

    Whatever `pieces` raises is raised from the iterator, after what came before it. Leaving the block ends the thread
    and waits for it: a reader that is stuck in the network holds this up until its own timeout.
    """
    queue: Queue[list[bytes | Exception | None]] = Queue(max(1, depth // HANDFUL))
    left = Event()

    def pump() -> None:
        held: list[bytes | Exception | None] = []
        size = 0
        try:
            for piece in pieces:
                held.append(piece)
                size += len(piece)
                if size >= HANDFUL:
                    queue.put(held)
                    held, size = [], 0
                    if left.is_set():
                        return
            held.append(None)
        except Exception as error:  # raised again where the pieces are read
            held.append(error)
        queue.put(held)

    thread = Thread(target=pump, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _until_end(queue)
    finally:
        left.set()
        try:
            while True:  # makes room for the one handful the thread may be holding
                queue.get_nowait()
        except Empty:
            thread.join()


def _until_end(queue: Queue[list[bytes | Exception | None]]) -> Iterator[bytes]:
    while True:
        for item in queue.get():
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield item
