"""tus 1.0.0 through the client and, over a real socket, through tuspy: its rules hold, its bytes arrive whole."""

from __future__ import annotations

import base64
from hashlib import new, sha256

import pytest

from homecircle import db, devices, vault
from tests.conftest import SAMPLES, Browser, Family, Home, photo

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


def _begin(browser: Browser, size: int, name: str = "cake.jpg") -> str:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    answer = browser.open("/uploads", "POST", headers=TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata})
    assert answer.status_code == 201
    return answer.headers["Location"].partition("homecircle.local")[2]


def _piece(browser: Browser, url: str, offset: int, data: bytes) -> object:
    return browser.open(url, "PATCH", headers=PIECE | {"Upload-Offset": str(offset)}, data=data)


def test_pieces_become_an_item_byte_for_byte(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    url, half = _begin(ada, len(data)), len(data) // 2
    assert _piece(ada, url, 0, data[:half]).headers["Upload-Offset"] == str(half)
    assert ada.open(url, "HEAD", headers=TUS).headers["Upload-Offset"] == str(half)
    last = _piece(ada, url, half, data[half:])
    assert last.status_code == 204
    item = vault.Item.get(vault.Item.public_id == last.headers["Upload-Item"])
    original = vault.Original.get_by_id(item.original_id)
    assert sha256((home.house.folder.root / original.path).read_bytes()).hexdigest() == sha256(data).hexdigest()
    assert ada.open(url, "HEAD", headers=TUS).headers["Upload-Item"] == item.public_id


def test_the_rules_of_tus(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    url = _begin(ada, 100)
    assert ada.open("/uploads", "POST", headers={"Upload-Length": "5"}).status_code == 412
    assert ada.open(url, "HEAD", headers={"Tus-Resumable": "0.2.2"}).headers["Tus-Version"] == "1.0.0"
    assert _piece(ada, url, 7, b"x").status_code == 409
    assert ada.open(url, "PATCH", headers=TUS | {"Upload-Offset": "0"}, data=b"x").status_code == 415
    assert _piece(ada, url, 0, b"x" * 101).status_code == 413
    assert ada.open(url, "HEAD", headers=TUS).headers["Upload-Offset"] == "0"  # nothing of it was kept
    for length in ("-1", "abc", "", "1e3", "9" * 30):
        assert ada.open("/uploads", "POST", headers=TUS | {"Upload-Length": length}).status_code == 422
    assert ada.open("/uploads", "POST", headers=TUS | {"Upload-Length": str(5 << 30)}).status_code == 413
    assert ada.open("/uploads", "OPTIONS").headers["Tus-Extension"].startswith("creation")
    assert ada.open(url, "DELETE", headers=TUS).status_code == 204
    assert ada.open(url, "HEAD", headers=TUS).status_code == 404


def test_an_upload_is_its_members_alone(home: Home, family: Family) -> None:
    url = _begin(home.browser(family.ada), 10)
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = home.browser(family.ben).open(url, method, headers=PIECE | {"Upload-Offset": "0"})
        assert answer.status_code == 404
        assert home.browser().open(url, method, headers=PIECE).status_code == 401


def _tell(browser: Browser, url: str, told: str) -> object:
    return browser.open(f"{url}/hash", "PUT", data=told, headers={"Content-Type": "text/plain", "Accept": "*/*"})


def test_the_sender_says_what_the_file_is(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    told, url = sha256(data).hexdigest(), _begin(ada, len(data))
    item = _piece(ada, url, 0, data).headers["Upload-Item"]
    assert "as large as on your phone" in ada.get(f"/vault/{item}").text
    assert _tell(home.browser(family.ben), url, told).status_code == 404
    for junk in ("", "ä", told[1:], told + "0", "x" * 81):
        assert _tell(ada, url, junk).status_code in {413, 422}
    assert _tell(ada, url, told).status_code == 204
    assert "every byte was checked" in ada.get(f"/vault/{item}").text


def test_what_is_not_what_the_sender_has_is_asked_for_once_more(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    told, url = sha256(data + b"?").hexdigest(), _begin(ada, len(data))
    item = _piece(ada, url, 0, data).headers["Upload-Item"]
    assert _tell(ada, url, told).status_code == 460
    assert "not quite what you have" in ada.get(f"/vault/{item}").text
    head = ada.open(url, "HEAD", headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers.get("Upload-Item")) == ("0", None)
    assert _piece(ada, url, 0, data).status_code == 460
    last = _piece(ada, url, 0, data)  # it will never be anything else: it stays as it is
    assert (last.headers["Upload-Item"], last.headers["HC-Item-State"]) == (item, "different")
    page = ada.get(f"/vault/{item}").text
    assert "not quite what you have" in page and "safe to delete" not in page


WORDS = b"just words, no picture at all"


def test_what_cannot_be_shown_waits_for_a_yes(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    url = _begin(ada, len(WORDS), "notes.jpg")
    for answer in (_piece(ada, url, 0, WORDS), ada.open(url, "HEAD", headers=TUS)):
        assert answer.status_code in {200, 204}
        assert answer.headers["HC-Item-State"] == "unknown-kind"
        assert "Upload-Item" not in answer.headers
    assert home.browser(family.ben).post(f"{url}/keep").status_code == 404
    kept = ada.post(f"{url}/keep", headers={"Accept": "*/*"})
    assert kept.status_code == 204
    item = vault.Item.get(vault.Item.public_id == kept.headers["Upload-Item"])
    original = vault.Original.get_by_id(item.original_id)
    assert (item.kind, item.name, original.state, original.path[-4:]) == ("file", "notes.jpg", "kept", ".bin")
    assert (home.house.folder.root / original.path).read_bytes() == WORDS
    assert ada.post(f"{url}/keep").headers["Upload-Item"] == item.public_id  # said twice, kept once
    assert vault.Item.select().count() == 1


def test_what_cannot_be_shown_may_be_removed_instead(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    url = _begin(ada, len(WORDS), "notes.txt")
    assert ada.post(f"{url}/keep").status_code == 409
    _piece(ada, url, 0, WORDS)
    assert ada.open(url, "DELETE", headers=TUS).status_code == 204
    assert list(home.house.folder.uploads.iterdir()) == []
    assert ada.post(f"{url}/keep").status_code == 404


def test_a_program_is_not_asked(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    metadata = f"filename {base64.b64encode(b'notes.txt').decode()},keep {base64.b64encode(b'1').decode()}"
    headers = PIECE | {"Upload-Length": str(len(WORDS)), "Upload-Metadata": metadata}
    assert ada.open("/uploads", "POST", headers=headers, data=WORDS).headers["Upload-Item"]
    program = devices.add(family.ada.id, "NAS", "home", kind="program")
    headers = PIECE | {"Upload-Length": str(len(WORDS)), "Authorization": f"Bearer {program}", "Origin": None}
    assert home.browser().open("/uploads", "POST", headers=headers, data=WORDS).headers["Upload-Item"]


def test_the_same_bytes_twice_are_one_file_and_two_items(home: Home, family: Family) -> None:
    data, items = (SAMPLES / "cake.jpg").read_bytes(), []
    for person in (family.ada, family.ben):
        browser = home.browser(person)
        items.append(_piece(browser, _begin(browser, len(data)), 0, data).headers["Upload-Item"])
    assert len(set(items)) == 2
    assert db.row("SELECT count(*) FROM original")[0] == 1
    assert len([path for path in home.house.folder.vault.rglob("*") if path.is_file()]) == 1


def test_bytes_that_were_never_acknowledged_are_cut(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    url = _begin(ada, len(data))
    _piece(ada, url, 0, data[:1000])
    with (home.house.folder.uploads / url.rpartition("/")[2]).open("ab") as torn:
        torn.write(b"half a piece that a power cut left behind")
    assert ada.open(url, "HEAD", headers=TUS).headers["Upload-Offset"] == "1000"
    assert "Upload-Item" in _piece(ada, url, 1000, data[1000:]).headers


def test_a_crash_after_the_last_piece_is_finished_later(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    for step in ("examine", "settle_in", "add"):
        url = _begin(ada, len(data))
        with monkeypatch.context() as broken:
            broken.setattr(vault, step, lambda *_: (_ for _ in ()).throw(RuntimeError("power cut")))
            assert _piece(ada, url, 0, data).status_code == 500
        assert ada.open(url, "HEAD", headers=TUS).headers.get("Upload-Item"), step


def test_a_revoked_device_cannot_send_another_piece(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    url = _begin(ben, 10)
    ada = devices.recognise(family.ada.token, "home")
    devices.revoke(devices.of_member(family.ben.id)[0].public_id, ada)
    assert _piece(ben, url, 0, b"12345").status_code == 401


def _summed(data: bytes, name: str = "sha1") -> dict[str, str]:
    return {"Upload-Checksum": f"{name} {base64.b64encode(new(name, data).digest()).decode()}"}


def test_a_damaged_piece_is_refused_and_nothing_of_it_kept(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    url = _begin(ada, len(data))
    headers = PIECE | {"Upload-Offset": "0"}
    answer = ada.open(url, "PATCH", headers=headers | _summed(b"other bytes"), data=data[:1000])
    assert answer.status_code == 460
    assert ada.open(url, "HEAD", headers=TUS).headers["Upload-Offset"] == "0"
    for bad in ("crc32 AAAA", "sha1", "sha1 !!!"):
        assert ada.open(url, "PATCH", headers=headers | {"Upload-Checksum": bad}, data=b"x").status_code == 400
    for name in ("sha1", "sha256", "md5"):
        offset = int(ada.open(url, "HEAD", headers=TUS).headers["Upload-Offset"])
        piece = data[offset : offset + 5000]
        answer = ada.open(
            url, "PATCH", headers=PIECE | {"Upload-Offset": str(offset)} | _summed(piece, name), data=piece
        )
        assert answer.status_code == 204


def test_creation_with_upload(home: Home, family: Family) -> None:
    data, ada = (SAMPLES / "cake.jpg").read_bytes(), home.browser(family.ada)
    answer = ada.open("/uploads", "POST", headers=PIECE | {"Upload-Length": str(len(data))}, data=data)
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == str(len(data))
    assert answer.headers["Upload-Item"]


def test_a_full_share_is_refused_before_any_byte(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    home.house.quota = 10_000_000_000
    headers = TUS | {"Upload-Length": str(4 << 30)}
    made = [ada.open("/uploads", "POST", headers=headers).status_code for _ in range(2)]
    home.house.quota = 5_000_000_000
    answer = ada.open("/uploads", "POST", headers=headers)
    assert (made, answer.status_code, answer.mimetype) == ([201, 201], 413, "application/problem+json")
    assert answer.json["title"].startswith("Your part of the vault is full: 5 GB.")
    form = {"text": "With a photo", "once": "1", "photos": photo("cake.jpg")}
    assert "Your part of the vault is full" in ada.post("/feed", form).text
    assert ada.post("/feed", {"text": "Only words", "once": "2"}).status_code == 303
    assert home.browser(family.ben).open("/uploads", "POST", headers=headers).status_code == 201
