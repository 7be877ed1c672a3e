"""The error for a name that does not exist, with the one that is probably meant.

Names are checked because a misspelt one (charst=digits) would be ignored without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ocrsvc.errors import InvalidParameter
from ocrsvc.text import nearest

_MOST_CHARACTERS = 40  # of a name in a message


def unknown(what: str, name: str, known: Sequence[str]) -> InvalidParameter:
    """Return the error for one name; ``what`` it is the name of: a parameter, a member, a file."""
    near = nearest(name.lower(), known)
    meant = f" (is {near} meant?)" if near else ""
    there = f"there are {', '.join(known)}" if known else "there is none"
    return InvalidParameter(
        f"There is no {what} {name[:_MOST_CHARACTERS]!r}{meant}; {there}.", allowed=list(known)
    )


def check(what: str, given: Collection[str], known: Sequence[str]) -> None:
    """Raise InvalidParameter for a name that is not known.

    Names that begin with an underscore pass, because clients add them to bypass caches.
    """
    for name in given:
        if name not in known and not name.startswith("_"):
            raise unknown(what, name, known)
