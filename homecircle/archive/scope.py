"""How much of the house is taken out: the one place of the archive that decides what may be seen.

Conditions are fixed SQL texts that take the member's id as ``:me``. A post's is asked of the table `post`, a message's
of `message` joined with its `post`, an item's of `item`, a link's of `link`.
"""

from __future__ import annotations

from typing import NamedTuple

from homecircle import audiences

_SEEN = audiences.VISIBLE.replace("audience_id", "post.audience_id", 2).replace("?", ":me")
_THERE = "post.deleted_at IS NULL"
_SAID = f"message.deleted_at IS NULL AND {_THERE}"
# Who may see an item, and when it was taken, is kept by triggers (migration 0004): reader 0 is everyone.
_PLACES = "SELECT item_id, max(at) AS at FROM item_place"


class Scope(NamedTuple):
    """`kind` is 'house', 'member' (what they may see) or 'own' (what they shared, said and added)."""

    kind: str
    member_id: int = 0

    @property
    def posts(self) -> str:
        """The condition on a post."""
        return {"house": _THERE, "member": f"{_THERE} AND {_SEEN}",
                "own": f"{_THERE} AND post.author_id = :me"}[self.kind]  # fmt: skip

    @property
    def messages(self) -> str:
        """The condition on a message: in *own* the answers to one's posts, and what one said under those of others."""
        return {"house": _SAID, "member": f"{_SAID} AND {_SEEN}",
                "own": f"{_SAID} AND {_SEEN} AND :me IN (post.author_id, message.author_id)"}[self.kind]  # fmt: skip

    @property
    def places(self) -> str:
        """A query for (item_id, at) of every item that is taken along."""
        readers = "" if self.kind == "house" else " WHERE reader_id IN (0, :me)"
        mine = " AND item_id IN (SELECT id FROM item WHERE member_id = :me)" if self.kind == "own" else ""
        return f"{_PLACES}{readers}{mine} GROUP BY item_id"

    @property
    def links(self) -> str:
        """The condition on a link that is kept without a post: it is its keeper's own."""
        mine = "" if self.kind == "house" else " AND link.member_id = :me"
        return f"link.post_id IS NULL AND link.deleted_at IS NULL{mine}"

    @property
    def values(self) -> dict[str, object]:
        """What the conditions ask for."""
        return {"me": self.member_id}

    def takes_whole(self, owner_id: int, *, place_shared: bool) -> bool:
        """Say whether an original goes as it came; otherwise without place and serials."""
        return self.kind == "house" or owner_id == self.member_id or place_shared
