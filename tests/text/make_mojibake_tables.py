"""Writes lib/text/mojibake_tables.ts: ftfy's tables and regular expressions, in JavaScript's spelling.

Run: python tests/text/make_mojibake_tables.py   (needs ftfy)
"""

import pathlib

import ftfy
import ftfy.bad_codecs  # noqa: F401  registers the sloppy codecs
from ftfy import badness, chardata

WHITE = r"[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"


def flat(pattern):
    """A verbose Python expression without its spaces and comments, with Python's meaning of \\s, \\w and the dot."""
    out, i, inside = "", 0, False
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            pair = pattern[i : i + 2]
            out += {"\\s": WHITE, "\\w": r"[\p{L}\p{N}_]"}.get(pair, pair) if not inside else pair
            i += 2
            continue
        if inside:
            inside = c != "]"
            out += c
        elif c == "[":
            inside = True
            out += c
        elif c == "#":
            i = pattern.index("\n", i)
        elif c == ".":
            out += r"[^\n]"
        elif not c.isspace():
            out += c
        i += 1
    return out


def tokens(text, raw):
    """The characters of a double-quoted TypeScript literal; `raw` keeps the escapes of a regular expression."""
    for c in text:
        assert ord(c) < 0x10000
        if c in '\\"':
            yield "\\" + c
        elif c.isprintable() and c not in "\uf8ff":
            yield c
        else:
            yield ("\\\\u" if raw else "\\u") + f"{ord(c):04x}"


def constant(name, text, doc, raw=True):
    rows = [""]
    for token in tokens(text, raw):
        if len(rows[-1]) + len(token) > 108:
            rows.append("")
        rows[-1] += token
    lines = " +\n".join(f'  "{row}"' for row in rows)
    return f"/** {doc} */\nexport const {name}: string =\n{lines};\n"


encodings = ""
for name in chardata.CHARMAP_ENCODINGS:
    if name == "latin-1":
        continue
    table = bytes(range(0x80, 0x100)).decode(name)
    assert len(table) == 128
    encodings += constant(name.replace("sloppy-", "").replace("-", "_").upper(), table, f"Bytes 0x80 to 0xFF of {name}.", False) + "\n"

path = pathlib.Path(__file__).parents[2] / "lib" / "text" / "mojibake_tables.ts"
path.write_text(
    "/**\n * Tables of ftfy " + ftfy.__version__ + " (Robyn Speer, Apache-2.0) in JavaScript's spelling. Made by\n"
    " * tests/text/make_mojibake_tables.py: do not edit.\n *\n * @module\n */\n\n"
    + constant("BADNESS", flat(badness.BADNESS_RE.pattern), "Matches text that is likely mojibake.") + "\n"
    + constant("UTF8_DETECTOR", flat(chardata.UTF8_DETECTOR_RE.pattern), "Matches characters that look like UTF-8 read as single bytes.") + "\n"
    + encodings.rstrip("\n") + "\n"
)
