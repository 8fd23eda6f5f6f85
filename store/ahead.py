"""Reading ahead in a thread, so that the network and the store work at the same time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread


@contextmanager
def ahead(pieces: Iterator[bytes], depth: int) -> Generator[Iterator[bytes]]:
    """Give the items of `pieces`, at most `depth` of them read ahead in a thread.

    Whatever `pieces` raises is raised from the iterator. Leaving the block ends the thread and waits for it: a reader
    that is stuck in the network holds this up until its own timeout.
    """
    queue: Queue[bytes | Exception | None] = Queue(depth)
    left = Event()

    def pump() -> None:
        try:
            for piece in pieces:
                queue.put(piece)
                if left.is_set():
                    return
            queue.put(None)
        except Exception as error:
            queue.put(error)

    thread = Thread(target=pump, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _until_end(queue)
    finally:
        left.set()
        try:
            while True:  # makes room for the one piece the thread may be holding
                queue.get_nowait()
        except Empty:
            thread.join()


def _until_end(queue: Queue[bytes | Exception | None]) -> Iterator[bytes]:
    while (item := queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item


def gathered(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of at least `size`. Whatever `pieces` raises is raised after what came before it."""
    held: list[bytes] = []
    missing = size
    broken: Exception | None = None
    try:
        for piece in pieces:
            held.append(piece)
            missing -= len(piece)
            if missing <= 0:
                yield b"".join(held)
                held, missing = [], size
    except Exception as error:
        broken = error
    if held:
        yield b"".join(held)
    if broken:
        raise broken
