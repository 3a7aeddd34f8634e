"""What the house says when it will not do a thing.

Nouns raise these with a *message id* (the English sentence, with ``%(name)s`` places) and its values; ``web`` looks the
sentence up in the reader's language and turns it into a page, the command line prints it as it stands. Each sentence
is one that a grandparent can act on. ``pybabel`` extracts the first argument of each of these names.
"""

from __future__ import annotations


class HouseError(Exception):
    """A refusal in the words of the house. `status` is what a program is told (RFC 9110)."""

    status = 400

    def __init__(self, message: str, /, *, field: str = "", **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.values = values

    def __str__(self) -> str:
        return self.message % self.values if self.values else self.message


class NotFound(HouseError):
    """It does not exist, or not for this member: the two are never told apart."""

    status = 404

    def __init__(self, message: str = "This isn't here any more. Someone may have removed it.", /) -> None:
        super().__init__(message)


class NotAllowed(HouseError):
    """The thing is no secret, but it is not for this member."""

    status = 403


class Invalid(HouseError):
    """What was sent makes no sense; `field` names the input that should say so."""

    status = 422


class Conflict(HouseError):
    """It would be right at another moment."""

    status = 409


class HouseFull(Conflict):
    """Twelve is twelve."""


class TooMany(HouseError):
    """Too many tries; `retry_after` (seconds) says when there is a next one."""

    status = 429

    def __init__(self, message: str, /, *, retry_after: int, **values: object) -> None:
        super().__init__(message)
        self.values = values
        self.retry_after = retry_after


class TooLarge(HouseError):
    """More bytes than this way takes."""

    status = 413


class Unwritable(HouseError):
    """The disk takes nothing now; reading goes on."""

    status = 503


class NoSpace(Unwritable):
    """The disk is too full to take this; reading goes on."""

    status = 507


class Refused(HouseError):
    """The house cannot start or a command cannot be done; said in one line, ends with a code other than 0."""

    status = 503
