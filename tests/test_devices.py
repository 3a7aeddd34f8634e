"""Devices: codes and guesses, the twelve places, the ways in, what a limited and a shared device opens, signing out."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest

from homecircle import circle, db, devices, events, members
from homecircle.devices import Answer, Caller, Pass, places
from homecircle.devices.words import WORDS
from homecircle.errors import Conflict, HouseFull, Invalid, NotAllowed, NotFound, TooMany
from homecircle.files import Folder
from tests.conftest import Family, Person

HOME = Caller("home", "192.0.2.20")
AWAY = Caller("away", "203.0.113.9")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The house's clock, to be put forward or back."""
    shift = [dt.timedelta()]
    real = db.now
    monkeypatch.setattr(db, "now", lambda: real() + shift[0])

    def put(**by: float) -> None:
        shift[0] += dt.timedelta(**by)

    return put


def opened(person: Person) -> Pass:
    found = devices.recognise(person.token, "home")
    assert found is not None
    return found


def away(person: Person) -> Pass:
    """The same person on a device of theirs that is outside."""
    found = devices.recognise(devices.add(person.id, "phone outside", "away"), "away")
    assert found is not None
    return found


def come(person_code: str, caller: Caller = HOME) -> tuple[str, Pass | None]:
    return devices.pair(devices.look_code(person_code, caller), caller.door, "phone")


def wrong(caller: Caller = HOME, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Invalid):
            devices.look_code("BBBB BBBB", caller)


# Codes and links


def test_a_code_works_once_however_it_is_typed(family: Family) -> None:
    made = devices.offer("member", "Mia", family.ada.id)
    _, mia = come(f" {made.code[:4].lower()}-{made.code[4:]} ")
    assert mia is not None
    assert members.roster()[mia.id].name == "Mia"
    with pytest.raises(Invalid):
        come(made.code)
    with pytest.raises(Invalid, match="used already"):
        devices.look(made.secret, HOME)


def test_the_sixth_wrong_guess_is_not_even_looked_at(family: Family) -> None:
    wrong(times=5)
    made = devices.offer("device", "Ben", family.ben.id)
    with pytest.raises(TooMany) as refused:
        devices.look_code(made.code, HOME)
    assert 0 < refused.value.retry_after <= 600


def test_a_code_dies_at_the_door_where_it_was_guessed_at(family: Family) -> None:
    made = devices.offer("device", "Ben", family.ben.id)
    for number in range(5):
        wrong(Caller("away", f"203.0.113.{number}"))
    with pytest.raises(Invalid):
        devices.look_code(made.code, Caller("away", "203.0.113.99"))
    assert devices.look_code(made.code, HOME).id == made.invitation.id


def test_a_door_has_twenty_wrong_guesses_an_hour_and_the_other_keeps_its_own(family: Family) -> None:
    for number in range(20):
        wrong(Caller("away", f"203.0.113.{number}"))
    made = devices.offer("device", "Ben", family.ben.id)
    with pytest.raises(TooMany) as refused:
        devices.look_code(made.code, Caller("away", "203.0.113.99"))
    assert refused.value.retry_after > 3000
    assert devices.look_code(made.code, HOME)


def test_ipv6_guesses_count_by_household(family: Family) -> None:
    for number in range(5):
        wrong(Caller("home", f"2001:db8:1:2::{number + 1:x}"))
    with pytest.raises(TooMany):
        devices.look_code("BBBBBBBB", Caller("home", "2001:db8:1:2:ffff::1"))
    wrong(Caller("home", "2001:db8:1:3::1"))
    assert Caller("home", "::ffff:192.0.2.20").network == HOME.network


def test_guesses_survive_a_restart(family: Family, folder: Folder) -> None:
    wrong(times=5)
    db.close_file()
    db.open_file(folder.database)
    with pytest.raises(TooMany):
        devices.look_code("BBBBBBBB", HOME)


@pytest.mark.parametrize("hours", [-2, 2])
def test_no_code_outlives_its_time_when_the_clock_is_set(
    family: Family, clock: Callable[..., None], hours: float
) -> None:
    made = devices.offer("device", "Ben", family.ben.id)
    clock(hours=hours)
    with pytest.raises(Invalid):
        devices.look_code(made.code, HOME)
    clock(minutes=11, hours=-hours)
    with pytest.raises(Invalid):
        devices.look_code(made.code, HOME)


def test_setting_the_clock_back_forgives_no_guess(family: Family, clock: Callable[..., None]) -> None:
    wrong(times=5)
    clock(hours=-2)
    with pytest.raises(TooMany):
        devices.look_code("BBBBBBBB", HOME)


def test_links_have_a_bucket_of_their_own(family: Family) -> None:
    wrong(times=5)
    made = devices.offer("device", "Ben", family.ben.id)
    assert devices.look(made.secret, HOME).id == made.invitation.id
    for _ in range(60):
        with pytest.raises(Invalid):
            devices.look("x" * 27, Caller("home", "192.0.2.66"))
    with pytest.raises(TooMany):
        devices.look("y" * 27, Caller("home", "192.0.2.66"))
    assert devices.look(made.secret, Caller("home", "192.0.2.66")).id == made.invitation.id
    assert devices.look_code(devices.offer("device", "Ben", family.ben.id).code, Caller("home", "192.0.2.77"))


def test_only_the_hashes_of_secrets_are_in_the_file(family: Family, folder: Folder) -> None:
    made = devices.offer("member", "Mia", family.ada.id)
    sheet = devices.new_sheet(opened(family.ben))
    db.truncate_log()
    content = folder.database.read_bytes()
    for secret in (made.secret, made.code, sheet.secret, sheet.code, family.ada.token):
        assert secret.encode() not in content


def test_the_house_can_only_be_claimed_from_home(folder: Folder) -> None:
    made = devices.offer_setup()
    with pytest.raises(Invalid):
        devices.look(made.secret, AWAY)
    with pytest.raises(Invalid):
        devices.look_code(made.code, AWAY, ("setup",))
    _, first = devices.pair(devices.look_code(made.code, HOME, ("setup",)), "home", "Mac")
    assert first is not None
    assert first.is_admin
    with pytest.raises(Conflict):
        devices.offer_setup()


# Twelve places, twelve chairs


def test_twenty_pairings_at_eleven_end_at_twelve(family: Family) -> None:
    for number in range(7):
        devices.add(family.ben.id, f"device {number}", "home")
    offers = [devices.offer("device", "Ben", family.ben.id) for _ in range(20)]
    start, answers = threading.Barrier(20), []

    def run(offer: devices.Offer) -> None:
        with db.connection():
            start.wait()
            try:
                devices.pair(offer.invitation, "home", "phone")
                answers.append("in")
            except HouseFull:
                answers.append("full")

    threads = [threading.Thread(target=run, args=(each,)) for each in offers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == ["full"] * 19 + ["in"]
    assert devices.count() == 12


def test_the_thirteenth_member_finds_no_chair(family: Family) -> None:
    for number in range(8):
        members.join(f"cousin {number}")
    with pytest.raises(HouseFull):
        devices.offer("member", "Mia", family.ada.id)
    with pytest.raises(HouseFull):
        members.join("Mia")
    assert len(members.present()) == 12


def test_promised_chairs_count_and_are_free_again_when_taken_back(family: Family) -> None:
    made = [devices.offer("member", f"cousin {number}", family.ada.id) for number in range(8)]
    with pytest.raises(HouseFull):
        devices.offer("member", "Mia", family.ada.id)
    devices.withdraw(made[0].invitation.public_id)
    assert devices.offer("member", "Mia", family.ada.id)


# Signing out


def test_signing_out_closes_every_door_at_once(family: Family) -> None:
    ben = opened(family.ben)
    other = places.give_token(ben.device_id, "away")
    heard = events.rung()
    devices.revoke(ben.device, opened(family.ada))
    assert devices.recognise(family.ben.token, "home") is None
    assert devices.recognise(other, "away") is None
    assert not devices.is_open(ben.device_id)
    assert events.rung() > heard
    assert devices.was_signed_out(family.ben.token, "home") == family.ben.id
    assert devices.was_signed_out("unknown", "home") is None
    assert devices.count() == 3


def test_who_may_sign_out_whom(family: Family) -> None:
    ada, ben, cleo = opened(family.ada), opened(family.ben), opened(family.cleo)
    with pytest.raises(NotFound):
        devices.revoke(ben.device, cleo)
    with pytest.raises(NotAllowed):
        devices.revoke(ada.device, ada)
    second = devices.recognise(devices.add(family.ada.id, "laptop", "home"), "home")
    assert second is not None
    devices.revoke(ada.device, second)  # a lost phone, from another device of one's own
    with pytest.raises(NotAllowed):
        devices.revoke(second.device, second)
    devices.revoke(cleo.device, cleo)


def test_old_tokens_are_forgotten_after_a_month(family: Family, clock: Callable[..., None]) -> None:
    devices.revoke(opened(family.ben).device, opened(family.ada))
    clock(days=31)
    assert devices.forget_guesses() >= 1
    assert devices.was_signed_out(family.ben.token, "home") is None


# A device in somebody's name


def let_in(family: Family, member: str, by: Pass, name: str = "Gran", **answer: str) -> tuple[str, Pass | None]:
    secret, made = devices.ask(name, "iPad", HOME)
    devices.grant(made.public_id, Answer(made.words, member, **answer), by)
    return devices.claim(secret, "home")


def test_a_device_that_somebody_else_added_is_limited_for_a_day(family: Family, clock: Callable[..., None]) -> None:
    _, found = let_in(family, family.grandma.public_id, opened(family.ada))
    assert found is not None
    assert found.limited
    assert found.reader == 0
    assert found.id == family.grandma.id
    assert [each.public_id for each in devices.added_for(family.grandma.id)] == [found.device]
    token = devices.recognise(family.grandma.token, "home")
    assert token is not None
    assert not token.limited
    clock(hours=25)
    assert not places.recognise("x", "home")
    assert [each.limited_until < db.now() for each in devices.added_for(family.grandma.id)] == [True]
    clock(days=7)
    assert devices.added_for(family.grandma.id) == []


def test_a_yes_opens_it_and_only_an_own_device_can_say_it(family: Family) -> None:
    token, found = let_in(family, family.grandma.public_id, opened(family.ada))
    assert found is not None
    with pytest.raises(NotFound):
        devices.approve(found.device, found)
    with pytest.raises(NotFound):
        devices.approve(found.device, opened(family.ada))
    devices.approve(found.device, opened(family.grandma))
    again = devices.recognise(token, "home")
    assert again is not None
    assert not again.limited
    assert devices.added_for(family.grandma.id) == []


def test_that_wasnt_me_signs_it_out_and_it_cannot_do_so_first(family: Family) -> None:
    token, found = let_in(family, family.grandma.public_id, opened(family.ada))
    assert found is not None
    with pytest.raises(NotFound):
        devices.revoke(opened(family.grandma).device, found)
    devices.revoke(found.device, opened(family.grandma))
    assert devices.recognise(token, "home") is None


def test_a_limited_device_of_an_admin_is_no_admins(family: Family) -> None:
    member = members.get(family.ben.id)
    members.update(member, role="admin")
    token, found = let_in(family, family.ben.public_id, opened(family.ada), "Ben")
    assert found is not None
    assert not found.is_admin
    with pytest.raises(NotAllowed):
        devices.new_sheet(found)
    assert devices.waiting(found) == []
    devices.approve(found.device, opened(family.ben))
    again = devices.recognise(token, "home")
    assert again is not None
    assert again.is_admin


def test_what_an_admin_lets_in_for_themself_is_theirs(family: Family) -> None:
    _, found = let_in(family, family.ada.public_id, opened(family.ada), "Ada")
    assert found is not None
    assert not found.limited
    assert found.is_admin


# Asking at the door


def test_asking_shows_three_pairs_and_the_right_one_lets_in(family: Family) -> None:
    secret, made = devices.ask("Mia", "iPad", HOME)
    assert len(set(made.choices)) == 3
    assert made.words in made.choices
    assert devices.standing(secret, "home").state == "waiting"
    assert devices.standing(secret, "away").state == "over"
    with pytest.raises(NotFound):
        devices.claim(secret, "home")
    devices.grant(made.public_id, Answer(made.words), opened(family.ada))
    assert devices.standing(secret, "home").state == "granted"
    token, mia = devices.claim(secret, "home")
    assert mia is not None
    assert members.roster()[mia.id].name == "Mia"
    assert not mia.limited
    assert devices.recognise(token, "home") == mia
    with pytest.raises(NotFound):
        devices.claim(secret, "home")


def test_a_wrong_pair_ends_the_request(family: Family) -> None:
    secret, made = devices.ask("Gran", "iPad", HOME)
    other = next(each for each in made.choices if each != made.words)
    with pytest.raises(Invalid):
        devices.grant(made.public_id, Answer(other, family.grandma.public_id), opened(family.ada))
    assert devices.standing(secret, "home").state == "over"
    assert devices.waiting(opened(family.ada)) == []


def test_only_admins_see_and_answer_requests(family: Family) -> None:
    _, made = devices.ask("Gran", "iPad", HOME)
    assert devices.waiting(opened(family.ben)) == []
    with pytest.raises(NotFound):
        devices.grant(made.public_id, Answer(made.words), opened(family.ben))
    told = db.row("SELECT members FROM audience JOIN event ON audience_id = audience.id WHERE verb = 'ask.made'")
    assert told == (str(family.ada.id),)


def test_a_member_lets_their_own_device_come_back(family: Family) -> None:
    gran = opened(family.grandma)
    secret, made = devices.ask("grandma", "iPad", HOME)
    assert [each.id for each in devices.waiting(gran)] == [made.id]
    assert devices.waiting(opened(family.ben)) == []
    devices.grant(made.public_id, Answer(made.words, gran.member, gran.device), gran)
    _, found = devices.claim(secret, "home")
    assert found is not None
    assert (found.device_id, found.limited) == (gran.device_id, False)  # at its one place
    assert db.rows("SELECT verb FROM deed") == []  # the log is of what admins did


def test_a_member_answers_for_nobody_else(family: Family) -> None:
    gran, ben = opened(family.grandma), opened(family.ben)
    _, made = devices.ask("Grandma", "iPad", HOME)
    for member, device in (("", ""), (ben.member, ""), (ben.member, ben.device), (gran.member, ben.device)):
        with pytest.raises(NotFound):
            devices.grant(made.public_id, Answer(made.words, member, device), gran)
    for other in (gran._replace(limited=True), gran._replace(kind="shared"), ben):
        with pytest.raises(NotFound):
            devices.grant(made.public_id, Answer(made.words, gran.member), other)
    told = db.row("SELECT members FROM audience JOIN event ON audience_id = audience.id WHERE verb = 'ask.made'")
    assert told == (f"{family.ada.id},{family.grandma.id}",)


def test_three_wait_at_most_one_a_browser_for_ten_minutes(family: Family, clock: Callable[..., None]) -> None:
    first, _ = devices.ask("Gran", "iPad", Caller("home", "192.0.2.30"))
    for number in range(2):
        devices.ask("Gran", "iPad", Caller("home", f"192.0.2.{31 + number}"))
    with pytest.raises(Conflict):
        devices.ask("Gran", "iPad", Caller("home", "192.0.2.40"))
    devices.ask("Gran again", "iPad", Caller("home", "192.0.2.30"), first)
    assert [each.name for each in devices.waiting(opened(family.ada))] == ["Gran", "Gran", "Gran again"]
    clock(minutes=11)
    assert devices.waiting(opened(family.ada)) == []
    clock(minutes=-30)
    assert devices.waiting(opened(family.ada)) == []


def test_two_devices_behind_one_number_wait_at_the_same_time(family: Family) -> None:
    one, two = (Caller("home", f"2001:db8:1:2::{each}") for each in (1, 2))
    assert one.network == two.network
    phone, _ = devices.ask("Mia", "phone", one)
    tablet, made = devices.ask("Mia", "tablet", two)
    assert {devices.standing(each, "home").state for each in (phone, tablet)} == {"waiting"}
    devices.grant(made.public_id, Answer(made.words), opened(family.ada))
    third, _ = devices.ask("Mia", "laptop", one)
    fourth, _ = devices.ask("Mia", "watch", two)  # a flood ends its own, and leaves a place for another address
    states = [devices.standing(each, "home").state for each in (phone, tablet, third, fourth)]
    assert states == ["over", "granted", "waiting", "waiting"]
    devices.ask("Ben", "phone", HOME)
    with pytest.raises(Conflict):
        devices.ask("Cleo", "phone", Caller("home", "192.0.2.77"))


def test_asking_over_and_over_is_refused(family: Family) -> None:
    for _ in range(5):
        devices.ask("Gran", "iPad", HOME)
    with pytest.raises(TooMany):
        devices.ask("Gran", "iPad", HOME)


def test_from_outside_one_asks_while_an_admin_has_opened_it(family: Family, clock: Callable[..., None]) -> None:
    with pytest.raises(NotAllowed):
        devices.ask("Gran", "iPad", AWAY)
    devices.open_asking(opened(family.ada))
    secret, made = devices.ask("Gran", "iPad", AWAY)
    assert devices.waiting(opened(family.ada)) == []  # a home token may have been overheard
    outside = away(family.ada)
    assert [each.public_id for each in devices.waiting(outside)] == [made.public_id]
    devices.grant(made.public_id, Answer(made.words, family.grandma.public_id), outside)
    assert devices.claim(secret, "away")[1] is not None
    clock(minutes=11)
    assert not devices.may_ask("away")
    clock(hours=-3)
    assert not devices.may_ask("away")


def test_an_admins_own_device_comes_back_to_its_place(family: Family) -> None:
    before, ada = devices.count(), opened(family.ada)
    _, found = let_in(family, "", ada, "Ada", device=ada.device)
    assert found is not None
    assert found.device_id == ada.device_id
    assert devices.recognise(family.ada.token, "home") is not None
    assert devices.count() == before


def test_somebody_elses_device_comes_back_limited_in_place_of_the_old(family: Family) -> None:
    before, gran = devices.count(), opened(family.grandma)
    _, found = let_in(family, "", opened(family.ada), device=gran.device)
    assert found is not None
    assert found.id == family.grandma.id
    assert found.limited
    assert devices.count() == before
    assert devices.recognise(family.grandma.token, "home") is None


def test_a_full_house_is_told_to_the_one_who_answers(family: Family) -> None:
    for number in range(8):
        devices.add(family.ben.id, f"device {number}", "home")
    _, made = devices.ask("Gran", "iPad", HOME)
    with pytest.raises(HouseFull):
        devices.grant(made.public_id, Answer(made.words, family.grandma.public_id), opened(family.ada))
    assert len(devices.waiting(opened(family.ada))) == 1


# The recovery sheet


def test_there_are_256_plain_words() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in WORDS)


def test_a_sheet_lets_in_once_by_words_or_square(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    assert len(made.code.split()) == 10
    typed = made.code.upper().replace(" ", " ,\n ")
    _, found = devices.pair(devices.look_words(typed, HOME), "home", "new phone")
    assert found is not None
    assert found.id == family.grandma.id
    assert not found.limited
    assert devices.sheet_made(family.grandma.id) is None
    with pytest.raises(Invalid):
        devices.look_words(made.code, HOME)
    with pytest.raises(Invalid):
        devices.look(made.secret, HOME)
    verbs = [row[0] for row in db.rows("SELECT verb FROM event WHERE verb LIKE 'sheet.%' ORDER BY id")]
    assert verbs == ["sheet.made", "sheet.used"]


def test_a_new_sheet_voids_the_old_and_one_can_void_it(family: Family) -> None:
    old = devices.new_sheet(opened(family.grandma))
    new = devices.new_sheet(opened(family.grandma))
    with pytest.raises(Invalid):
        devices.look_words(old.code, HOME)
    assert devices.look_words(new.code, HOME)
    devices.void_sheet(family.grandma.id)
    with pytest.raises(Invalid):
        devices.look(new.secret, HOME)


def test_words_are_counted_with_codes_and_typing_errors_are_not(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    for text in ("one two", "xyzzy " * 10, ""):
        with pytest.raises(Invalid):
            devices.look_words(text, HOME)
    wrong(times=2)
    for _ in range(3):
        with pytest.raises(Invalid):
            devices.look_words("acorn " * 10, HOME)
    with pytest.raises(TooMany):
        devices.look_words(made.code, HOME)


def test_guessing_at_codes_does_not_end_a_sheet(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    for number in range(6):
        wrong(Caller("home", f"192.0.2.{100 + number}"))
    assert devices.look_words(made.code, HOME)


def test_a_sheet_in_a_full_house_takes_the_place_of_an_own_device(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    for number in range(8):
        devices.add(family.ben.id, f"device {number}", "home")
    found = devices.look_words(made.code, HOME)
    with pytest.raises(HouseFull):
        devices.pair(found, "home", "new phone")
    with pytest.raises(NotFound):
        devices.pair(found, "home", "new phone", opened(family.ben).device)
    _, gran = devices.pair(found, "home", "new phone", opened(family.grandma).device)
    assert gran is not None
    assert devices.count() == 12
    assert devices.recognise(family.grandma.token, "home") is None


def test_a_sheet_made_at_home_opens_the_home_door_alone(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    with pytest.raises(Invalid):
        devices.look_words(made.code, AWAY)
    made = devices.new_sheet(away(family.grandma))
    assert devices.look_words(made.code, AWAY)
    assert devices.look_words(made.code, HOME)


def test_a_sheet_ends_with_its_member(family: Family) -> None:
    made = devices.new_sheet(opened(family.grandma))
    devices.revoke_all(family.grandma.id)
    with pytest.raises(Invalid):
        devices.look(made.secret, HOME)


# A shared device


@pytest.fixture
def tablet(family: Family) -> tuple[str, devices.Tablet]:
    made = devices.offer("shared", "Kitchen tablet", family.ada.id)
    token, nobody = devices.pair(devices.look_code(made.code, HOME), "home", "iPad")
    assert nobody is None
    found = devices.find_tablet(token, "home")
    assert found is not None
    return token, found


def test_nobody_sits_at_a_new_tablet(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    token, kitchen = tablet
    assert devices.recognise(token, "home") is None
    assert devices.choices(kitchen) == []
    assert devices.find_tablet(family.ada.token, "home") is None
    with pytest.raises(NotFound):
        devices.sit(kitchen, family.ben.public_id, "")


def test_a_face_without_a_pin_opens_what_is_for_everyone(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    token, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "")
    devices.sit(kitchen, family.ben.public_id, "")
    ben = devices.recognise(token, "home")
    assert ben is not None
    assert (ben.id, ben.limited, ben.kind) == (family.ben.id, True, "shared")


def test_a_face_with_its_pin_opens_everything_but_admin_pages(
    family: Family, tablet: tuple[str, devices.Tablet]
) -> None:
    token, kitchen = tablet
    with pytest.raises(Invalid):
        devices.agree(kitchen.public_id, opened(family.ada), "")
    for bad in ("123", "123456789", "12a4", "١٢٣٤"):
        with pytest.raises(Invalid):
            devices.agree(kitchen.public_id, opened(family.ada), bad)
    devices.agree(kitchen.public_id, opened(family.ada), "4711")
    with pytest.raises(Invalid):
        devices.sit(kitchen, family.ada.public_id, "")
    devices.sit(kitchen, family.ada.public_id, "4711")
    ada = devices.recognise(token, "home")
    assert ada is not None
    assert not ada.limited
    assert not ada.is_admin
    with pytest.raises(NotFound):
        devices.revoke(opened(family.ben).device, ada)


def test_a_member_who_becomes_an_admin_needs_a_pin(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    _, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "")
    members.update(members.get(family.ben.id), role="admin")
    assert devices.choices(kitchen) == []


def test_five_wrong_pins_close_that_face_and_tell_its_member(
    family: Family, tablet: tuple[str, devices.Tablet], clock: Callable[..., None]
) -> None:
    _, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "4711")
    devices.agree(kitchen.public_id, opened(family.cleo), "0815")
    for _ in range(5):
        with pytest.raises(Invalid):
            devices.sit(kitchen, family.ben.public_id, "0000")
    with pytest.raises(TooMany):
        devices.sit(kitchen, family.ben.public_id, "4711")
    assert db.row("SELECT count(*) FROM event WHERE verb = 'face.closed'") == (1,)
    devices.sit(kitchen, family.cleo.public_id, "0815")
    clock(minutes=16)
    devices.sit(kitchen, family.ben.public_id, "4711")


def test_many_wrong_pins_at_once_are_no_more_than_five(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    _, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "4711")
    answers: list[str] = []

    def run() -> None:
        with db.connection():
            try:
                devices.sit(kitchen, family.ben.public_id, "0000")
            except (Invalid, TooMany) as error:
                answers.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(answers) == ["Invalid"] * 5 + ["TooMany"] * 7


def test_after_ten_minutes_nobody_sits_there(
    family: Family, tablet: tuple[str, devices.Tablet], clock: Callable[..., None]
) -> None:
    token, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "")
    devices.sit(kitchen, family.ben.public_id, "")
    clock(minutes=9)
    ben = devices.recognise(token, "home")
    assert ben is not None
    devices.note_use(ben, is_active=False)  # a live page is nobody's doing
    clock(minutes=2)
    assert devices.recognise(token, "home") is None
    assert not devices.is_open(kitchen.id, family.ben.id)
    assert devices.is_open(kitchen.id)
    devices.sit(kitchen, family.ben.public_id, "")
    clock(minutes=9)
    ben = devices.recognise(token, "home")
    assert ben is not None
    devices.note_use(ben)
    clock(minutes=9)
    assert devices.recognise(token, "home") is not None
    clock(hours=-2)
    assert devices.recognise(token, "home") is None


def test_a_face_goes_with_its_member_and_by_their_wish(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    token, kitchen = tablet
    for person in (family.ben, family.cleo):
        devices.agree(kitchen.public_id, opened(person), "")
    devices.sit(kitchen, family.ben.public_id, "")
    assert [each.is_there for each in devices.chairs(family.ben.id)] == [True]
    devices.disagree(kitchen.public_id, opened(family.ben))
    assert devices.recognise(token, "home") is None
    devices.sit(kitchen, family.cleo.public_id, "")
    devices.revoke_all(family.cleo.id)
    assert devices.recognise(token, "home") is None
    assert devices.choices(kitchen) == []


def test_a_face_is_put_there_from_an_own_device_only(family: Family, tablet: tuple[str, devices.Tablet]) -> None:
    token, kitchen = tablet
    devices.agree(kitchen.public_id, opened(family.ben), "4711")
    devices.sit(kitchen, family.ben.public_id, "4711")
    ben = devices.recognise(token, "home")
    assert ben is not None
    with pytest.raises(NotAllowed):
        devices.agree(kitchen.public_id, ben, "")
    with pytest.raises(NotFound):
        devices.agree(opened(family.ada).device, opened(family.ben), "")


# One device, several doors


@pytest.fixture
def tunnel(family: Family) -> None:
    circle.update(away_address="https://family.example.org")


def test_a_home_device_asks_for_the_away_door_and_an_away_device_grants_it(family: Family, tunnel: None) -> None:
    before = devices.count()
    ben = opened(family.ben)
    ticket = devices.look(devices.offer_away(ben).secret, AWAY)
    secret, made = devices.ask_to_cross(ticket, AWAY)
    assert devices.standing(secret, "away").is_crossing
    for at_home in (ben, opened(family.ada)):
        assert devices.waiting(at_home) == []
        with pytest.raises(NotFound):
            devices.grant(made.public_id, Answer(made.words), at_home)
    assert devices.waiting(away(family.cleo)) == []
    devices.grant(made.public_id, Answer(made.words), away(family.ben))
    token, found = devices.claim(secret, "away")
    assert found is not None
    assert found.device_id == ben.device_id
    assert devices.recognise(token, "home") is None
    assert devices.count() == before + 2  # cleo's and ben's phones outside, of this test alone
    with pytest.raises(Conflict):
        devices.offer_away(ben)
    with pytest.raises(Conflict):
        devices.ask_to_cross(ticket, AWAY)


def test_an_admins_away_device_grants_it_too(family: Family, tunnel: None) -> None:
    ticket = devices.look(devices.offer_away(opened(family.ben)).secret, AWAY)
    secret, made = devices.ask_to_cross(ticket, AWAY)
    devices.grant(made.public_id, Answer(made.words), away(family.ada))
    assert devices.claim(secret, "away")[1] is not None


def test_the_first_one_needs_a_code_from_the_machine(family: Family, tunnel: None) -> None:
    before = devices.count()
    ticket = devices.look(devices.offer_away(opened(family.ada)).secret, AWAY)
    secret, _ = devices.ask_to_cross(ticket, AWAY)
    with pytest.raises(Invalid):
        devices.grant_by_code(secret, devices.offer("device", "Ada", family.ada.id).code, AWAY)
    devices.grant_by_code(secret, devices.offer_recovery().code, AWAY)
    _, found = devices.claim(secret, "away")
    assert found is not None
    assert found.is_admin
    assert devices.count() == before


def test_a_ticket_opens_nothing_by_itself(family: Family, tunnel: None) -> None:
    made = devices.offer_away(opened(family.ben))
    with pytest.raises(Invalid):
        devices.look(made.secret, HOME)
    ticket = devices.look(made.secret, AWAY)
    with pytest.raises(NotFound):
        devices.use_here(ticket, "away")


def test_what_is_made_with_a_home_token_opens_nothing_outside(family: Family, tunnel: None) -> None:
    made = devices.offer_own(opened(family.ben))
    with pytest.raises(Invalid):
        devices.look(made.secret, AWAY)
    with pytest.raises(Invalid):
        devices.look_code(made.code, AWAY)
    assert devices.look(made.secret, HOME)
    made = devices.offer_own(away(family.ben))
    assert devices.look(made.secret, AWAY)


def test_a_device_has_several_home_addresses_at_one_place(family: Family) -> None:
    before = devices.count()
    ben = opened(family.ben)
    made = devices.offer_here(ben)
    token, found = devices.use_here(devices.look(made.secret, HOME), "home")
    assert found.device_id == ben.device_id
    assert token != family.ben.token
    assert devices.recognise(family.ben.token, "home") is not None
    assert devices.count() == before
    with pytest.raises(Invalid):
        devices.look(made.secret, HOME)


def test_an_icon_hands_its_place_on_once_within_a_day(family: Family, clock: Callable[..., None]) -> None:
    ben = opened(family.ben)
    secret = devices.icon_secret(ben, family.ben.token)
    assert devices.icon_secret(ben, family.ben.token) == secret  # looking at the manifest again changes nothing
    assert devices.icon_secret(opened(family.ada), family.ada.token) != secret
    _, found = devices.use_here(devices.look(secret, HOME), "home")
    assert found.device_id == ben.device_id
    with pytest.raises(Invalid):
        devices.look(secret, HOME)
    clock(days=1)
    tomorrow = devices.icon_secret(ben, family.ben.token)
    assert tomorrow != secret
    clock(hours=25)
    with pytest.raises(Invalid):
        devices.look(tomorrow, HOME)


def test_a_link_for_a_device_that_is_signed_out_opens_nothing(family: Family) -> None:
    found = devices.look(devices.offer_here(opened(family.ben)).secret, HOME)
    devices.revoke(opened(family.ben).device, opened(family.ada))
    with pytest.raises(NotFound):
        devices.use_here(found, "home")
