"""
Whether the firewall let a packet through, read from the rule's prefix.

The kernel does not log its verdict; people write it into the prefix
("Shorewall:loc2net:DROP:", "[UFW BLOCK] ", "nft-accept: ").
"""

from botalert.grammar.patterns import lazy_pattern

DROP = "drop"
ACCEPT = "accept"
UNKNOWN = "unknown"
VERDICTS = (DROP, ACCEPT, UNKNOWN)

_REFUSING = "drop dropped logdrop reject rejected block blocked deny denied refuse refused".split()
_PASSING = "accept accepted acc allow allowed pass passed permit permitted audit trace".split()
VERDICT_OF_WORD = {**dict.fromkeys(_REFUSING, DROP), **dict.fromkeys(_PASSING, ACCEPT)}

_WORD = lazy_pattern(r"[^\W\d_]+")
# UniFi closes its bracket with the action and perhaps the rule's number:
# [LAN_LOCAL-default-A] or [WAN_IN-D-4004].  DESCR is free text beside it.
_UNIFI_ACTION = lazy_pattern(r"-([ADR])(?:-\d+)?\]")
_UNIFI_DESCRIPTION = lazy_pattern(r'DESCR=(?:"[^"]*"?|\S*)')


def words_verdict(text: str) -> str:
    """Read the verdict from the last word of *text* that is known to tell one."""
    for word in reversed(_WORD.findall(text.lower())):
        if word in VERDICT_OF_WORD:
            return VERDICT_OF_WORD[word]
    return UNKNOWN


def read_verdict(prefix: str) -> str:
    """Read "drop", "accept" or "unknown" from a rule's log prefix."""
    # xt_TRACE names chains and rules, which may well be called "logdrop".
    if prefix.startswith("TRACE:"):
        return ACCEPT
    if "]" in prefix:
        action = _UNIFI_ACTION.search(_UNIFI_DESCRIPTION.sub("", prefix))
        if action:
            return ACCEPT if action[1] == "A" else DROP
    return words_verdict(prefix)
