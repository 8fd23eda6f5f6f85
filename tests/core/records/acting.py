"""Actors that live the life of a video one step at a time, each stopped before everything it does to the world.

The code is the real one, down to the HTTP call and the store. An actor may die at any step, as a killed process does:
from then on nothing it does has an effect.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import Queue
from typing import Any, Literal, TypeVar

from prefect_omnivideo.core.errors import OmniVideoError, RecordConflictError, StoreUnavailableError
from prefect_omnivideo.core.storage.base import JSON, ETag, ObjectStore

T = TypeVar("T")
Fate = Literal["done", "refused", "answer lost", "killed before", "killed after"]
"""What becomes of a step in the store."""
Place = Literal["store", "gateway", "end"]
PATIENCE = 60.0
"""Seconds for a step that takes microseconds: more means that the actors wait for each other."""


class Killed(BaseException):
    """SIGKILL, as far as one thread can have it."""


@dataclass
class Actor:
    """A process that makes a video."""

    place: Place = "store"
    """Where it stands now."""
    is_dead: bool = False
    claim: str | None = None
    awaits: str | None = None
    """The job whose end it waits for."""
    jobs: list[str] = field(default_factory=list[str])
    """What the gateway accepted from it."""
    answered: bool = False
    """Whether it was told so."""
    error: BaseException | None = None
    _places: Queue[Place] = field(default_factory=Queue[Place])
    _fates: Queue[str] = field(default_factory=Queue[str])

    def ask(self, place: Place) -> str:
        """Stop, and ask what becomes of the next step."""
        if self.is_dead:
            raise Killed
        self._places.put(place)
        fate = self._fates.get(timeout=PATIENCE)
        if fate == "killed before":
            self.is_dead = True
            raise Killed
        return fate

    def killed_after(self, fate: str) -> None:
        """Die, if that is the fate."""
        if fate == "killed after":
            self.is_dead = True
            raise Killed

    def go(self, fate: str) -> None:
        """Let it take one step, and wait until it stands before the next one."""
        self._fates.put(fate)
        self.wait()

    def wait(self) -> None:
        """Wait until it stands before a step, or has come to its end."""
        self.place = self._places.get(timeout=PATIENCE)

    def ended(self, task: asyncio.Task[None]) -> None:
        """Its life is over."""
        self.error = None if task.cancelled() else task.exception()
        self._places.put("end")


acting: ContextVar[Actor] = ContextVar("acting")
"""Who acts: every thread that works for an actor knows it."""


class Stage:
    """An event loop in a thread, on which actors live."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, actor: Actor, life: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Put an actor on the stage, before its first step."""

        def start() -> None:
            acting.set(actor)
            asyncio.get_running_loop().create_task(life()).add_done_callback(actor.ended)

        self.loop.call_soon_threadsafe(start)
        actor.wait()

    def close(self) -> None:
        """Stop the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


class Memory(ObjectStore):
    """A store in memory that keeps all promises, stops every actor at its door, and shows each change to `watch`."""

    def __init__(self, watch: Callable[[str, bytes | None, bytes], None]) -> None:
        self._objects: dict[str, bytes] = {}
        self._writes = 0
        self._etags: dict[str, ETag] = {}
        self._watch = watch

    def create(self, name: str, data: bytes, *, content_type: str = JSON) -> ETag:
        def work() -> ETag:
            if name in self._objects:
                raise RecordConflictError(name)
            return self._write(name, data)

        return self._step(work)

    def replace(self, name: str, data: bytes, etag: ETag, *, content_type: str = JSON) -> ETag:
        def work() -> ETag:
            if self._etags.get(name) != etag:
                raise RecordConflictError(name)
            return self._write(name, data)

        return self._step(work)

    def read(self, name: str) -> tuple[bytes, ETag] | None:
        return self._step(lambda: (self._objects[name], self._etags[name]) if name in self._objects else None)

    def names(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(name for name in self._objects if name.startswith(prefix)))

    def uri(self, name: str) -> str:
        return f"memory:{name}"

    def prove(self) -> None:
        """Proven by being written here."""

    def _write(self, name: str, data: bytes) -> ETag:
        self._watch(name, self._objects.get(name), data)
        self._writes += 1
        self._objects[name], self._etags[name] = data, str(self._writes)
        return self._etags[name]

    def _step(self, work: Callable[[], T]) -> T:
        actor = acting.get(None)
        if actor is None:  # a person, or the test itself
            return work()
        fate = actor.ask("store")
        if fate == "refused":
            raise StoreUnavailableError("the store is away")
        done = work()
        actor.killed_after(fate)
        if fate == "answer lost":
            raise StoreUnavailableError("the answer was lost")
        return done

    def put(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    write = copy = open = size = delete = link = clean = put


def is_expected(error: BaseException | None) -> bool:
    """Whether a life may end like this."""
    return error is None or isinstance(error, (OmniVideoError, Killed))


log = logging.getLogger("acting")
log.disabled = True
