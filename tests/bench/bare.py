"""The bare page that Home is measured against: the feed's HTML by Flask and Jinja from hand-written SQL into dicts.

No pairing, no guard, no audiences but one condition, no unread, no presence, no headers, no translations, no packing.
Its posts are drawn as one writes such a page (bare_posts.html: loops and two macros); all that surrounds the posts is
taken as plain text from the page it is compared with, so it costs nothing here and cannot drift.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from flask import Flask, render_template
from jinja2 import DictLoader
from markupsafe import Markup, escape

REACTIONS = (("❤️", "Love"), ("😂", "Ha!"), ("🤗", "Hug"), ("👏", "Well done"), ("😮", "Wow"), ("😢", "Oh no"),
             ("🙏", "Thank you"), ("👋", "Thinking of you"))  # fmt: skip
POSTS = Path(__file__).with_name("bare_posts.html")
_LINK = re.compile(r"https?://[^\s<>\"]+")


def app(database: Path, like: str, member_id: int) -> Flask:
    """Return the bare application for a database; `like` is the page of that member it is compared with."""
    made = Flask("bare")
    made.jinja_env.trim_blocks = made.jinja_env.lstrip_blocks = True
    made.jinja_env.filters.update(ago=_ago, iso=_iso, moment=_moment, day=_day, prose=_prose, initials=_initials)
    before, rest = re.split(r'(?<=<div class="posts" id="posts" data-first=")', like, maxsplit=1)
    after = rest.rpartition('<div class="earlier"')[2].partition("</div>")[2]
    escaped = [re.sub(r"(\{[{%#])", r"{{ '\1' }}", each) for each in (before, after)]
    page = escaped[0] + '{{ posts[0].public_id }}">\n' + POSTS.read_text() + escaped[1]
    made.jinja_loader = DictLoader({"feed.html": page})  # compiled once, as a file would be
    sprite = re.search(r"/static/\w+/icons\.svg", like)[0]

    @made.get("/")
    def index() -> str:
        line = sqlite3.connect(database)
        line.row_factory = lambda cursor, row: dict(zip([each[0] for each in cursor.description], row, strict=True))
        try:
            me = line.execute("SELECT * FROM member WHERE id = ?", (member_id,)).fetchone()
            posts = _posts(line, me)
        finally:
            line.close()
        since = dt.datetime.fromtimestamp(me["visit_since"], dt.UTC)
        return render_template("feed.html", posts=posts, me=me, sprite=sprite, reactions=REACTIONS, since=since,
                               key=secrets.token_urlsafe(12))  # fmt: skip

    return made


def _posts(line: sqlite3.Connection, me: dict[str, Any]) -> list[dict[str, Any]]:
    people = {row["id"]: row for row in line.execute(
        "SELECT member.*, original.stamp FROM member LEFT JOIN original ON original.id = picture_id")}  # fmt: skip
    posts = line.execute(_PAGE, (me["id"],)).fetchall()
    numbers = ",".join(str(post["id"]) for post in posts)
    by_number = {post["id"]: post for post in posts}
    for post in posts:
        post |= {"author": people[post["author_id"]], "at": _at(post["shared_at"]), "tiles": [], "marks": [],
                 "messages": [], "my_mark": None,
                 "seen": post["id"] <= me["visit_post"] or post["author_id"] == me["id"],
                 "audience": [people[int(each)] for each in post["members"].split(",") if each]}  # fmt: skip
    for tile in line.execute(_TILES.format(numbers)):
        by_number[tile["post_id"]]["tiles"].append(tile)
    for mark in line.execute(f"SELECT * FROM mark WHERE post_id IN ({numbers}) ORDER BY post_id, made_at"):
        by_number[mark["post_id"]]["marks"].append(mark | {"member": people[mark["member_id"]]})
        if mark["member_id"] == me["id"]:
            by_number[mark["post_id"]]["my_mark"] = mark["mark"]
    for said in line.execute(_MESSAGES.format(numbers)):
        quote = said["quoted_by"] and {"author": people[said["quoted_by"]], "text": said["quoted_text"]}
        by_number[said["post_id"]]["messages"].append(
            said | {"author": people[said["author_id"]], "at": _at(said["said_at"]), "quote": quote}
        )
    for post in posts:
        post["earlier"], post["messages"] = len(post["messages"]) > 2, post["messages"][-2:]
    return posts


def _at(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _iso(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(at: dt.datetime) -> str:
    return at.astimezone().strftime("%A %-d %B %Y, %H:%M")


def _ago(at: dt.datetime) -> str:
    passed = (dt.datetime.now(dt.UTC) - at).total_seconds()
    if passed < 60:
        return "now"
    if passed < 3600:
        return f"{int(passed // 60)} min"
    return f"{int(passed // 3600)} h" if passed < 20 * 3600 else _day(at)


def _day(at: dt.datetime) -> str:
    local, today = at.astimezone().date(), dt.datetime.now().astimezone().date()
    days = (today - local).days
    if days < 2:
        return "yesterday" if days else "today"
    if days < 7:
        return local.strftime("%A")
    return local.strftime("%-d %B" if local.year == today.year else "%-d %B %Y")


def _initials(name: str) -> str:
    words = name.split()
    return (words[0][0] + words[-1][0] if len(words) > 1 else name[:1]).upper()


def _prose(text: str) -> Markup:
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        shown = found[0].partition("://")[2].removeprefix("www.").rstrip("/")
        shown = shown if len(shown) <= 40 else shown[:39] + "…"
        link = Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(found[0], shown)
        pieces += [escape(text[end : found.start()]), link]
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])


_PAGE = """
SELECT post.*, audience.members FROM post JOIN audience ON audience.id = audience_id
WHERE deleted_at IS NULL AND (audience_id = 1 OR audience_id IN (
  SELECT audience_id FROM audience_member WHERE member_id = ?)) ORDER BY post.id DESC LIMIT 20"""
_TILES = """
SELECT post_item.post_id, item.*, original.width, original.height, original.preview, original.stamp
FROM post_item JOIN item ON item.id = item_id JOIN original ON original.id = original_id
WHERE post_id IN ({}) AND item.deleted_at IS NULL ORDER BY post_id, position"""
_MESSAGES = """
SELECT * FROM (SELECT message.*, quoted.author_id AS quoted_by, quoted.text AS quoted_text,
  row_number() OVER (PARTITION BY message.post_id ORDER BY message.id DESC) AS place
  FROM message LEFT JOIN message AS quoted ON quoted.id = message.quote_id
  WHERE message.post_id IN ({}) AND message.deleted_at IS NULL) WHERE place <= 3 ORDER BY id"""
