"""
Log text made harmless for people's eyes.

A log line may carry escape sequences that a terminal obeys, and characters
that reorder text.  Whatever came from a log passes here before it reaches a
terminal, a mail header or a mail's text.
"""

# Cc: controls (ESC, BEL, C1); Cf: format characters (bidirectional
# overrides); Cs, Zl, Zp: surrogates and line separators.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """Write each control or format character of *text* as a visible escape."""
    if text.isascii() and text.isprintable():
        return text
    import unicodedata

    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HARMFUL
        else character
        for character in text
    )
