"""The decoder child: real processes, real files, real limits."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from homecircle.vault import answers, cleaning, images
from homecircle.vault import decoder as module
from homecircle.vault.decoder import Busy, Closed, Decoder
from homecircle.vault.images import Undrawable
from tests.samples import make

SAMPLES = Path(__file__).parent / "samples"
DRAWABLE = sorted(
    path.name
    for path in SAMPLES.iterdir()
    if path.suffix in {".jpg", ".png", ".gif", ".webp", ".heic", ".avif"}
    and path.stem not in {"truncated", "text-named", "empty"}
)


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    one = Decoder()
    yield one
    one.close()


def children() -> set[int]:
    """Processes we started that are still there, zombies not counted."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == os.getpid() and state != "Z" and b"decoder.child" in command:
                found.add(int(folder.name))
    return found


def wait_until(happened: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.02)
    return True


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))


def reason(decoder: Decoder, path: Path) -> str:
    with pytest.raises(Undrawable) as refused:
        decoder.draw(path)
    return refused.value.reason


def test_draw_gives_what_images_draws(decoder: Decoder) -> None:
    for name in DRAWABLE:
        assert decoder.draw(SAMPLES / name) == images.draw((SAMPLES / name).read_bytes()), name
    assert len(DRAWABLE) > 20
    assert len(children()) == 1, "all by the same child"


def test_clean_gives_what_cleaning_cuts(decoder: Decoder) -> None:
    for name in ("lake-12mp.jpg", "phone.heic", "phone.avif", "turning.gif", "still.webp", "alpha.png"):
        out = io.BytesIO()
        length = decoder.clean(SAMPLES / name, out)
        assert out.getvalue() == cleaning.cleaned((SAMPLES / name).read_bytes()), name
        assert length == len(out.getvalue())
    with pytest.raises(Undrawable, match="cannot_clean"):
        decoder.clean(SAMPLES / "drawing.svg", io.BytesIO())


def test_refusals_come_through_and_the_child_goes_on(decoder: Decoder) -> None:
    decoder.draw(SAMPLES / "palette.png")
    pids = children()
    assert reason(decoder, SAMPLES / "text-named.jpg") == "not_a_picture"
    assert reason(decoder, SAMPLES / "empty.jpg") == "not_a_picture"
    assert reason(decoder, SAMPLES / "truncated.jpg") == "damaged"
    assert decoder.draw(SAMPLES / "palette.png").width == 240
    assert children() == pids


def test_child_can_open_neither_file_nor_socket_and_holds_nothing_of_the_house(decoder: Decoder) -> None:
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()}
    assert limits["Max open files"] == ["0", "0"]
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max address space"] == [str(768 << 20)] * 2
    assert limits["Max file size"] == [str(20 << 20)] * 2
    assert 15 <= int(limits["Max cpu time"][0]) <= 20
    assert status(pid, "NoNewPrivs") == "1"
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    held = {entry.name: entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir()}
    assert set(held) == {"0", "1", "2"}
    assert str(held["0"]).startswith("pipe:")
    assert str(held["1"]).startswith("pipe:")
    assert str(held["2"]) == "/dev/null"
    names = {entry.split(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry}
    assert names == {b"MALLOC_ARENA_MAX"}
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "_imaging" in maps
    assert "sqlite" not in maps
    assert "_ssl" not in maps


def test_processor_time_is_renewed_for_each_picture(decoder: Decoder) -> None:
    for _ in range(4):
        decoder.draw(SAMPLES / "lake-12mp.jpg")
    (pid,) = children()
    limit = Path(f"/proc/{pid}/limits").read_text().split("Max cpu time")[1].split()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    assert 14 <= int(limit) - used <= 17


def bombs(folder: Path) -> dict[Path, set[str]]:
    """Each with the reasons that are right for it."""
    huge = Image.new("RGB", (9000, 9000), "navy")
    made = {
        "bomb.png": (make.png_bomb(), {"too_large"}),
        "bomb.gif": (make.gif_bomb(), {"too_large"}),
        "bomb.jpg": (make.jpeg_bomb(), {"too_large"}),
        "bomb.heic": (make.heif_bomb((SAMPLES / "phone.heic").read_bytes()), {"too_large", "damaged"}),
        "bomb.avif": (make.heif_bomb((SAMPLES / "phone.avif").read_bytes()), {"too_large", "damaged"}),
        "slow.jpg": (make.encoded(huge, "JPEG", progressive=True), {"too_large"}),
        "large.webp": (make.encoded(huge, "WEBP", method=0), {"too_large"}),
        "words.png": (png_with_words(), {"too_large", "damaged"}),
    }
    for name, (data, _) in made.items():
        (folder / name).write_bytes(data)
    return {folder / name: right for name, (_, right) in made.items()}


def png_with_words() -> bytes:
    """A thousand compressed texts of a megabyte each."""
    import zlib

    words = make.png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 1_000_000, 9))
    data = make.encoded(Image.new("1", (8, 8)), "PNG")
    return data[:33] + words * 1000 + data[33:]


def test_bombs_stay_small_and_short(decoder: Decoder, tmp_path: Path) -> None:
    decoder.draw(SAMPLES / "palette.png")
    for path, right in bombs(tmp_path).items():
        begin = time.monotonic()
        assert reason(decoder, path) in right, path.name
        assert time.monotonic() - begin < 10, path.name
        assert all(int(status(pid, "VmHWM").split()[0]) < 512 << 10 for pid in children()), path.name
    assert decoder.draw(SAMPLES / "palette.png").width == 240


def test_file_over_the_limit_is_refused_unread(decoder: Decoder, tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as out:
        out.write(b"\xff\xd8\xff")
        out.truncate(module.INPUT_LIMIT + 1)
    assert reason(decoder, tmp_path / "huge.jpg") == "too_large"
    assert not children(), "for that nobody had to be started"


def test_next_picture_works_after_the_child_was_killed(decoder: Decoder) -> None:
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    assert decoder.draw(SAMPLES / "alpha.png").width == 240
    assert children() != {pid}


def test_killed_midway_is_tried_once_more(decoder: Decoder) -> None:
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decoder.draw, SAMPLES / "lake-12mp.jpg")
        assert not wait_until(waiting.done, 0.3), "it hangs in the middle"
        os.kill(pid, signal.SIGKILL)
        assert waiting.result(20).width == 4032


def test_picture_that_ends_a_fresh_child_is_undrawable(decoder: Decoder) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decoder.draw, SAMPLES / "lake-12mp.jpg")
        assert wait_until(lambda: bool(children()))
        os.kill(min(children()), signal.SIGKILL)
        with pytest.raises(Undrawable, match="crashed"):
            waiting.result(20)
    assert decoder.draw(SAMPLES / "palette.png").width == 240


def test_too_slow_is_ended_and_the_next_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)
    decoder = Decoder(patience=0.06)
    decoder.draw(SAMPLES / "palette.png")
    large = tmp_path / "large.png"
    Image.effect_noise((4900, 5000), 80).save(large, compress_level=0)
    assert reason(decoder, large) == "too_slow"
    assert not children()
    assert decoder.draw(SAMPLES / "palette.png").width == 240
    decoder.close()


def test_a_picture_that_had_no_turn_is_not_called_too_slow() -> None:
    decoder = Decoder(busy=1.0)
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)  # a machine that has no time for it
    with pytest.raises(Busy):
        decoder.draw(SAMPLES / "lake-12mp.jpg")
    assert not children()
    assert decoder.draw(SAMPLES / "palette.png").width == 240
    decoder.close()


def test_waiting_for_a_turn_longer_than_the_patience_loses_no_picture() -> None:
    decoder = Decoder(patience=0.5)
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decoder.draw, SAMPLES / "palette.png")
        assert not wait_until(waiting.done, 1.2)
        os.kill(pid, signal.SIGCONT)
        assert waiting.result(10).width == 240
    decoder.close()


def test_a_page_waits_for_no_turn_for_ever_and_a_picture_to_be_drawn_does() -> None:
    decoder = Decoder(busy=0.5)
    with ThreadPoolExecutor(2) as pool, io.BytesIO() as out:
        with decoder._in_turn(-1):
            drawn = pool.submit(decoder.draw, SAMPLES / "palette.png")
            refused = pool.submit(decoder.clean, SAMPLES / "palette.png", out).exception(10)
            still_waiting = not drawn.done()
        assert isinstance(refused, Busy) and still_waiting
        assert drawn.result(10).width == 240
    decoder.close()


def test_a_child_that_drips_is_not_waited_for_for_ever() -> None:
    child = module._Child(1.0, 10.0, 0.3)
    reader, writer = os.pipe()
    child._from.close()
    child._from = os.fdopen(reader, "rb", 0)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            os.write(writer, b".")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(Busy):
            child._read(10_000)
    finally:
        stop.set()
        thread.join()
        os.close(writer)
        child.end()
        child.shut()


def test_close_ends_a_picture_in_the_middle(decoder: Decoder) -> None:
    decoder.draw(SAMPLES / "palette.png")
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(decoder.draw, SAMPLES / "lake-12mp.jpg")
        assert not wait_until(waiting.done, 0.2)
        decoder.close()
        with pytest.raises(Closed):
            waiting.result(5)
    assert not children()
    with pytest.raises(Closed):
        decoder.draw(SAMPLES / "palette.png")


def test_idle_child_ends_by_itself_and_comes_back() -> None:
    decoder = Decoder(idle=0.2)
    decoder.draw(SAMPLES / "palette.png")
    assert wait_until(lambda: not children(), 5)
    assert decoder.draw(SAMPLES / "palette.png").width == 240
    decoder.close()
    assert not children()


def test_child_is_replaced_after_some_pictures(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURES_PER_CHILD", 2)
    seen = []
    for _ in range(4):
        decoder.draw(SAMPLES / "palette.png")
        seen += children()
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_child_ends_with_its_parent() -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom homecircle.vault.decoder import Decoder\n"
        f"decoder = Decoder()\ndecoder.draw(Path({str(SAMPLES / 'palette.png')!r}))\n"
        "print(decoder._child.process.pid, flush=True)\nos._exit(9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=SAMPLES.parents[1], check=False
    )
    assert done.returncode == 9, done.stderr
    assert wait_until(lambda: not Path(f"/proc/{done.stdout.strip()}").exists(), 5)


def test_threads_take_turns(decoder: Decoder) -> None:
    names = ["palette.png", "alpha.png", "cmyk.jpg", "turning.gif"] * 5
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda name: decoder.draw(SAMPLES / name), names))
    assert drawn[:4] * 5 == drawn
    assert len(children()) == 1


def test_a_full_disk_leaves_no_half_answer_behind(decoder: Decoder) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        decoder.clean(SAMPLES / "lake-12mp.jpg", Full())
    assert decoder.draw(SAMPLES / "palette.png").width == 240


def told() -> tuple[dict[str, Any], bytes]:
    """What an honest child says."""
    words, parts = module._done(b"d", (SAMPLES / "harbour.jpg").read_bytes())
    return json.loads(json.dumps(words)), b"".join(parts)


def test_honest_words_are_believed() -> None:
    words, body = told()
    assert asdict(answers.picture(words, body)) == asdict(images.draw((SAMPLES / "harbour.jpg").read_bytes()))


@pytest.mark.parametrize(
    "lie",
    [
        {"width": 0},
        {"width": True},
        {"width": "1600"},
        {"height": 10**9},
        {"width": 300, "height": 200},
        {"media_type": "text/html"},
        {"media_type": ["image/jpeg"]},
        {"taken": "2026-07-03T20:41:05\n"},
        {"taken": 5},
        {"offset": "<script>"},
        {"camera": "x" * 81},
        {"camera": "a\nb"},
        {"has_place": 1},
        {"preview": 241},
        {"preview": -1},
        {"drawings": []},
        {"drawings": [{}]},
        {"drawings": None},
        {"more": 1},
    ],
)
def test_a_lying_child_is_not_believed(lie: dict[str, Any]) -> None:
    words, body = told()
    with pytest.raises(answers.Died):
        answers.picture(words | lie, body)


@pytest.mark.parametrize(
    "lie",
    [
        {"edge": 4000},
        {"media_type": "image/svg+xml"},
        {"width": 5000},
        {"data": 10**12},
        {"data": 7},
        {"data": -1},
        {"x": 1},
    ],
)
def test_a_lie_about_a_drawing_is_not_believed(lie: dict[str, Any]) -> None:
    words, body = told()
    words["drawings"][0] |= lie
    with pytest.raises(answers.Died):
        answers.picture(words, body)


def test_bytes_that_are_no_picture_are_not_believed() -> None:
    words, body = told()
    with pytest.raises(answers.Died):
        answers.picture(words, b"<html>" + body[6:])
    with pytest.raises(answers.Died):
        answers.picture(words, body[: words["preview"]] + b"<html>" + body[words["preview"] + 6 :])
    with pytest.raises(answers.Died):
        answers.picture(words, body + b"more")
