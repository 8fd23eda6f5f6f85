"""Images, videos and audio, recognised by their first bytes, whatever their names say."""

from __future__ import annotations

from prefect_omnivideo.core.media import containers
from prefect_omnivideo.core.media.containers import HEAD, Container

__all__ = ["HEAD", "recognise"]

# Own tables: filetype 1.2.0 takes texts that begin with GIF, BM or M4A for media, and misses MP3 frames and HEIF brands
# listed here; puremagic 1.30 gives several equal answers for HEIC, AVIF and M4A, video/mp4 first.
_BEGINNINGS: tuple[tuple[bytes, Container], ...] = (
    (b"\xff\xd8\xff", Container("image/jpeg", ".jpg")),
    (b"\x89PNG\r\n\x1a\n", Container("image/png", ".png")),
    (b"GIF8", Container("image/gif", ".gif")),
    (b"II*\0", Container("image/tiff", ".tiff")),
    (b"MM\0*", Container("image/tiff", ".tiff")),
    (b"fLaC", Container("audio/flac", ".flac")),
    (b"ID3", Container("audio/mpeg", ".mp3")),
    *((bytes((0xFF, second)), Container("audio/mpeg", ".mp3")) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2)),
    *((bytes((0xFF, second)), Container("audio/aac", ".aac")) for second in (0xF0, 0xF1, 0xF8, 0xF9)),
)
_RIFF = {b"WEBP": Container("image/webp", ".webp"), b"WAVE": Container("audio/wav", ".wav")}
_BRANDS = {
    b"avif": Container("image/avif", ".avif"),
    b"avis": Container("image/avif", ".avif"),
    b"heic": Container("image/heic", ".heic"),
    b"heix": Container("image/heic", ".heic"),
    b"mif1": Container("image/heif", ".heif"),
    b"M4A ": Container("audio/mp4", ".m4a"),
    b"M4B ": Container("audio/mp4", ".m4a"),
}
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def recognise(head: bytes) -> Container | None:
    """Content type and ending of the file that begins with `head`, or None if unknown."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    # Many texts begin with the same two letters.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Container("image/bmp", ".bmp")
    if video := containers.recognise(head):
        return video
    return Container("audio/ogg", ".ogg") if head.startswith(b"OggS") else None
