"""Writes lib/text/unicode_tables.ts: which code points BERT's normaliser removes and its pre-tokeniser splits off.

Asked of Hugging Face `tokenizers` itself, one code point at a time, so that the answer does not move with the Unicode
version of the JavaScript engine. Run: python tests/text/make_unicode_tables.py
"""

import pathlib

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

bare = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
clean = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
lower = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=True)
split = BertPreTokenizer()

control, marks, punctuation, cased = [], [], [], []
for point in list(range(0, 0xD800)) + list(range(0xE000, 0x110000)):
    char = chr(point)
    text = f"a{char}b"
    if clean.normalize_str(text) == "ab":
        control.append(point)
    if bare.normalize_str(text) == "ab":
        marks.append(point)
    if [p for p, _ in split.pre_tokenize_str(text)] == ["a", char, "b"]:
        punctuation.append(point)
    if lower.normalize_str(char) == char and char.lower() != char:
        cased.append(point)


def pack(points):
    """Ranges as base-36 gaps: `gap` or `gap.length` (both less one), joined by spaces."""
    out, last, i = [], -1, 0
    while i < len(points):
        j = i
        while j + 1 < len(points) and points[j + 1] == points[j] + 1:
            j += 1
        gap, length = points[i] - last - 1, j - i
        digits = lambda n: "0123456789abcdefghijklmnopqrstuvwxyz"[n] if n < 36 else digits(n // 36) + digits(n % 36)
        out.append(digits(gap) + (f".{digits(length)}" if length else ""))
        last, i = points[j], j + 1
    return " ".join(out)


def lines(name, text, doc):
    words, rows, row = text.split(" "), [], ""
    for word in words:
        if len(row) + len(word) + 1 > 106:
            rows.append(row)
            row = ""
        row += word + " "
    rows.append(row.rstrip())
    if len(rows) == 1:
        return f"/** {doc} */\nexport const {name}: string = \"{rows[0]}\";\n"
    body = " +\n".join(f'  "{r}"' for r in rows)
    return f"/** {doc} */\nexport const {name}: string =\n{body};\n"


path = pathlib.Path(__file__).parents[2] / "lib" / "text" / "unicode_tables.ts"
path.write_text(
    "/**\n * Unicode classes as BERT's normaliser and pre-tokeniser see them. Made by tests/text/make_unicode_tables.py from\n"
    f" * Hugging Face tokenizers {tokenizers.__version__}: do not edit. Each word is `gap` or `gap.length` in base 36: code points\n"
    " * left out since the last range, and those in this range after its first.\n *\n * @module\n */\n\n"
    + lines("CONTROL", pack(control), "Removed by cleaning: control, format, private use, NUL and U+FFFD.") + "\n"
    + lines("MARKS", pack(marks), "Removed with the accents: nonspacing marks.") + "\n"
    + lines("PUNCTUATION", pack(punctuation), "Split off as words of their own.")
)
print(len(control), len(marks), len(punctuation), [hex(p) for p in cased], tokenizers.__version__)
