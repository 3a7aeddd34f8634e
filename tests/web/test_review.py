"""What a strict reader once found: each stays closed."""

from __future__ import annotations

import json

from homecircle import circle, db, devices, feed, members, membership, notices, presence
from homecircle.web import live
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


def test_presence_is_told_to_nobody_who_hides_and_settings_tell_nobody(home: Home, family: Family) -> None:
    presence.share(family.grandma.id, "hidden")
    stream = live._Stream(home.house, _pass(family.grandma), "", lambda: False)
    presence.arrive(family.ben.id)
    assert not stream._somebody_came()
    stream.close()
    before = json.loads(home.browser(family.ben).get("/live/since?id=").text)["id"]
    members.update(members.get(family.grandma.id), theme="dark")
    assert json.loads(home.browser(family.ben).get(f"/live/since?id={before}").text)["hints"] == []


def test_wrong_links_lock_no_right_one_out(home: Home, family: Family) -> None:
    stranger = home.browser()
    codes = {stranger.post("/join", {"secret": f"wrong{number}"}).status_code for number in range(70)}
    assert codes == {422, 429}
    made = devices.offer("member", "Mia", family.ada.id)
    assert home.browser().post("/join", {"secret": made.secret}).status_code == 303


def test_metadata_cannot_plant_a_file(home: Home, family: Family) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "6", "Upload-Metadata": "arrived YWJjZGVm",
               "Content-Type": "application/offset+octet-stream"}  # fmt: skip
    assert home.browser(family.ben).open("/uploads", "POST", headers=headers, data=b"abcdef").status_code == 422
    assert not (home.house.folder.root / "a").exists()


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
