"""What a strict reader once found: each stays closed."""

from __future__ import annotations

import json

from homecircle import circle, db, devices, drafts, feed, members, membership, notices, vault
from tests.conftest import AWAY, Browser, Family, Home, Person, photo


def _pass(person: Person) -> devices.Pass:
    opened = devices.recognise(person.token, "home")
    assert opened is not None
    return opened


def _limited(family: Family, home: Home) -> Browser:
    """A device that ada has added in ben's name."""
    token = devices.add(family.ben.id, "Old phone", "home", added_by=family.ada.id)
    return Browser(home.app.test_client(), "http://homecircle.local", token)


def test_a_home_token_opens_no_away_door_by_itself(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    made = devices.offer_away(_pass(family.ben))
    outside = home.browser(origin=AWAY)
    answer = outside.post("/join", {"secret": made.secret})
    assert "Set-Cookie" not in answer.headers
    assert outside.get("/").location == "/hello"
    assert home.browser(family.ben).get("/").status_code == 200


def test_what_a_home_token_invites_to_look_after_the_house_comes_in_at_home(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    for kind, role in (("shared", "member"), ("member", "admin")):
        made = devices.offer(kind, "Zed", family.ada.id, role=role, door="home")
        assert home.browser(origin=AWAY).post("/join", {"secret": made.secret}).status_code == 422
    made = devices.offer("member", "Mia", family.ada.id, door="home")
    assert home.browser(origin=AWAY).post("/join", {"secret": made.secret}).status_code == 303


def test_the_ticks_of_a_refused_surprise_come_back(home: Home, family: Family) -> None:
    form = {"text": "x" * 4001, "once": "k", "for": [family.cleo.public_id]}
    page = home.browser(family.ada).post("/feed", form).text
    assert f'value="{family.cleo.public_id}" checked' in page
    assert page.count(" checked data-name") == 1


def test_a_limited_device_reads_no_trash_changes_no_settings_and_moves_no_cursor(home: Home, family: Family) -> None:
    post = feed.publish(family.ben.id, "For Ada alone", [], [family.ada.public_id], "k")
    feed.take_down(post, family.ben.id, is_admin=False)
    feed.publish(family.ada.id, "A surprise", [], [family.ben.public_id], "s")
    limited = _limited(family, home)
    for path in ("/", "/since", "/threads", "/vault/trash", "/live/since?id="):
        page = limited.get(path).text
        assert "For Ada alone" not in page
        assert "A surprise" not in page
    assert notices.has_new(family.ben.id)
    for path, form in (
        ("/settings/leave", {"sure": "1"}),
        ("/settings/profile", {"name": "X"}),
        ("/presence/status", {"text": "x"}),
    ):
        assert limited.post(path, form).status_code == 403
    assert limited.post("/feed", {"text": "x", "once": "n", "for": [family.ada.public_id]}).status_code == 403
    assert members.present()[family.ben.id].name == "Ben"


def test_a_limited_device_says_that_what_it_shares_goes_to_everyone(home: Home, family: Family) -> None:
    said = "Everyone in the family sees this."
    assert said in _limited(family, home).get("/").text
    assert said not in home.browser(family.ben).get("/").text


def test_who_is_no_admin_any_more_has_no_open_invitations(home: Home, family: Family) -> None:
    membership.make_admin(family.ben.public_id, family.ada.id)
    for end in (membership.unmake_admin, lambda who, by: membership.remove(who, by, posts_stay=True)):
        made = devices.offer("member", "Benny", family.ben.id, role="admin")
        end(family.ben.public_id, family.ada.id)
        assert home.browser().post("/join", {"secret": made.secret}).status_code == 422


def test_a_sheet_made_on_a_stolen_phone_ends_with_it_and_is_told(home: Home, family: Family) -> None:
    made = devices.new_sheet(_pass(family.ben))
    assert notices.has_new(family.ben.id)
    devices.revoke(devices.of_member(family.ben.id)[0].public_id, _pass(family.ada))
    assert home.browser().post("/join", {"secret": made.secret}).status_code == 422


def test_the_log_tells_nothing_of_posts_for_named_members(home: Home, family: Family) -> None:
    secret = feed.publish(family.ben.id, "For Ada", [], [family.ada.public_id], "1")
    public = feed.publish(family.ben.id, "For all", [], [], "2")
    feed.take_down(secret, family.ada.id, is_admin=True)
    assert membership.log() == []
    feed.take_down(public, family.ada.id, is_admin=True)
    assert [deed.verb for deed in membership.log()] == ["took-down"]


def test_the_log_tells_what_admins_took_away_of_others(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    ben.post("/feed", {"text": "Ours", "once": "1", "photos": [photo("cake.jpg"), photo("garden.jpg")]})
    secret = {"text": "For Ada", "once": "2", "photos": [photo("harbour.jpg")], "for": family.ada.public_id}
    ben.post("/feed", secret)
    hidden, *shown = [row[0] for row in db.rows("SELECT public_id FROM item ORDER BY id DESC")]
    ada.post(f"/vault/{hidden}/delete")
    ben.post(f"/vault/{shown[0]}/delete")
    assert membership.log() == []
    ben.post(f"/vault/{shown[0]}/restore")
    ada.post("/vault/delete", {"items": shown})
    assert [(deed.verb, deed.about) for deed in membership.log()] == [("took-away", "Ben")]
    assert "took away photos or files of Ben" in ben.get("/house/log").text
    post = feed.page(family.ben.id)[0][-1].id
    ben.post(f"/feed/{post}/messages", {"text": "Hm", "once": "3"})
    said = db.row("SELECT public_id FROM message")[0]
    ada.post(f"/feed/{post}/messages/{said}/delete")
    assert "took away a reply of Ben" in ben.get("/house/log").text


def test_settings_tell_nobody(home: Home, family: Family) -> None:
    before = json.loads(home.browser(family.ben).get("/live/since?id=").text)["id"]
    members.update(members.get(family.grandma.id), theme="dark")
    assert json.loads(home.browser(family.ben).get(f"/live/since?id={before}").text)["hints"] == []


def test_wrong_links_lock_no_right_one_out(home: Home, family: Family) -> None:
    stranger = home.browser()
    codes = {stranger.post("/join", {"secret": f"wrong{number}"}).status_code for number in range(70)}
    assert codes == {422, 429}
    made = devices.offer("member", "Mia", family.ada.id)
    assert home.browser().post("/join", {"secret": made.secret}).status_code == 303


def test_no_metadata_says_what_has_arrived(home: Home, family: Family) -> None:
    """What no bytes tell waits for a yes (201), whatever its sender says of it: no item, and no file elsewhere."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "6", "Upload-Metadata": "arrived YWJjZGVm",
               "Content-Type": "application/offset+octet-stream"}  # fmt: skip
    answer = home.browser(family.ben).open("/uploads", "POST", headers=headers, data=b"abcdef")
    assert (answer.status_code, answer.headers["HC-Item-State"]) == (201, "unknown-kind")
    assert "Upload-Item" not in answer.headers and db.rows("SELECT 1 FROM item") == []
    assert "arrived" not in db.row("SELECT metadata FROM upload")[0]
    assert not (home.house.folder.root / "a").exists() and list(home.house.folder.vault.rglob("*.*")) == []


def test_the_last_admin_is_asked_of_the_rows(family: Family) -> None:
    assert membership.is_last_admin(family.ada.id)
    db.rows("UPDATE member SET role = 'admin' WHERE id = ?", family.ben.id)  # behind the roster's back
    assert not membership.is_last_admin(family.ada.id)


def test_twice_is_once(home: Home, family: Family) -> None:
    post = feed.publish(family.ben.id, "For Ada", [], [family.ada.public_id], "1")
    feed.take_down(post, family.ben.id, is_admin=False)
    feed.take_down(post, family.ada.id, is_admin=True)  # too late: it stays in ben's trash
    for _ in range(2):
        feed.put_back(post.public_id, family.ben.id, family.ben.id) if _ == 0 else None
    assert feed.get(post.public_id, family.ada.id).id == post.id
    form = {"text": "Once", "once": "same"}
    for _ in range(2):
        home.browser(family.ada).post("/feed", form | {"photos": photo("cake.jpg")})
    assert db.row("SELECT count(*) FROM item")[0] == 1


def test_a_good_photo_of_a_refused_reply_is_kept(home: Home, family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "1")
    form = {"text": "Look", "once": "r", "photos": [photo("cake.jpg"), photo("text-named.jpg")]}
    answer = home.browser(family.ben).post(f"/feed/{post.public_id}/messages", form)
    assert answer.status_code == 422
    assert answer.text.count('name="items"') == 1


def test_a_limited_device_knows_nothing_of_drafts_and_items_that_are_not_for_everyone(
    home: Home, family: Family
) -> None:
    made = drafts.share(family.ben.id, "A surprise for Ada", ["coming-a"], [family.ada.public_id], "k")
    own = vault.keep(home.house.folder, home.house.folder.take(photo("cake.jpg").stream), "cake.jpg", family.ben.id)
    limited = _limited(family, home)
    assert limited.get(f"/feed/{made}/draft").status_code == 404
    assert limited.post(f"/feed/{made}/draft/delete").status_code == 404
    limited.post(f"/feed/{made}/draft")
    assert [each.id for each in drafts.of_author(family.ben.id, family.ben.id)] == [made]
    assert feed.page(family.ada.id)[0] == []
    nowhere = limited.post("/vault/aaaaaaaaaaaaaaaa/open", {"open": "1"})
    answer = limited.post(f"/vault/{own.public_id}/open", {"open": "1"})
    assert (answer.status_code, answer.data) == (404, nowhere.data)
    assert db.row("SELECT place_shared FROM item")[0] == 0


def test_a_limited_device_loses_no_words_over_a_bad_photo(home: Home, family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "1")
    limited = _limited(family, home)
    for path in ("/feed", f"/feed/{post.public_id}/messages"):
        form = {"text": "Words of mine", "once": path, "photos": [photo("cake.jpg"), photo("text-named.jpg")]}
        answer = limited.post(path, form)
        assert answer.status_code == 422 and "Words of mine" in answer.text
        assert answer.text.count('name="items"') == 1
