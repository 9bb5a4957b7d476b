"""
``[recipients]``: who the alerts come from and who gets them.
"""

from botalert.grammar.patterns import lazy_pattern
from botalert.model import Mailbox

# An address may lack its domain ("root"): the local MTA adds one.
_ADDRESS = lazy_pattern(r"[!#-'*+/-9=?A-Z^-~.-]+(?:@[A-Za-z0-9.-]+|@\[[0-9A-Za-z:.]+\])?")
# What stands between two commas, but for those of a quoted name.
_SEPARATED = lazy_pattern(r'(?:"(?:[^"\\]|\\.)*"|[^",]|")+')
_NAMED = lazy_pattern(r"(.*)<\s*([^<>\s]*)\s*>")


def read_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """
    Read a list of addresses, with commas between; a trailing one is fine.

    Raises:
        ValueError: Some are no addresses; quotes them.
    """
    boxes, wrong = [], []
    for item in (part.strip() for part in _SEPARATED.findall(text)):
        if not item:
            continue
        found = _NAMED.fullmatch(item)
        name, address = (_unquoted(found[1].strip()), found[2]) if found else ("", item)
        if not _ADDRESS.fullmatch(address) or not name.isprintable():
            wrong.append(repr(item))
        boxes.append(Mailbox(name, address))
    if wrong:
        what = "is not a mail address" if len(wrong) == 1 else "are not mail addresses"
        raise ValueError(f"{', '.join(wrong)} {what}. Write you@example.org")
    return tuple(boxes)


def _unquoted(name: str) -> str:
    from email.utils import unquote

    return unquote(name)
