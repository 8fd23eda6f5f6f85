"""Video containers, recognised by their first bytes, and whether an MP4 is complete."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 4096
"""Bytes `recognise` needs, if there are that many."""


class Container(NamedTuple):
    """A kind of video file: `ending` begins with a dot."""

    content_type: str
    ending: str


MP4 = Container("video/mp4", ".mp4")
QUICKTIME = Container("video/quicktime", ".mov")
WEBM = Container("video/webm", ".webm")
MATROSKA = Container("video/x-matroska", ".mkv")
MPEG_TS = Container("video/mp2t", ".ts")
AVI = Container("video/x-msvideo", ".avi")

MPEG_PS = Container("video/mpeg", ".mpg")
FLASH = Container("video/x-flv", ".flv")
OGG = Container("video/ogg", ".ogv")
ASF = Container("video/x-ms-asf", ".asf")

_BEGINNINGS = {
    b"FLV\x01": FLASH,
    b"\0\0\x01\xba": MPEG_PS,
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c": ASF,
}
_PICTURES_IN_OGG = (b"\x80theora", b"OVP80")  # without them it is audio
_PACKET = 188  # bytes of an MPEG-TS packet, each of which begins with 0x47
_FRAGMENTS = frozenset({b"styp", b"moof", b"sidx"})  # of MP4 alone
_QUICKTIME = frozenset({b"moov", b"mdat", b"wide"})  # of QuickTime before `ftyp` existed
_BEFORE = frozenset({b"free", b"skip", b"uuid", b"pnot"})  # may precede the telling box


def recognise(head: bytes) -> Container | None:
    """The container that begins with `head`, or None if it is not a video."""
    for beginning, container in _BEGINNINGS.items():
        if head.startswith(beginning):
            return container
    if head.startswith(b"\x1a\x45\xdf\xa3"):  # EBML; the document type is in its header
        return WEBM if b"webm" in head[:64] else MATROSKA
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return AVI
    if head[:4] == b"OggS" and any(codec in head for codec in _PICTURES_IN_OGG):
        return OGG
    if len(head) > 2 * _PACKET and all(head[at] == 0x47 for at in (0, _PACKET, 2 * _PACKET)):
        return MPEG_TS
    return _by_boxes(head)


def _by_boxes(head: bytes) -> Container | None:
    """MP4 or QuickTime, by the first box that distinguishes them."""
    at, found = 0, None
    while True:
        size, kind = int.from_bytes(head[at : at + 4]), head[at + 4 : at + 8]
        if kind == b"ftyp":
            return QUICKTIME if head[at + 8 : at + 12] == b"qt  " else MP4
        if kind in _FRAGMENTS:
            return MP4
        if kind in _QUICKTIME:
            return QUICKTIME
        # A text may have such a word at its fifth letter; its first four make an impossibly large size.
        if kind not in _BEFORE or not 8 <= size < 1 << 24:
            return found
        at, found = at + size, QUICKTIME


class Boxes:
    """Walks the top-level boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2) as its bytes pass.

    They must end exactly where the file ends, and one of them must be the index, `moov`. A fragmented file cut exactly
    between two fragments still looks complete.
    """

    def __init__(self) -> None:
        self._header = b""
        self._kind = ""
        self._missing = 0  # bytes of the current box still missing
        self._has_index = False
        self._lost = False  # the rest cannot be walked: a box up to the end of the file, or not a box
        self._stray = False

    def feed(self, piece: bytes) -> None:
        """Process the next bytes of the file."""
        at = 0
        while at < len(piece) and not self._lost:
            if self._missing:
                step = min(self._missing, len(piece) - at)
                self._missing -= step
            else:
                wanted = 16 if self._header[:4] == b"\0\0\0\1" else 8
                step = min(wanted - len(self._header), len(piece) - at)
                self._header += piece[at : at + step]
                self._read_header()
            at += step

    def problem(self, *, length_known: bool) -> str | None:
        """What is missing at the end of the file, or None.

        With `length_known` every byte has arrived, so stray bytes after the last box are the file's own.
        """
        if self._missing:
            return f"it ends {self._missing} bytes before its {self._kind!r} box does"
        if not self._has_index:
            return "it ends without an index ('moov')"
        if (self._header or self._stray) and not length_known:
            return "it ends inside a box header"
        return None

    def _read_header(self) -> None:
        header = self._header
        if len(header) < 8 or (header[:4] == b"\0\0\0\1" and len(header) < 16):
            return
        size = int.from_bytes(header[:4]) if len(header) == 8 else int.from_bytes(header[8:16])
        self._kind = header[4:8].decode("latin-1")
        self._header = b""
        if size == 0:
            self._lost = True
        elif size < len(header):
            self._lost = self._stray = True
            return
        self._missing = max(0, size - len(header))
        self._has_index |= self._kind == "moov"
