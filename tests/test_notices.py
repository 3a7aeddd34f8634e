"""What is new: the divider, *Since*, the dot; by a state machine against a simple model of who sees what."""

from __future__ import annotations

import datetime as dt
import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from homecircle import circle, db, feed, members, membership, notices, presence, threads
from homecircle.errors import NotFound
from homecircle.files import Folder
from homecircle.threads import Words
from tests.conftest import Family


def test_a_post_lights_the_dot_of_its_audience_alone(family: Family) -> None:
    feed.publish(family.ada.id, "A surprise", [], [family.cleo.public_id], "k")
    assert [notices.has_new(each.id) for each in family] == [False, False, True, False]
    notices.see(family.cleo.id, notices.newest())
    assert not notices.has_new(family.cleo.id)


def test_a_message_tells_the_poster_and_those_who_wrote_before(family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "k")
    threads.say(post, family.ben.id, Words("Yes"), "1")
    for each in family:
        notices.see(each.id, notices.newest())
    threads.say(post, family.cleo.id, Words("Me too"), "2")
    assert [notices.has_new(each.id) for each in family] == [True, True, False, False]


def test_marks_and_joins_are_listed_but_light_no_dot(family: Family) -> None:
    post = feed.publish(family.ada.id, "Badge", [], [], "k")
    for each in family:
        notices.see(each.id, notices.newest())
    feed.mark(post, family.ben.id, "👏")
    members.join("Mia")
    assert not notices.has_new(family.ada.id)
    assert {each.verb for each in notices.since(family.ada.id) if each.is_new} == {"mark.made", "member.joined"}
    feed.unmark(post, family.ben.id)
    assert {each.verb for each in notices.since(family.ada.id) if each.is_new} == {"member.joined"}


def test_a_wave_tells_one(family: Family) -> None:
    presence.wave(family.ada.id, family.grandma.public_id)
    assert [notices.has_new(each.id) for each in family] == [False, False, False, True]


def test_what_was_deleted_is_no_news(family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "k")
    said = threads.say(post, family.ben.id, Words("Yes"), "1")
    threads.take_back(said, post, family.ben.id, is_admin=False)
    assert not notices.has_new(family.ada.id)
    feed.take_down(post, family.ada.id, is_admin=False)
    assert not any(notices.has_new(each.id) for each in family)


def test_the_divider_stands_where_the_last_visit_ended(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [db.now()]
    monkeypatch.setattr(db, "now", lambda: clock[0])
    first = feed.publish(family.ada.id, "one", [], [], "1")
    notices.visit(family.ben.id, first.id)
    tuesday = clock[0]
    clock[0] += dt.timedelta(days=2)
    second = feed.publish(family.ada.id, "two", [], [], "2")
    visit = notices.visit(family.ben.id, second.id)
    assert (visit.post, visit.since) == (first.id, tuesday)
    clock[0] += dt.timedelta(minutes=20)  # the same visit, on another device too: it stays
    assert notices.visit(family.ben.id, second.id).post == first.id
    clock[0] += dt.timedelta(minutes=31)
    assert notices.visit(family.ben.id, second.id).post == second.id


class FamilyLife(RuleBasedStateMachine):
    """Posts, messages, edits, deletes, reads, joins and goings against a model of who sees what and what is unread."""

    people, posts = Bundle("people"), Bundle("posts")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        folder = Folder(Path(self.place.name) / "data")
        folder.prepare()
        db.open_file(folder.database)
        circle.update(name="The Lindqvists", claimed_at=db.now())
        self.number = itertools.count()
        self.present: dict[int, str] = {}
        self.shared: dict[int, dict] = {}  # post id -> author, audience (None: everyone), alive, text
        self.said: list[dict] = []
        self.news: dict[int, set[str]] = {}  # member -> what lights their dot
        admin = members.join("Ada", role="admin")
        self.present[admin.id], self.news[admin.id] = admin.public_id, set()
        self.admin = admin.id

    def teardown(self) -> None:
        db.close_file()
        self.place.cleanup()

    def _sees(self, person: int, post: dict) -> bool:
        return post["alive"] and (post["audience"] is None or person in post["audience"])

    @rule(target=people)
    def ada(self) -> int:
        return self.admin

    @rule(target=people)
    def join(self) -> int:
        if len(self.present) >= 12:
            return self.admin
        made = members.join(f"P{next(self.number)}")
        self.present[made.id], self.news[made.id] = made.public_id, set()
        return made.id

    @rule(target=posts, author=people, others=st.lists(people, max_size=3))
    def share(self, author: int, others: list[int]) -> object:
        named = [each for each in others if each in self.present and each != author]
        if author not in self.present:
            return multiple()
        text = f"post {next(self.number)}"
        made = feed.publish(author, text, [], [self.present[each] for each in named], text)
        post = {"author": author, "audience": {author, *named} if named else None, "alive": True, "text": text}
        self.shared[made.id] = post
        for person in self.present:
            if person != author and self._sees(person, post):
                self.news[person].add(f"post {made.id}")
        return made.id

    @rule(number=posts, who=people)
    def say(self, number: int, who: int) -> None:
        post, row = self.shared[number], feed.Post.get_by_id(number)
        if who not in self.present:
            return
        if not self._sees(who, post):
            with pytest.raises(NotFound):
                feed.get(row.public_id, who)
            return
        text = f"message {next(self.number)}"
        made = threads.say(feed.get(row.public_id, who), who, Words(text), text)
        told = {post["author"]} | {each["author"] for each in self.said if each["post"] == number and each["alive"]}
        said = {"id": made.id, "post": number, "author": who, "text": text, "alive": True, "told": told - {who}}
        self.said.append(said)
        for person in said["told"] & self.present.keys():
            self.news[person].add(f"message {made.id}")

    @rule(number=posts)
    def edit(self, number: int) -> None:
        post, row = self.shared[number], feed.Post.get_by_id(number)
        if post["alive"] and post["author"] in self.present:
            post["text"] = f"edited {next(self.number)}"
            feed.edit(row, post["author"], post["text"])

    @rule(number=posts)
    def delete_or_put_back(self, number: int) -> None:
        post, row = self.shared[number], feed.Post.get_by_id(number)
        if post["author"] not in self.present:
            return
        if post["alive"]:
            feed.take_down(row, post["author"], is_admin=False)
        else:
            feed.put_back(row.public_id, post["author"], post["author"])
        post["alive"] = not post["alive"]

    @rule(who=people)
    def read(self, who: int) -> None:
        if who in self.present:
            notices.see(who, notices.newest())
            self.news[who].clear()

    @rule(who=consumes(people), stay=st.booleans())
    def leave(self, who: int, stay: bool) -> None:
        if who == self.admin or who not in self.present:
            return
        membership.leave(who, posts_stay=stay)
        del self.present[who]
        for post in self.shared.values():
            if post["author"] == who and not stay:
                post["alive"] = False

    @invariant()
    def everyone_sees_exactly_what_they_may(self) -> None:
        for person in self.present:
            expected = [
                number for number, post in sorted(self.shared.items(), reverse=True) if self._sees(person, post)
            ]
            seen, cursor = [], ""
            while True:
                entries, cursor = feed.page(person, cursor, limit=3)
                seen += entries
                if not cursor:
                    break
            assert [each.number for each in seen] == expected
            assert [each.text for each in seen] == [self.shared[number]["text"] for number in expected]
            for number in expected:
                lines = [each["text"] for each in self.said if each["post"] == number and each["alive"]]
                assert [line.text for line in threads.page(number)] == lines

    @invariant()
    def the_dot_is_lit_for_what_is_new_and_still_there(self) -> None:
        by_message = {each["id"]: each for each in self.said}
        for person in self.present:
            lit = False
            for each in self.news[person]:
                kind, number = each.split()
                post = self.shared[int(number) if kind == "post" else by_message[int(number)]["post"]]
                lit = lit or self._sees(person, post)
            assert notices.has_new(person) == lit


TestFamilyLife = FamilyLife.TestCase
TestFamilyLife.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
