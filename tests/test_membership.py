"""Joining, as the family hears of it: a post that can be answered, one line in Since, no dot; and a welcome."""

from __future__ import annotations

import pytest

from homecircle import devices, feed, members, membership, notices, threads
from homecircle.devices import Answer, Caller, Pass
from homecircle.errors import Invalid, NotAllowed
from homecircle.threads import Words
from tests.conftest import Family

HOME = Caller("home", "192.0.2.20")


def come(family: Family, name: str = "Mia", **more: str) -> Pass:
    made = devices.offer("member", name, family.ada.id, **more)
    opened = membership.pair(made.invitation, "home", "iPhone")[1]
    assert opened is not None
    return opened


def test_joining_is_a_post_that_can_be_answered_and_lights_no_dot(family: Family) -> None:
    mia = come(family)
    (entry,) = feed.page(family.ben.id)[0]
    assert (entry.author_id, entry.kind, entry.audience) == (mia.id, "joined", ())
    assert not any(notices.has_new(each.id) for each in family)
    line = notices.since(family.ben.id)[0]
    assert (line.verb, line.post) == ("member.joined", entry.id)
    post = feed.get(entry.id, family.ben.id)
    threads.say(post, family.ben.id, Words("Welcome!"), "k")
    assert [each.verb for each in notices.since(mia.id) if each.is_new] == ["message.said"]
    assert notices.has_new(mia.id)


def test_the_news_of_joining_is_not_edited_but_can_be_removed(family: Family) -> None:
    mia = come(family)
    post = feed.get(feed.page(mia.id)[0][0].id, mia.id)
    with pytest.raises(NotAllowed):
        feed.edit(post, mia.id, "I am here")
    feed.take_down(post, mia.id, is_admin=False)
    assert feed.page(family.ben.id)[0] == []
    line = notices.since(family.ben.id)[0]
    assert (line.verb, line.post) == ("member.joined", None)


def test_one_who_asked_at_the_door_is_told_of_too(family: Family) -> None:
    secret, made = devices.ask("Mia", "iPad", HOME)
    ada = devices.recognise(family.ada.token, "home")
    devices.grant(made.public_id, Answer(made.words), ada)
    mia = membership.claim(secret, "home")[1]
    assert [each.kind for each in feed.page(family.ben.id)[0]] == ["joined"]
    assert notices.visit(mia.id, 0)[4:] == ("", family.ada.id)


def test_a_further_device_is_no_joining(family: Family) -> None:
    made = devices.offer_own(devices.recognise(family.ben.token, "home"))
    membership.pair(made.invitation, "home", "iPad")
    secret, asked = devices.ask("Grandma", "iPad", HOME)
    gran = devices.recognise(family.grandma.token, "home")
    devices.grant(asked.public_id, Answer(asked.words, gran.member, gran.device), gran)
    membership.claim(secret, "home")
    assert feed.page(family.ada.id)[0] == []
    assert notices.visit(family.ben.id, 0).welcome is None


def test_a_welcome_stays_until_it_is_answered(family: Family) -> None:
    mia = come(family, welcome="  Here at last  ")
    assert notices.visit(mia.id, 0)[4:] == ("Here at last", family.ada.id)
    feed.publish(mia.id, "Hello all", [], [], "k")
    assert notices.visit(mia.id, 0).welcome is None
    max_ = come(family, "Max")
    assert notices.visit(max_.id, 0).welcome == ""
    members.greeted(max_.id)
    assert notices.visit(max_.id, 0).welcome is None


def test_a_welcome_is_a_line_and_survives_showing_again(family: Family) -> None:
    with pytest.raises(Invalid):
        devices.offer("member", "Mia", family.ada.id, welcome="x" * 201)
    made = devices.offer("member", "Mia", family.ada.id, welcome="Here at last")
    again = devices.renew_code(made.invitation.public_id, family.ada.id)
    assert again.invitation.welcome == "Here at last"
