"""Downloads one finished video, over several connections if needed.

A broken connection is resumed where it broke (Range with If-Range), or started over if the server does not
support that. Everything is checked on the fly: size, length, container, and for MP4 that the file is complete.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import stamina

from prefect_omnivideo.core.answers.refusal import retry_after
from prefect_omnivideo.core.errors import LinkExpiredError, NotAVideoError, TransferError
from prefect_omnivideo.core.gateways.specification import Answer
from prefect_omnivideo.core.media.containers import HEAD, MP4, QUICKTIME, Boxes, Container, recognise
from prefect_omnivideo.core.redaction import HIDDEN, redact
from prefect_omnivideo.core.transfer.fetch import Source, fetch
from prefect_omnivideo.core.transfer.url_policy import safe_url

LONGEST_DELAY = 120.0
"""Seconds; a longer `Retry-After` is cut to this."""
ENOUGH = 8 * 1024 * 1024
"""Bytes after which a resumed connection that breaks again does not count as a failed attempt."""


SLOWEST = 8 * 1024
"""Bytes per second; a connection that is slower over a whole `SLOW_WINDOW` is closed and resumed."""
SLOW_WINDOW = 60.0
"""Seconds."""
LONGEST = 3600.0
"""Seconds that all connections of one download may take together."""
_BASE64_PIECE = 1024 * 1024
_URL_SAFE = str.maketrans("-_", "+/")


class InterruptedTransferError(TransferError):
    """The download broke off or could not start; another attempt may succeed.

    Attributes:
        retry_after: seconds the server asks to wait, or None if it does not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Download:
    """One download: `pieces()` yields its bytes, and the attributes describe those so far.

    Attributes:
        size: bytes yielded so far.
        is_complete: whether all bytes were yielded and checked.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_bytes: int,
        timeout: float,
        attempts: int,
        delay: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._ends_at = now() + LONGEST
        self._source = source
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._attempts = attempts
        self._delay = delay
        self.is_complete = False
        self.size = 0
        self._text = ""
        self._total: int | None = None
        self._validator = ""
        self._start_over()

    @property
    def sha256(self) -> str:
        """Hash of the bytes yielded so far, in hexadecimal digits."""
        return self._sha256.hexdigest()

    def pieces(self) -> Generator[Container | bytes]:
        """First the container, then the bytes. A later container means: discard everything, it starts over.

        Raises:
            TransferError: and its subclasses, see `transfer`.
        """
        if self._source.is_inline:
            yield from self._inline()
            return
        try:
            while not self.is_complete:
                for attempt in stamina.retry_context(
                    on=_delay,
                    attempts=self._attempts,
                    timeout=None,
                    wait_initial=self._delay,
                    wait_max=8 * self._delay,
                    wait_jitter=self._delay / 5,
                ):
                    with attempt:
                        if self._now() > self._ends_at:
                            raise TransferError(f"{self._place}: not downloaded within {LONGEST:.0f} s; given up")
                        self.is_complete = yield from self._connection()
        except InterruptedTransferError as error:
            raise TransferError(f"{error}; given up after {self._attempts} attempts") from error

    def _inline(self) -> Generator[Container | bytes]:
        """The file in a `data:` link, decoded piece by piece."""
        text = self._source.url.partition(",")[2]
        try:
            for start in range(0, len(text), _BASE64_PIECE):
                self._text += re.sub(r"\s", "", text[start : start + _BASE64_PIECE]).translate(_URL_SAFE)
                whole = len(self._text) // 4 * 4
                piece = base64.b64decode(self._text[:whole])
                self._text = self._text[whole:]
                yield from self._take(piece)
            yield from self._take(base64.b64decode(self._text + "=" * (-len(self._text) % 4)))
        except binascii.Error as error:
            raise NotAVideoError(f"the answer's content is not base64: {error}") from None
        yield from self._finish()
        self.is_complete = True

    def _connection(self) -> Generator[Container | bytes, None, bool]:
        """The bytes of one connection. Returns whether that was the rest of the file."""
        with self._open() as response:
            began_at = self._begin(response)
            try:
                # No read-ahead thread: it gained 0 to 13 % on 100 MB into SeaweedFS with slow requests,
                # and cost 8 MiB more per transfer.
                for piece in self._paced(response.iter_raw()):
                    yield from self._take(piece)
                if self._total is not None and self.size != self._total:
                    raise httpx.RemoteProtocolError("part of the requested range")
            except httpx.TransportError as error:
                if began_at and self.size - began_at >= ENOUGH:
                    return False
                of = f" of {self._total}" if self._total is not None else ""
                raise self._interrupted(f"broke off after {self.size}{of} bytes", error) from error
        yield from self._finish()
        return True

    @contextmanager
    def _open(self) -> Generator[httpx.Response]:
        """The response with the bytes: all of them, or those that are still missing."""
        headers = {"Accept-Encoding": "identity"}
        if not self._validator:  # without it the rest may belong to another file
            self._start_over()
        if self.size:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._validator}
        with ExitStack() as stack:
            try:
                fetched = stack.enter_context(fetch(self._source, headers, self._timeout))
                self._check_status(*fetched)
            except (httpx.TransportError, OSError) as error:
                raise self._interrupted("could not be reached", error) from error
            yield fetched.response

    def _check_status(self, response: httpx.Response, url: str, with_key: bool) -> None:
        status = response.status_code
        if status == 200 or (status == 206 and self.size):
            return
        if status == 416 and self.size:
            self._start_over()
            raise InterruptedTransferError(f"{safe_url(url)}: cannot be resumed")
        said = f"{safe_url(url)}: answered {status}"
        if status == 401 and with_key:
            raise TransferError(f"{said}: the API key of {safe_url(self._source.base_url)} is not accepted")
        if status in (403, 404, 410) or (400 <= status < 500 and self._source.has_expired):
            raise LinkExpiredError(f"{said}: the link is no longer valid; polling the job again gives a new one")
        if status in (202, 408, 425, 429) or status >= 500:
            pause = retry_after(Answer(status, response.headers, None))
            raise InterruptedTransferError(said, retry_after=pause)
        raise TransferError(f"{said}: {self._quote(next(response.iter_raw(), b''))}")

    def _begin(self, response: httpx.Response) -> int:
        """Prepare for the bytes of a response. Returns the position of the first, and starts over if that is 0."""
        etag = response.headers.get("etag", "")
        if response.status_code == 206:
            part = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
            if (
                part is None
                or int(part[1]) != self.size
                or (self._total is not None and part[2] not in ("*", str(self._total)))
                or (etag and self._validator.startswith('"') and etag != self._validator)
            ):
                self._start_over()
                raise InterruptedTransferError(f"{self._place}: was resumed with other content")
            return self.size
        self._start_over()
        length = response.headers.get("content-length", "")
        self._total = int(length) if length.isdecimal() else None
        if self._total is not None and self._total > self._max_bytes:
            raise self._too_large()
        # A weak ETag must not go into If-Range (RFC 9110, 13.1.5).
        self._validator = etag if etag.startswith('"') else response.headers.get("last-modified", "")
        return 0

    def _start_over(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._boxes = Boxes()
        self._container: Container | None = None
        self._head = b""
        self._total = None
        self._validator = ""

    def _paced(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Closes a connection that is too slow. Time spent in the store does not count."""
        waited, brought, asked_at = 0.0, 0, self._now()
        for piece in pieces:
            waited, brought = waited + self._now() - asked_at, brought + len(piece)
            yield piece
            if waited >= SLOW_WINDOW:
                if brought < SLOWEST * waited:
                    raise httpx.ReadTimeout(f"slower than {SLOWEST} bytes a second")
                waited, brought = 0.0, 0
            asked_at = self._now()

    def _take(self, piece: bytes) -> Iterator[Container | bytes]:
        self._sha256.update(piece)
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise self._too_large()
        self._boxes.feed(piece)
        if self._container is not None:
            yield piece
            return
        self._head += piece
        if len(self._head) >= HEAD:
            yield from self._recognise()

    def _recognise(self) -> Iterator[Container | bytes]:
        self._container = recognise(self._head)
        if self._container is None:
            kind = LinkExpiredError if self._source.has_expired else NotAVideoError
            raise kind(f"{self._place}: not a video but {self._quote(self._head)}")
        yield self._container
        yield self._head
        self._head = b""

    def _finish(self) -> Iterator[Container | bytes]:
        """At the end of the data: check that the file is complete."""
        if self._container is None:
            yield from self._recognise()
        if self._container in (MP4, QUICKTIME):
            problem = self._boxes.problem(length_known=self._total is not None)
            if problem is not None:
                self._start_over()
                raise InterruptedTransferError(f"{self._place}: the file is cut off: {problem}")

    @property
    def _place(self) -> str:
        return "the answer itself" if self._source.is_inline else safe_url(self._source.url)

    def _interrupted(self, what: str, error: Exception) -> InterruptedTransferError:
        return InterruptedTransferError(f"{self._place}: {what} ({type(error).__name__})")

    def _too_large(self) -> TransferError:
        return TransferError(
            f"{self._place}: larger than the limit of {self._max_bytes} bytes; raise `max_video_bytes` of the store if "
            "it should be"
        )

    def _quote(self, body: bytes) -> str:
        """The beginning of a response for an error message, without anything that may be secret."""
        text = " ".join(body[:HEAD].decode("utf-8", "replace").split())
        text = "".join(char for char in text if char.isprintable())
        text = redact(text, self._source.key.get_secret_value() if self._source.key else "")
        text = re.sub(r"[\w+/=.-]{24,}", HIDDEN, text)  # too long for a word
        return repr(text[:200]) if text else "an empty answer"


def _delay(error: Exception) -> bool | float:
    """Whether to try again; as a number: after how many seconds."""
    if not isinstance(error, InterruptedTransferError):
        return False
    return True if error.retry_after is None else min(error.retry_after, LONGEST_DELAY)
