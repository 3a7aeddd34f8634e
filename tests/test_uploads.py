"""Uploads without HTTP: room before bytes, hashes carried over pieces and restarts."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from homecircle import db, feed, trash, vault
from homecircle.errors import NoSpace, NotFound, TooLarge
from homecircle.files import Folder
from homecircle.vault import digests, renditions, uploads
from homecircle.vault.decoder import Busy, Decoder
from homecircle.vault.images import Picture
from homecircle.vault.videos import Film
from tests.conftest import SAMPLES, Family

FILM = b"\0\0\0\x18ftypisom\0\0\x02\0isommp42"


def _film(size: int) -> bytes:
    return FILM + random.Random(size).randbytes(size - len(FILM))


def _begin(folder: Folder, family: Family, size: int, quota: int = 0) -> uploads.Upload:
    return uploads.begin(folder, (family.ada.id, 1), size, {"filename": "film.mp4"}, quota)


def _take(folder: Folder, upload: uploads.Upload, data: bytes, offset: int) -> vault.Item | None:
    return uploads.take(folder, upload, uploads.Piece(offset, iter([data])))


def _hash_of(item: vault.Item | None) -> str:
    assert item is not None
    return str(vault.Original.get_by_id(item.original_id).sha256)


def test_a_member_has_as_much_as_was_set(folder: Folder, family: Family) -> None:
    with (SAMPLES / "cake.jpg").open("rb") as stream:
        spooled = folder.take(stream)
    kept = vault.Original.get_by_id(vault.keep(folder, spooled, "cake.jpg", family.ada.id).original_id).size
    _begin(folder, family, 1000, kept + 1500)
    with pytest.raises(TooLarge):
        _begin(folder, family, 501, kept + 1500)  # what is on its way counts
    assert _begin(folder, family, 500, kept + 1500).size == 500
    assert uploads.begin(folder, (family.ben.id, 2), 501, {}, 1500).size == 501


def test_what_is_still_to_come_needs_its_room(folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    free = (3 << 30) + 100
    monkeypatch.setattr(Folder, "free", lambda _: free)
    monkeypatch.setattr(Folder, "total", lambda _: free)
    _begin(folder, family, 2 << 30)
    with pytest.raises(NoSpace):
        _begin(folder, family, 200)
    assert _begin(folder, family, 100).size == 100


def test_the_hash_is_carried_along(folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _film(5000)
    made = _begin(folder, family, len(data))
    _take(folder, made, data[:2000], 0)

    def cut() -> Iterator[bytes]:
        yield data[2000:3000]
        raise OSError("the line was cut")

    with pytest.raises(OSError, match="cut"):
        uploads.take(folder, made, uploads.Piece(2000, cut()))
    monkeypatch.setattr(uploads, "AT_LAST", -1)  # nothing may be read again
    monkeypatch.setattr(digests, "catch_up", lambda name, *_: digests.get(name))
    with monkeypatch.context() as patient:
        patient.setattr(uploads, "AT_LAST", 0)
        item = _take(folder, made, data[2000:], 2000)
    assert _hash_of(item) == hashlib.sha256(data).hexdigest()


def test_after_a_restart_the_last_piece_does_not_wait(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _film(5000)
    made = _begin(folder, family, len(data))
    _take(folder, made, data[:3000], 0)
    digests.forget(made.id)  # what a restart does
    monkeypatch.setattr(uploads, "AT_LAST", 1000)
    assert _take(folder, made, data[3000:], 3000) is None
    fresh = uploads.get(made.id, family.ada.id)
    assert fresh.is_complete
    assert uploads.is_behind(fresh)
    assert uploads.item_of(fresh) == ""
    assert uploads.catch_up(folder)
    fresh = uploads.get(made.id, family.ada.id)
    assert _hash_of(vault.Item.get_by_id(fresh.item_id)) == hashlib.sha256(data).hexdigest()
    assert not uploads.catch_up(folder)


def test_after_a_restart_it_is_hashed_while_pieces_come(folder: Folder, family: Family) -> None:
    data = _film(9000)
    made = _begin(folder, family, len(data))
    _take(folder, made, data[:3000], 0)
    digests.forget(made.id)
    _take(folder, made, data[3000:5000], 3000)
    assert digests.get(made.id).upto == 0
    assert not uploads.catch_up(folder)
    assert digests.get(made.id).upto == 5000
    assert _hash_of(_take(folder, made, data[5000:], 5000)) == hashlib.sha256(data).hexdigest()


def test_what_was_here_whole_stays_however_long_the_house_was_off(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _film(5000)
    whole, part, lost = (_begin(folder, family, len(data)) for _ in range(3))
    monkeypatch.setattr(uploads, "AT_LAST", 0)
    for made in (whole, lost):
        assert _take(folder, made, data[:-1], 0) is None
        digests.forget(made.id)
        assert _take(folder, made, data[-1:], len(data) - 1) is None
    _take(folder, part, data[:2000], 0)
    (folder.uploads / lost.id).unlink()
    now = db.now()
    monkeypatch.setattr(db, "now", lambda: now + dt.timedelta(days=3))  # a weekend without power
    assert uploads.sweep(folder) == 2
    assert uploads.catch_up(folder)
    (item,) = vault.Item.select()
    assert _hash_of(item) == hashlib.sha256(data).hexdigest()
    with pytest.raises(NotFound):
        uploads.get(part.id, family.ada.id)
    assert uploads.sweep(folder) == 1 and not list(folder.uploads.iterdir())


def test_a_film_gets_its_poster_though_the_house_went_down_between_the_two(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(uploads, "_hang", lambda folder, upload: None)
        data = (SAMPLES / "small.webm").read_bytes()
        made = _begin(folder, family, len(data))
        uploads.give_poster(folder, made, (SAMPLES / "garden.jpg").read_bytes())
        film = _take(folder, made, data, 0)
    assert film is not None and vault.Original.get_by_id(film.original_id).poster_id is None
    now = db.now()
    monkeypatch.setattr(db, "now", lambda: now + dt.timedelta(days=2))
    uploads.sweep(folder)
    assert vault.Original.get_by_id(film.original_id).poster_id is not None


def test_an_original_that_was_lost_gets_its_bytes_back_when_they_come_again(
    folder: Folder, family: Family, decoder: Decoder
) -> None:
    data = (SAMPLES / "garden.jpg").read_bytes()
    item = _take(folder, _begin(folder, family, len(data)), data, 0)
    assert item is not None
    place = folder.root / vault.Original.get_by_id(item.original_id).path
    place.unlink()
    assert renditions.draw_next(folder, decoder)
    assert vault.get(item.public_id, family.ada.id).state == "failed"
    _take(folder, _begin(folder, family, len(data)), data, 0)
    assert place.read_bytes() == data
    assert renditions.draw_next(folder, decoder)
    assert vault.get(item.public_id, family.ada.id).state == "ready"


def test_what_cannot_be_shown_is_asked_about_in_the_background_too(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _begin(folder, family, 100)
    _take(folder, made, b"x" * 50, 0)
    digests.forget(made.id)
    monkeypatch.setattr(uploads, "AT_LAST", 10)
    assert _take(folder, made, b"y" * 50, 50) is None
    assert not uploads.catch_up(folder)
    assert uploads.waits(uploads.get(made.id, family.ada.id))
    assert not uploads.catch_up(folder)
    assert uploads.keep(folder, uploads.get(made.id, family.ada.id), opened=False) is not None


def _sent_film(folder: Folder, family: Family, poster: bytes = b"", **told: str) -> vault.Original:
    data = (SAMPLES / "small.webm").read_bytes()
    made = uploads.begin(folder, (family.ada.id, 1), len(data), {"filename": "small.webm", **told})
    if poster:
        uploads.give_poster(folder, made, poster)
    item = _take(folder, made, data, 0)
    assert item is not None
    assert list(folder.uploads.iterdir()) == []
    return vault.Original.get_by_id(item.original_id)


def test_a_film_looks_like_its_poster(folder: Folder, family: Family, decoder: Decoder) -> None:
    film = _sent_film(folder, family, (SAMPLES / "harbour.jpg").read_bytes())
    while renditions.draw_next(folder, decoder):
        pass
    item = vault.Item.get(vault.Item.original_id == film.id)
    tile = vault.get(item.public_id, family.ada.id)
    assert (tile.kind, tile.state) == ("video", "ready")
    assert tile.small.startswith(f"/vault/{tile.id}/320-")
    assert vault.rendition(folder, tile.id, 320, film.stamp, family.ada.id).path.exists()
    assert tile.width == vault.Original.get_by_id(film.id).width != vault.Original.get_by_id(film.poster_id or 2).width


@pytest.mark.parametrize("poster", [b"<svg onload=alert(1)>", (SAMPLES / "truncated.jpg").read_bytes()[:40]])
def test_a_poster_that_is_none_leaves_a_calm_film(
    folder: Folder, family: Family, decoder: Decoder, poster: bytes
) -> None:
    film = _sent_film(folder, family, poster)
    while renditions.draw_next(folder, decoder):
        pass
    tile = vault.get(vault.Item.get(vault.Item.original_id == film.id).public_id, family.ada.id)
    assert (tile.state, tile.small) == ("ready", "")


def test_a_poster_may_come_after_its_film_but_never_for_anothers(
    folder: Folder, family: Family, decoder: Decoder
) -> None:
    data, picture = (SAMPLES / "small.webm").read_bytes(), (SAMPLES / "harbour.jpg").read_bytes()
    made = uploads.begin(folder, (family.ada.id, 1), len(data), {})
    item = _take(folder, made, data, 0)
    assert item is not None
    uploads.give_poster(folder, made, picture)
    first = vault.Original.get_by_id(item.original_id).poster_id
    assert first
    again = uploads.begin(folder, (family.ben.id, 2), len(data), {})
    uploads.give_poster(folder, again, (SAMPLES / "cake.jpg").read_bytes())
    _take(folder, again, data, 0)
    assert vault.Original.get_by_id(item.original_id).poster_id == first
    with pytest.raises(TooLarge):
        uploads.give_poster(folder, again, b"x" * (uploads.POSTER_LIMIT + 1))


def _sent_picture(folder: Folder, family: Family, data: bytes, poster: bytes, *, early: bool) -> vault.Item:
    made = uploads.begin(folder, (family.ada.id, 1), len(data), {"filename": "all-of-us.png"})
    if early:
        uploads.give_poster(folder, made, poster)
    item = _take(folder, made, data, 0)
    assert item is not None
    if not early:
        uploads.give_poster(folder, made, poster)
    return item


@pytest.mark.parametrize("early", [True, False])
def test_a_picture_too_large_for_the_decoder_looks_like_what_the_browser_made_of_it(
    folder: Folder, family: Family, decoder: Decoder, early: bool
) -> None:
    whole = io.BytesIO()
    Image.new("L", (6000, 5000)).save(whole, "PNG")
    item = _sent_picture(folder, family, whole.getvalue(), (SAMPLES / "harbour.jpg").read_bytes(), early=early)
    while renditions.draw_next(folder, decoder):
        pass
    tile = vault.get(item.public_id, family.ada.id)
    assert (tile.kind, tile.state, tile.name) == ("photo", "ready", "all-of-us.png") and tile.large
    original = vault.Original.get_by_id(item.original_id)
    assert vault.rendition(folder, tile.id, 320, original.stamp, family.ada.id).path.exists()
    assert (folder.root / original.path).read_bytes() == whole.getvalue()


def test_no_browser_can_say_what_a_picture_looks_like_that_home_can_open(
    folder: Folder, family: Family, decoder: Decoder
) -> None:
    cake, other = (SAMPLES / "cake.jpg").read_bytes(), (SAMPLES / "harbour.jpg").read_bytes()
    alone = decoder.draw(SAMPLES / "cake.jpg").drawings[-1].data
    item = _sent_picture(folder, family, cake, other, early=True)
    while renditions.draw_next(folder, decoder):
        pass
    original = vault.Original.get_by_id(item.original_id)
    assert vault.rendition(folder, item.public_id, 320, original.stamp, family.ada.id).path.read_bytes() == alone


def test_a_poster_that_comes_while_its_film_is_looked_at_is_drawn_too(folder: Folder, family: Family) -> None:
    data = (SAMPLES / "small.webm").read_bytes()
    made = uploads.begin(folder, (family.ada.id, 1), len(data), {})
    item = _take(folder, made, data, 0)
    assert item is not None

    class Slow(Decoder):
        def probe(self, path: Path) -> Film:
            found = super().probe(path)
            if not vault.Original.get_by_id(item.original_id).poster_id:
                uploads.give_poster(folder, made, (SAMPLES / "harbour.jpg").read_bytes())
            return found

    decoder = Slow()
    while renditions.draw_next(folder, decoder):
        pass
    decoder.close()
    assert vault.get(item.public_id, family.ada.id).small


def test_a_picture_for_which_there_was_no_time_waits_for_the_others_and_then_for_the_night(
    folder: Folder, family: Family, decoder: Decoder
) -> None:
    items = []
    for name in ("cake.jpg", "garden.jpg"):
        data = (SAMPLES / name).read_bytes()
        item = _take(folder, _begin(folder, family, len(data)), data, 0)
        assert item is not None
        items.append(item)
    first, second = (vault.Original.get_by_id(each.original_id) for each in items)

    class Starved(Decoder):
        def draw(self, path: Path) -> Picture:
            if path == folder.root / first.path:
                raise Busy("Home is very busy at the moment.")
            return decoder.draw(path)

    starved = Starved()
    assert renditions.draw_next(folder, starved)
    assert vault.Original.get_by_id(first.id).state == "pending"
    assert renditions.draw_next(folder, starved)
    assert vault.Original.get_by_id(second.id).state == "ready"
    assert renditions.draw_next(folder, starved) and not renditions.draw_next(folder, starved)
    assert (tile := vault.get(items[0].public_id, family.ada.id)).state == "failed" and tile.reason == "busy"
    assert tile.kind == "photo"
    renditions.draw_again([])
    assert renditions.draw_next(folder, decoder)
    assert vault.Original.get_by_id(first.id).state == "ready"


def test_an_unfinished_film_leaves_no_poster(folder: Folder, family: Family) -> None:
    made = _begin(folder, family, 100)
    uploads.give_poster(folder, made, b"x")
    assert uploads.sweep(folder) == 0
    uploads.drop(folder, made)
    assert list(folder.uploads.iterdir()) == []


def test_what_the_browser_measured_is_noted_within_reason(folder: Folder, family: Family) -> None:
    film = _sent_film(folder, family, width="640", height="360", duration="2.5")
    assert (film.width, film.height, film.duration) == (640, 360, 2.5)


@pytest.mark.parametrize("width", ["-1", "99999", "1e3", "x", "0"])
def test_what_cannot_be_measured_so_is_not_noted(folder: Folder, family: Family, width: str) -> None:
    assert _sent_film(folder, family, width=width, height="360", duration="2.5").width == 0


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _cake() -> bytes:
    return (SAMPLES / "cake.jpg").read_bytes()


@pytest.mark.parametrize("is_early", [True, False])
def test_what_is_byte_for_byte_as_at_its_senders_is_remembered_so(
    folder: Folder, family: Family, *, is_early: bool
) -> None:
    data = _cake()
    upload = _begin(folder, family, len(data))
    if is_early:
        uploads.compare(folder, upload, _sha256(data))
    item = _take(folder, upload, data, 0)
    if not is_early:
        assert item is not None and item.arrival == ""
        uploads.compare(folder, upload, _sha256(data))
    assert db.rows("SELECT arrival FROM item") == [("equal",)]
    assert not uploads.is_different(uploads.get(upload.id, family.ada.id))


def test_a_hash_may_come_with_the_beginning(folder: Folder, family: Family) -> None:
    data = _cake()
    for told, arrival in ((_sha256(data), "equal"), ("junk", "")):
        upload = uploads.begin(folder, (family.ada.id, 1), len(data), {"filename": "cake.jpg", "sha256": told})
        item = _take(folder, upload, data, 0)
        assert item is not None and item.arrival == arrival


def test_what_is_known_to_come_otherwise_becomes_no_item(folder: Folder, family: Family) -> None:
    data = _cake()
    upload = _begin(folder, family, len(data))
    uploads.compare(folder, upload, _sha256(data))
    with pytest.raises(uploads.Mismatch):
        _take(folder, upload, data[:-1] + b"?", 0)
    assert db.row("SELECT count(*) FROM item") == (0,) and uploads.get(upload.id, family.ada.id).offset == 0
    item = _take(folder, upload, data, 0)
    assert item is not None and (_hash_of(item), item.arrival) == (_sha256(data), "equal")


def test_what_came_otherwise_is_put_right_where_it_stands(folder: Folder, family: Family, decoder: Decoder) -> None:
    data, broken = _cake(), _cake()[:-1] + b"?"
    upload = _begin(folder, family, len(data))
    item = _take(folder, upload, broken, 0)
    assert item is not None
    post = feed.publish(family.ada.id, "Cake", [item.public_id], [], "once")
    renditions.draw_next(folder, decoder)
    with pytest.raises(uploads.Mismatch):
        uploads.compare(folder, upload, _sha256(data))
    assert db.row("SELECT arrival FROM item") == ("different",)
    assert uploads.get(upload.id, family.ada.id).offset == 0
    _take(folder, upload, data[:500], 0)
    _take(folder, upload, data[500:], 500)
    renditions.draw_next(folder, decoder)
    again = vault.Item.get()  # one, and the same
    assert (again.id, _hash_of(again), again.arrival) == (item.id, _sha256(data), "equal")
    assert db.rows("SELECT item_id FROM post_item WHERE post_id = ?", post.id) == [(item.id,)]
    assert vault.get(item.public_id, family.ada.id).state == "ready"
    db.rows("UPDATE original SET arrived_at = 0")
    trash.purge(folder)
    assert [_sha256(each.read_bytes()) for each in folder.vault.rglob("*.jpg")] == [_sha256(data)]


def test_what_is_begun_anew_still_puts_the_broken_one_right(folder: Folder, family: Family) -> None:
    data, told = _cake(), {"filename": "cake.jpg", "slot": "a" * 24}
    upload = uploads.begin(folder, (family.ada.id, 1), len(data), told)
    item = _take(folder, upload, data[:-1] + b"?", 0)
    with pytest.raises(uploads.Mismatch):
        uploads.compare(folder, upload, _sha256(data))
    again = uploads.begin(folder, (family.ada.id, 1), len(data), told | {"sha256": _sha256(data)})
    _take(folder, again, data, 0)
    assert item is not None and db.rows("SELECT id, arrival FROM item") == [(item.id, "equal")]


def test_what_never_comes_as_it_is_stays_as_it_came(folder: Folder, family: Family) -> None:
    data, broken = _cake(), _cake()[:-1] + b"?"
    upload = _begin(folder, family, len(data))
    uploads.compare(folder, upload, _sha256(data))
    for _turn in range(uploads.ONCE_MORE):
        with pytest.raises(uploads.Mismatch):
            _take(folder, upload, broken, 0)
    item = _take(folder, upload, broken, 0)
    assert item is not None and (_hash_of(item), item.arrival) == (_sha256(broken), "different")
    assert uploads.is_different(uploads.get(upload.id, family.ada.id))
    uploads.compare(folder, upload, _sha256(data))  # it is known already
    assert db.rows("SELECT arrival FROM item") == [("different",)]


def test_what_was_opened_as_a_file_and_comes_as_a_picture_is_open_no_more(folder: Folder, family: Family) -> None:
    data, broken = _cake(), b"?" + _cake()[1:]
    upload = _begin(folder, family, len(data))
    assert _take(folder, upload, broken, 0) is None  # it waits for a yes
    item = uploads.keep(folder, upload, opened=True)
    assert item is not None and item.kind == "file" and vault.get(item.public_id, family.ada.id).opened
    with pytest.raises(uploads.Mismatch):
        uploads.compare(folder, upload, _sha256(data))
    _take(folder, upload, data, 0)
    tile = vault.get(item.public_id, family.ada.id)
    assert tile.kind == "photo" and not tile.opened


def test_what_is_put_right_leaves_one_file_of_the_same_bytes(folder: Folder, family: Family) -> None:
    data = _cake()
    item = _take(folder, _begin(folder, family, len(data)), data[:-1] + b"?", 0)
    assert item is not None
    spooled = [folder.take(io.BytesIO(data)) for _ in range(2)]
    early = vault.examine(spooled[0], "cake.jpg")._replace(path="vault/2001/02/20010203-040506-abc.jpg")
    vault.settle_in(folder, spooled[0], early)  # both at once, under two dates
    vault.keep(folder, spooled[1], "cake.jpg", family.ben.id)
    assert _hash_of(vault.replace(folder, item.id, early, "equal")) == _sha256(data)
    assert [_sha256(each.read_bytes()) for each in folder.vault.rglob("*.jpg")].count(_sha256(data)) == 1


def test_who_still_reads_what_was_thrown_away_does_not_bring_its_hash_back(folder: Folder, family: Family) -> None:
    data = _cake()
    upload = _begin(folder, family, len(data))
    _take(folder, upload, b"?" + data[1:-9], 0)
    digests.forget(upload.id)  # what a restart does: it is read in the background

    def ask_once_more() -> None:
        uploads.compare(folder, upload, _sha256(data))
        assert _take(folder, upload, data[-9:], len(data) - 9) is None  # it waits for a yes
        with pytest.raises(uploads.Mismatch):
            uploads.keep(folder, upload, opened=False)

    uploads.catch_up(folder, ask_once_more)
    assert uploads.get(upload.id, family.ada.id).offset == digests.get(upload.id).upto == 0
    assert _hash_of(_take(folder, upload, data, 0)) == _sha256(data)


def test_what_was_thrown_away_before_its_turn_is_not_read(folder: Folder, family: Family) -> None:
    data = _cake()
    first, second = sorted((_begin(folder, family, len(data)) for _ in range(2)), key=lambda each: each.id)
    for upload in (first, second):
        uploads.compare(folder, upload, _sha256(data))
        _take(folder, upload, data[:10] + b"?" + data[11:-9], 0)
        digests.forget(upload.id)

    def ask_once_more() -> None:
        if uploads.get(second.id, family.ada.id).offset:
            with pytest.raises(uploads.Mismatch):
                _take(folder, second, data[-9:], len(data) - 9)

    uploads.catch_up(folder, ask_once_more)
    assert digests.get(second.id).upto == 0
    assert _hash_of(_take(folder, second, data, 0)) == _sha256(data)


def test_a_film_that_came_otherwise_keeps_its_poster(folder: Folder, family: Family, decoder: Decoder) -> None:
    data = _film(5000)
    upload = _begin(folder, family, len(data))
    uploads.give_poster(folder, upload, (SAMPLES / "still.webp").read_bytes())
    item = _take(folder, upload, data[:-1] + b"?", 0)
    with pytest.raises(uploads.Mismatch):
        uploads.compare(folder, upload, _sha256(data))
    _take(folder, upload, data, 0)
    assert item is not None
    assert db.row("SELECT poster_id FROM original WHERE sha256 = ?", _sha256(data))[0] is not None


def test_a_poster_is_drawn_as_its_film_alone(folder: Folder, family: Family, decoder: Decoder) -> None:
    film = _sent_film(folder, family, (SAMPLES / "garden.jpg").read_bytes())
    assert _drawn(folder, decoder) == 1
    poster = vault.Original.get_by_id(vault.Original.get_by_id(film.id).poster_id or 0)
    assert poster.state == "kept" and list(vault.drawn_from(folder, poster.sha256)) == []
    with (SAMPLES / "garden.jpg").open("rb") as stream:  # now somebody adds the very same picture
        item = vault.keep(folder, folder.take(stream), "garden.jpg", family.ben.id)
    assert _drawn(folder, decoder) == 1 and vault.get(item.public_id, family.ben.id).state == "ready"


def _drawn(folder: Folder, decoder: Decoder) -> int:
    count = 0
    while renditions.draw_next(folder, decoder):
        count += 1
    return count


def test_two_that_begin_at_once_do_not_both_take_the_last_room(folder: Folder, family: Family) -> None:
    together, ended = threading.Barrier(8), []

    def begin() -> None:
        with db.connection():
            together.wait()
            try:
                ended.append(_begin(folder, family, 1000, quota=2500).size)
            except TooLarge:
                ended.append(0)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(ended) == [0] * 6 + [1000] * 2


def test_an_upload_whose_bytes_are_gone_is_begun_anew(folder: Folder, family: Family) -> None:
    upload = _begin(folder, family, 1000)
    (folder.uploads / upload.id).unlink()  # a disk that forgot it
    with pytest.raises(NotFound):
        uploads.finish(folder, upload)
    with pytest.raises(NotFound):
        uploads.get(upload.id, family.ada.id)


def test_an_upload_whose_bytes_lie_in_the_vault_under_another_name_is_not_lost(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _cake()
    known = vault.Original.get_by_id(
        vault.keep(folder, folder.take(io.BytesIO(data)), "a.jpg", family.ben.id).original_id
    )
    folder.move(folder.root / known.path, folder.vault / "20010203-040506-abc.jpg")
    db.rows("UPDATE original SET path = 'vault/20010203-040506-abc.jpg'")
    upload = _begin(folder, family, len(data))
    with monkeypatch.context() as broken:
        broken.setattr(vault, "add", lambda *_: (_ for _ in ()).throw(RuntimeError("power cut")))
        with pytest.raises(RuntimeError):
            _take(folder, upload, data, 0)
    assert not (folder.uploads / upload.id).exists()  # the house has these bytes, so these were let go
    item = uploads.finish(folder, upload)
    assert item is not None and item.original_id == known.id


@pytest.mark.parametrize("is_disk", [True, False])
def test_what_has_no_room_beside_what_came_is_not_asked_for_once_more(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch, *, is_disk: bool
) -> None:
    data = _cake()
    upload = _begin(folder, family, len(data))
    item = _take(folder, upload, data[:-1] + b"?", 0)
    with monkeypatch.context() as full:
        if is_disk:
            full.setattr(Folder, "free", lambda _: (1 << 30) + 100)
            full.setattr(Folder, "total", lambda _: 2 << 30)
        uploads.compare(folder, upload, _sha256(data), 0 if is_disk else 2 * len(data) - 1)
    now = uploads.get(upload.id, family.ada.id)
    assert item is not None and now.item_id == item.id and now.is_complete and uploads.is_different(now)
    assert db.row("SELECT arrival FROM item") == ("different",) and not list(folder.uploads.iterdir())
    with pytest.raises(uploads.Mismatch):  # there is room again
        uploads.compare(folder, upload, _sha256(data), 2 * len(data))


def test_a_file_is_on_the_disk_before_others_wait_for_its_row(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    settle = uploads.settle_folder

    def watched(path: Path) -> None:
        seen.append((db.database.in_transaction(), len(list(path.iterdir())), uploads.Upload.select().count()))
        settle(path)

    monkeypatch.setattr(uploads, "settle_folder", watched)
    upload = _begin(folder, family, 1000)
    assert seen == [(False, 1, 0)]
    with pytest.raises(TooLarge):
        _begin(folder, family, 1000, quota=1500)
    assert [each.name for each in folder.uploads.iterdir()] == [upload.id]
