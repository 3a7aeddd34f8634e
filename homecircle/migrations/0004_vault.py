"""The vault by month, what search finds, and which memories one does not want to see.

`item_place` says who may see an item and where it stands in time: one row for everyone (reader 0), else one for each
member. So a page is two keyset arms, month counts summed for a viewer are exact, and an item in two posts stands there
once. The rule is one trigger on the view `item_audience`; "look again at this item" is an INSERT into it, which every
table that shows items does. `find` holds what can be found, with facts as tokens: ƒr<reader>, ƒm<author>, ƒt<month>
(a letter nobody types); `found` is its index. What is in the trash keeps its row and its place, without facts.
`words` is what a noun writes when its text has scripts without spaces (split into letters); '' means the text itself.
"""

import re

UNSPACED = re.compile(
    "([\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff])"
)
AT = """coalesce(CAST(strftime('%Y%m%d%H%M%S', substr(item.taken, 1, 19)) AS INTEGER),
  CAST(strftime('%Y%m%d%H%M%S', item.added_at, 'unixepoch', 'localtime') AS INTEGER))"""


def month(column):
    return f"strftime('%Y%m', {column}, 'unixepoch', 'localtime')"


def readers(audience):
    return (
        f"CASE {audience} WHEN 1 THEN 'ƒr0' ELSE (SELECT group_concat('ƒr' || member_id, ' ') FROM audience_member"
        f" WHERE audience_id = {audience}) END"
    )


POST_FACTS = f"""CASE WHEN post.deleted_at IS NULL THEN {readers("post.audience_id")} || ' ƒm' || post.author_id
  || ' ƒt' || {month("post.shared_at")} ELSE '' END"""
MESSAGE_FACTS = f"""CASE WHEN message.deleted_at IS NULL AND post.deleted_at IS NULL
  THEN {readers("post.audience_id")} || ' ƒm' || message.author_id || ' ƒt' || {month("message.said_at")} ELSE '' END"""
ITEM_FACTS = """coalesce((SELECT
  group_concat('ƒr' || reader_id, ' ') || ' ƒm' || item.member_id || ' ƒt' || (at / 100000000)
  FROM item_place WHERE item_id = item.id), '')"""
ITEM_TEXT = "item.caption || ' ' || item.description || ' ' || item.name"
ITEM_WORDS = f"CASE item.words WHEN '' THEN {ITEM_TEXT} ELSE item.words END"
LOOK = "INSERT INTO item_audience (item_id)"

STATEMENTS = [
    "ALTER TABLE post ADD COLUMN words TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE message ADD COLUMN words TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE item ADD COLUMN words TEXT NOT NULL DEFAULT ''",
    # Days and months are numbers as one reads them: at is 20260703142005, the camera's own wall clock.
    """CREATE TABLE item_place (
      reader_id INTEGER NOT NULL, shelf INTEGER NOT NULL, at INTEGER NOT NULL, item_id INTEGER NOT NULL REFERENCES item,
      PRIMARY KEY (reader_id, shelf, at, item_id)) WITHOUT ROWID""",
    "CREATE INDEX item_place_item ON item_place (item_id)",
    "CREATE INDEX item_place_day ON item_place (reader_id, at / 1000000 % 10000, at) WHERE shelf = 0",
    """CREATE TABLE item_month (
      reader_id INTEGER NOT NULL, month INTEGER NOT NULL, n INTEGER NOT NULL,
      PRIMARY KEY (reader_id, month)) WITHOUT ROWID""",
    """CREATE TRIGGER item_month_more AFTER INSERT ON item_place WHEN NEW.shelf = 0 BEGIN
      INSERT INTO item_month (reader_id, month, n) VALUES (NEW.reader_id, NEW.at / 100000000, 1)
      ON CONFLICT (reader_id, month) DO UPDATE SET n = n + 1; END""",
    """CREATE TRIGGER item_month_less AFTER DELETE ON item_place WHEN OLD.shelf = 0 BEGIN
      UPDATE item_month SET n = n - 1 WHERE reader_id = OLD.reader_id AND month = OLD.at / 100000000; END""",
    """CREATE TABLE find (
      id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, number INTEGER NOT NULL, facts TEXT NOT NULL,
      words TEXT NOT NULL, UNIQUE (kind, number))""",
    """CREATE VIRTUAL TABLE found USING fts5(facts, words, content='find', content_rowid='id', columnsize=0,
      tokenize='unicode61 remove_diacritics 2', prefix='2 3')""",
    # SQLite before 3.41 takes FTS5 for unsafe in a trigger of a schema that is not trusted, so triggers only note what
    # stands in the index of a row that has turned, and `search` brings the index up to it before the same commit.
    """CREATE TABLE find_turned (id INTEGER PRIMARY KEY, facts TEXT, words TEXT)""",
    "CREATE TRIGGER find_more AFTER INSERT ON find BEGIN INSERT INTO find_turned (id) VALUES (NEW.id); END",
    """CREATE TRIGGER find_less AFTER DELETE ON find BEGIN
      INSERT OR IGNORE INTO find_turned (id, facts, words) VALUES (OLD.id, OLD.facts, OLD.words); END""",
    """CREATE TRIGGER find_other AFTER UPDATE ON find WHEN OLD.facts <> NEW.facts OR OLD.words <> NEW.words BEGIN
      INSERT OR IGNORE INTO find_turned (id, facts, words) VALUES (OLD.id, OLD.facts, OLD.words); END""",
    """CREATE VIEW item_audience AS
      SELECT post_item.item_id AS item_id, post.audience_id AS audience_id
        FROM post_item JOIN post ON post.id = post_item.post_id AND post.deleted_at IS NULL
      UNION ALL SELECT message_item.item_id, post.audience_id
        FROM message_item JOIN message ON message.id = message_item.message_id AND message.deleted_at IS NULL
        JOIN post ON post.id = message.post_id AND post.deleted_at IS NULL""",
    # Named readers are asked for only where not everyone sees the item; the one who added it always does.
    f"""CREATE TRIGGER item_places INSTEAD OF INSERT ON item_audience BEGIN
      DELETE FROM item_place WHERE item_id = NEW.item_id;
      INSERT INTO item_place (reader_id, shelf, at, item_id)
        SELECT 0, item.kind NOT IN ('photo', 'video'), {AT}, item.id FROM item
        WHERE item.id = NEW.item_id AND item.deleted_at IS NULL AND item.kind <> 'link'
          AND EXISTS (SELECT 1 FROM item_audience WHERE item_id = NEW.item_id AND audience_id = 1);
      INSERT INTO item_place (reader_id, shelf, at, item_id)
        SELECT reader.id, item.kind NOT IN ('photo', 'video'), {AT}, item.id FROM item JOIN member AS reader
        WHERE item.id = NEW.item_id AND item.deleted_at IS NULL AND item.kind <> 'link'
          AND NOT EXISTS (SELECT 1 FROM item_place WHERE item_id = NEW.item_id)
          AND (reader.id = item.member_id OR reader.id IN (
            SELECT audience_member.member_id FROM item_audience
            JOIN audience_member ON audience_member.audience_id = item_audience.audience_id
            WHERE item_audience.item_id = NEW.item_id));
      UPDATE find SET facts = (SELECT {ITEM_FACTS} FROM item WHERE item.id = NEW.item_id)
        WHERE kind = 'item' AND number = NEW.item_id; END""",
    f"""CREATE TRIGGER item_added AFTER INSERT ON item BEGIN
      INSERT INTO find (kind, number, facts, words) SELECT 'item', item.id, '', {ITEM_WORDS} FROM item
        WHERE item.id = NEW.id;
      {LOOK} VALUES (NEW.id); END""",
    f"""CREATE TRIGGER item_moved AFTER UPDATE OF taken, kind, deleted_at, member_id ON item
      WHEN OLD.taken IS NOT NEW.taken OR OLD.kind <> NEW.kind OR OLD.deleted_at IS NOT NEW.deleted_at
        OR OLD.member_id <> NEW.member_id
      BEGIN {LOOK} VALUES (NEW.id); END""",
    f"""CREATE TRIGGER item_described AFTER UPDATE OF name, caption, description, words ON item BEGIN
      UPDATE find SET words = (SELECT {ITEM_WORDS} FROM item WHERE item.id = NEW.id)
        WHERE kind = 'item' AND number = NEW.id; END""",
    """CREATE TRIGGER item_gone BEFORE DELETE ON item BEGIN
      DELETE FROM item_place WHERE item_id = OLD.id;
      DELETE FROM find WHERE kind = 'item' AND number = OLD.id; END""",
    *(
        f"""CREATE TRIGGER {table}_{name} AFTER {verb} ON {table} BEGIN {LOOK} VALUES ({which}.item_id); END"""
        for table in ("post_item", "message_item")
        for name, verb, which in (("shown", "INSERT", "NEW"), ("hidden", "DELETE", "OLD"))
    ),
    f"""CREATE TRIGGER post_found AFTER INSERT ON post BEGIN
      INSERT INTO find (kind, number, facts, words)
        SELECT 'post', post.id, {POST_FACTS}, CASE post.words WHEN '' THEN post.text ELSE post.words END
        FROM post WHERE post.id = NEW.id; END""",
    """CREATE TRIGGER post_reworded AFTER UPDATE OF text, words ON post BEGIN
      UPDATE find SET words = CASE NEW.words WHEN '' THEN NEW.text ELSE NEW.words END
        WHERE kind = 'post' AND number = NEW.id; END""",
    f"""CREATE TRIGGER post_turned AFTER UPDATE OF deleted_at, audience_id ON post
      WHEN OLD.deleted_at IS NOT NEW.deleted_at OR OLD.audience_id <> NEW.audience_id BEGIN
      UPDATE find SET facts = (SELECT {POST_FACTS} FROM post WHERE post.id = NEW.id)
        WHERE kind = 'post' AND number = NEW.id;
      UPDATE find SET facts = (SELECT {MESSAGE_FACTS} FROM message JOIN post ON post.id = message.post_id
          WHERE message.id = find.number)
        WHERE kind = 'message' AND number IN (SELECT id FROM message WHERE post_id = NEW.id AND deleted_at IS NULL);
      {LOOK} SELECT item_id FROM post_item WHERE post_id = NEW.id;
      {LOOK} SELECT item_id FROM message_item JOIN message ON message.id = message_id
        WHERE message.post_id = NEW.id AND message.deleted_at IS NULL; END""",
    "CREATE TRIGGER post_gone AFTER DELETE ON post BEGIN DELETE FROM find WHERE kind = 'post' AND number = OLD.id; END",
    f"""CREATE TRIGGER message_found AFTER INSERT ON message BEGIN
      INSERT INTO find (kind, number, facts, words) SELECT 'message', message.id, {MESSAGE_FACTS},
        CASE message.words WHEN '' THEN message.text ELSE message.words END
        FROM message JOIN post ON post.id = message.post_id WHERE message.id = NEW.id; END""",
    """CREATE TRIGGER message_reworded AFTER UPDATE OF text, words ON message BEGIN
      UPDATE find SET words = CASE NEW.words WHEN '' THEN NEW.text ELSE NEW.words END
        WHERE kind = 'message' AND number = NEW.id; END""",
    f"""CREATE TRIGGER message_turned AFTER UPDATE OF deleted_at ON message
      WHEN OLD.deleted_at IS NOT NEW.deleted_at BEGIN
      UPDATE find SET facts = (SELECT {MESSAGE_FACTS} FROM message JOIN post ON post.id = message.post_id
        WHERE message.id = NEW.id) WHERE kind = 'message' AND number = NEW.id;
      {LOOK} SELECT item_id FROM message_item WHERE message_id = NEW.id; END""",
    """CREATE TRIGGER message_gone AFTER DELETE ON message BEGIN
      DELETE FROM find WHERE kind = 'message' AND number = OLD.id; END""",
    # A memory that a member does not want: `day` is its day (0: any), `until` the last day (as a number) it stays away.
    """CREATE TABLE memory_hidden (
      member_id INTEGER NOT NULL REFERENCES member, day INTEGER NOT NULL, until INTEGER NOT NULL,
      PRIMARY KEY (member_id, day)) WITHOUT ROWID""",
]
# What is there already is found in the order in which it came.
FILL = [
    f"""INSERT INTO find (kind, number, facts, words)
      SELECT kind, number, facts, words FROM (
        SELECT 'post' AS kind, post.id AS number, post.shared_at AS at, {POST_FACTS} AS facts,
          CASE post.words WHEN '' THEN post.text ELSE post.words END AS words FROM post
        UNION ALL SELECT 'message', message.id, message.said_at, {MESSAGE_FACTS},
          CASE message.words WHEN '' THEN message.text ELSE message.words END
          FROM message JOIN post ON post.id = message.post_id
        UNION ALL SELECT 'item', item.id, item.added_at, '', {ITEM_WORDS} FROM item)
      ORDER BY at, kind DESC, number""",
    f"{LOOK} SELECT id FROM item ORDER BY id",
    "INSERT INTO found (found) VALUES ('rebuild')",
    "DELETE FROM find_turned",
]


def up(migrator, db):
    for statement in STATEMENTS[:3]:
        db.execute_sql(statement)
    for table, text in (("post", "text"), ("message", "text"), ("item", ITEM_TEXT)):
        for number, words in db.execute_sql(f"SELECT id, {text} FROM {table}").fetchall():
            if UNSPACED.search(words):
                spelled = UNSPACED.sub(r" \1 ", words)
                db.execute_sql(f"UPDATE {table} SET words = ? WHERE id = ?", (spelled, number))
    for statement in STATEMENTS[3:] + FILL:
        db.execute_sql(statement)
