"""P7 to P9: drawing pictures: how fast beside libvips and sharp, how much memory, how little the pages notice."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from homecircle.files import Folder
from homecircle.vault.decoder import IDLE, Decoder
from tests.bench.ground import CACHE, SAMPLES, Figure, Form, median, memory, missing, pause, quantile, ratio
from tests.bench.houses import Client, Kept, Server, copied, house

PHOTO = SAMPLES / "lake-12mp.jpg"
VENV, NODE = CACHE / "yardsticks", CACHE / "sharp"
# Both read a file's name a line, make the same three pictures as the decoder, and say how many seconds it took.
VIPS = """
import sys, time, pyvips
def draw(data):
    large = pyvips.Image.thumbnail_buffer(data, 2016).copy_memory()
    middle = large.thumbnail_image(1080).copy_memory()
    small = middle.thumbnail_image(320)
    return (large.jpegsave_buffer(Q=80, keep="none"), middle.jpegsave_buffer(Q=80, keep="none"),
            small.webpsave_buffer(Q=80, effort=2, keep="none"))
print("ready", flush=True)
for name in sys.stdin:
    began = time.perf_counter(); draw(open(name.strip(), "rb").read()); print(time.perf_counter() - began, flush=True)
"""
SHARP = """
const sharp = require("sharp"), fs = require("fs");
const draw = async (data) => {
  const large = await sharp(data).rotate().resize(2016, 2016, {fit: "inside"}).raw()
    .toBuffer({resolveWithObject: true});
  const raw = {raw: {width: large.info.width, height: large.info.height, channels: large.info.channels}};
  const middle = await sharp(large.data, raw).resize(1080, 1080, {fit: "inside"}).raw()
    .toBuffer({resolveWithObject: true});
  const half = {raw: {width: middle.info.width, height: middle.info.height, channels: middle.info.channels}};
  await sharp(large.data, raw).jpeg({quality: 80}).toBuffer();
  await sharp(middle.data, half).jpeg({quality: 80}).toBuffer();
  await sharp(middle.data, half).resize(320, 320, {fit: "inside"}).webp({quality: 80, effort: 2}).toBuffer();
};
console.log("ready");
require("readline").createInterface({input: process.stdin}).on("line", async (name) => {
  const began = process.hrtime.bigint(); await draw(fs.readFileSync(name.trim()));
  console.log(Number(process.hrtime.bigint() - began) / 1e9); });
"""


def install_yardsticks() -> None:
    """Fetch pyvips and sharp from their registries into tests/.cache."""
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    subprocess.run([str(VENV / "bin/pip"), "install", "--quiet", "pyvips[binary]"], check=True)
    NODE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "sharp"], cwd=NODE, check=True)


class _Yardstick:
    """Another library in a process of its own, asked one picture at a time."""

    def __init__(self, command: list[str], where: Path) -> None:
        self.process = subprocess.Popen(command, cwd=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)  # fmt: skip
        assert self.process.stdout and self.process.stdout.readline().strip() == "ready", command[0]

    def draw(self) -> float:
        assert self.process.stdin and self.process.stdout
        print(PHOTO, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


def _yardsticks() -> dict[str, _Yardstick | str]:
    """Each by name, or why it is not there."""
    found: dict[str, _Yardstick | str] = {}
    node = shutil.which("node")
    commands = {
        "libvips (pyvips)": ([str(VENV / "bin/python"), "-c", VIPS], VENV, (VENV / "bin/python").exists()),
        "sharp": ([str(node), "-e", SHARP], NODE, bool(node) and (NODE / "node_modules/sharp").exists()),
    }
    for name, (command, where, is_there) in commands.items():
        try:
            found[name] = _Yardstick(command, where) if is_there else "not installed: --yardsticks"
        except (AssertionError, OSError) as error:
            found[name] = f"does not start: {error}"
    return found


def p7(form: Form) -> list[Figure]:
    """A 12-megapixel JPEG to 2016, 1080 and 320 pixels by the decoder (with its pipes and blur) and by others."""
    decoder, others, figures = Decoder(), _yardsticks(), []

    def ours() -> float:
        began = time.perf_counter()
        decoder.draw(PHOTO)
        return time.perf_counter() - began

    ours()
    running = {name: each for name, each in others.items() if isinstance(each, _Yardstick)}
    for each in running.values():
        each.draw()
    took: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(form.pick(9, 25)):
        took.append(ours())
        for name, each in running.items():
            theirs[name].append(each.draw())
    for name, limit in (("libvips (pyvips)", 0.85), ("sharp", 0.7)):
        if name in theirs:
            note = f"{median(took) * 1000:.0f} ms against {median(theirs[name]) * 1000:.0f} ms"
            figures.append(Figure("P7", f"12 MP JPEG in three sizes against {name}", ratio(took, theirs[name]), "x",
                                  limit,
                                  note=note))  # fmt: skip
        else:
            figures.append(missing("P7", f"12 MP JPEG in three sizes against {name}", str(others[name])))
    for each in running.values():
        each.close()
    decoder.close()
    return figures


def p8(form: Form) -> list[Figure]:
    """How much the child grows over its idle size at its peak (VmHWM), a fresh child for each picture; then nothing."""
    figures = []
    for what, path, limit in _large_pictures():
        peaks = [_peak(path) for _ in range(form.pick(1, 5))]
        figures.append(Figure("P8", f"decoder child, peak over idle: {what}", median(peaks), "MB", limit))
    decoder = Decoder(idle=1.0)
    decoder.draw(SAMPLES / "orientation-1.jpg")
    child = decoder._child
    pause(3.0)
    gone = child is not None and child.process.poll() is not None
    decoder.close()
    note = f"it ends itself when idle (after {IDLE:.0f} s; here after 1 s)"
    return [*figures, Figure("P8", "  children left when idle", float(not gone), "", 0, note=note)]


def _peak(path: Path) -> float:
    """MB: the child draws a tiny picture first, so that its libraries are loaded; what it then stands at is idle."""
    decoder = Decoder()
    try:
        decoder.draw(SAMPLES / "orientation-1.jpg")
        assert decoder._child is not None
        pid = decoder._child.process.pid
        idle = memory(pid)
        decoder.draw(path)
        return memory(pid, "VmHWM") - idle
    finally:
        decoder.close()


def _large_pictures() -> list[tuple[str, Path, float]]:
    """The 12-megapixel sample as it comes, and made larger or into HEIC (kept in tests/.cache)."""
    folder = CACHE / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    made = {"48mp.jpg": (8064, 6048), "12mp.heic": (4032, 3024), "48mp.heic": (8064, 6048)}
    for name, size in made.items():
        if not (folder / name).exists():
            import pillow_heif
            from PIL import Image

            pillow_heif.register_heif_opener()
            with Image.open(PHOTO) as picture:
                picture.resize(size).save(folder / name, quality=85)
    return [("12 MP JPEG", PHOTO, 45), ("48 MP JPEG", folder / "48mp.jpg", 45),
            ("12 MP HEIC", folder / "12mp.heic", 100), ("48 MP HEIC", folder / "48mp.heic", 400)]  # fmt: skip


def p9(form: Form) -> list[Figure]:
    """The slowest pages while the running house draws pictures without pause, against the same house at rest."""
    seconds, pictures = form.pick(3.0, 10.0), form.pick(60, 200)
    with copied(house(1000, 1000, 40)) as kept:
        _add_pending(kept, pictures)
        with Server(kept) as server:
            client = Client(server)
            quiet, busy = [], []
            for _ in range(5):
                _draw_again(kept, client)
                busy.append(quantile(_looked(client, seconds), 0.99))
                while_drawing = _pending(kept)
                _stop_drawing(kept)
                pause(1.0)
                quiet.append(quantile(_looked(client, seconds), 0.99))
    note = (
        f"p99 {median(busy) * 1000:.1f} ms against {median(quiet) * 1000:.1f} ms; {while_drawing} pictures still waited"
    )
    return [Figure("P9", "feed p99 while pictures are drawn, against quiet", ratio(busy, quiet), "x", 2, note=note)]


def _looked(client: Client, seconds: float) -> list[float]:
    end, took = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        took.append(client.timed("/"))
        pause(0.005)
    return took


def _add_pending(kept: Kept, count: int) -> None:
    """Originals of the 12-megapixel sample, each with bytes of its own behind the picture's end."""
    folder = Folder(kept.path)
    with sqlite3.connect(folder.database) as line:
        for number in range(count):
            data = PHOTO.read_bytes() + f"{number}".encode()
            path = folder.vault / f"bench-{number}.jpg"
            path.write_bytes(data)
            line.execute("INSERT INTO original (sha256, size, media_type, path, stamp, state, arrived_at) "
                         "VALUES (?, ?, 'image/jpeg', ?, ?, 'kept', 1)",
                         (hashlib.sha256(data).hexdigest(), len(data), f"vault/{path.name}",
                          f"bench{number}"))  # fmt: skip
    line.close()


def _draw_again(kept: Kept, client: Client) -> None:
    """All of them wait again; a tiny picture by the form wakes the one who draws."""
    _change(kept, "pending", "state <> 'pending'")
    from werkzeug.test import encode_multipart

    from tests.conftest import photo

    boundary, body = encode_multipart({"photos": photo("orientation-1.jpg"), "text": "", "once": str(time.time())})
    status = client.ask("POST", "/feed", body, Content_Type=f"multipart/form-data; boundary={boundary}")[0]
    assert status == 303, status


def _stop_drawing(kept: Kept) -> None:
    _change(kept, "kept", "state = 'pending'")


def _change(kept: Kept, state: str, which: str) -> None:
    line = sqlite3.connect(Folder(kept.path).database, timeout=10)
    with line:
        line.execute(f"UPDATE original SET state = ? WHERE stamp LIKE 'bench%' AND {which}", (state,))
    line.close()


def _pending(kept: Kept) -> int:
    line = sqlite3.connect(Folder(kept.path).database, timeout=10)
    found = line.execute("SELECT count(*) FROM original WHERE state = 'pending'").fetchone()[0]
    line.close()
    return int(found)
