"""Makes the three clips of this folder with FFmpeg 5: `python tests/samples/make_films.py`. The tests need no FFmpeg.

A test pattern and a tone, so that nobody is named and no third party's work is in them.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PLACE, OWNER, COMMENT, SERIAL = "+47.3770+008.5415/", "Ada Owner Lovelace", "film-comment-of-ada", "HC-SERIAL-4711"
SOURCE = "-f lavfi -i testsrc2=size=192x108:rate=12:duration=2 -f lavfi -i sine=frequency=440:duration=2"
H264 = "-c:v libx264 -pix_fmt yuv420p -preset slow -crf 34 -c:a aac -b:a 24k"
VP9 = "-c:v libvpx-vp9 -pix_fmt yuv420p -crf 45 -b:v 0 -c:a libopus -b:a 24k"
WHEN = {"creation_time": "2026-07-03T18:41:05Z"}
APPLE = {
    "location.ISO6709": PLACE,
    "make": "HomeCircle",
    "creationdate": "2026-07-03T20:41:05+0200",
    "author": OWNER,
    "content.identifier": SERIAL,
}


def ffmpeg(source: str, options: str, words: dict[str, str], name: str) -> None:
    told = [part for key, value in words.items() for part in ("-metadata", f"{key}={value}")]
    command = ["ffmpeg", "-v", "error", "-y", *source.split(), *options.split(), *told, str(HERE / name)]
    subprocess.run(command, check=True)


def with_place(data: bytes) -> bytes:
    """As Android writes it: (c)xyz at the end of udta, at the end of moov, at the end of the file."""
    words = struct.pack(">HH", len(PLACE), 0x15C7) + PLACE.encode()
    box = struct.pack(">I4s", len(words) + 8, b"\xa9xyz") + words
    out = bytearray(data + box)
    for name in (b"moov", b"udta"):
        at = data.rindex(name) - 4
        struct.pack_into(">I", out, at, struct.unpack_from(">I", data, at)[0] + len(box))
    return bytes(out)


def main() -> None:
    told = {**WHEN, "location": PLACE, "comment": COMMENT, "artist": OWNER}
    ffmpeg(SOURCE, H264, told, "flat.mp4")
    ffmpeg(f"-i {HERE / 'flat.mp4'}", "-c copy -metadata:s:v:0 rotate=90", told, "turned.mp4")
    (HERE / "flat.mp4").unlink()
    (HERE / "turned.mp4").write_bytes(with_place((HERE / "turned.mp4").read_bytes()))
    apple = WHEN | {f"com.apple.quicktime.{key}": value for key, value in APPLE.items()}
    ffmpeg(SOURCE, f"{H264} -movflags use_metadata_tags", apple, "apple.mov")
    ffmpeg(SOURCE, VP9, told, "small.webm")


if __name__ == "__main__":
    main()
