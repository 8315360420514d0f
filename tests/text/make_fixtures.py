"""Writes tests/text/fixtures: a small vocabulary, and hashes of the ids that transformers gives.

Reference: open_clip's HFTokenizer, that is ftfy.fix_text, html.unescape twice, white space collapsed, then
transformers' BERT tokenizer cut at 256 and not padded ("clean"); and transformers alone ("raw").
A hash is the first 8 hex digits of the SHA-256 of the ids as JSON without spaces. No text of a data set is written.

Run: python tests/text/make_fixtures.py [FOLDER OF REAL DATA, default ../shared/data]
damaged.json holds texts misread on purpose, with what open_clip's cleaning makes of each and what it was.

Needs: transformers, ftfy. The texts of the tests are rebuilt by tests/text/corpus.ts by the rules of corpus.py.
"""

import html.entities
import json
import pathlib
import shutil
import tempfile

import ftfy
import tokenizers
import transformers

from corpus import BLOCKS, EDGE, LATIN, POOLS, WORDS, clean, data, random_texts, sha, shared

here = pathlib.Path(__file__).parent
out = here / "fixtures"


def load(vocab, spec=None):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(vocab, folder / "vocab.txt")
        if spec:
            shutil.copy(spec, folder / "tokenizer.json")
        config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 1000000}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return transformers.AutoTokenizer.from_pretrained(str(folder))


def ids(tokenizer, texts):
    return tokenizer(texts, max_length=256, truncation=True, padding=False)["input_ids"]


def hashes(tokenizer, texts):
    return {
        "clean": "".join(sha(i) for i in ids(tokenizer, [clean(t) for t in texts])),
        "raw": "".join(sha(i) for i in ids(tokenizer, texts)),
    }


# --- a vocabulary small enough to commit -------------------------------------------------------------------------
pieces = "pneumo ##thorax ##megaly cardio ##itis ##ing ##ed ##s ##es ##ion ##al un ##able consolid ##ation".split()
letters = [chr(c) for c in range(33, 127) if not 65 <= c <= 90]
other = list("°µßøæđłıαβγδεσςωабвгд€£±×÷–—‘’“”…•") + list("漢字肺気胸中") + ["##字"]
vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
for token in letters + other + WORDS + pieces + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]:
    if token not in vocab:
        vocab.append(token)
out.mkdir(exist_ok=True)
(out / "vocab.txt").write_text("\n".join(vocab) + "\n")

names = sorted(html.entities.html5)
entities = [form for n in names for form in (f"&{n}", f"a&{n}x;", f"&amp;{n}")]
long = " ".join((WORDS * 200)[:10000])


def every(tokenizer, with_blocks=False):
    part = {"blocks": "".join(sha([x for i in ids(tokenizer, b) for x in i]) for b in BLOCKS)} if with_blocks else {}
    return {
        **part,
        "edge": hashes(tokenizer, EDGE),
        "random": hashes(tokenizer, random_texts(1500, 1, POOLS)),
        "latin": hashes(tokenizer, random_texts(1500, 2, LATIN)),
        "long": sha(ids(tokenizer, [clean(long)])[0]),
        "entities": sha([x for i in ids(tokenizer, [clean(e) for e in entities]) for x in i]),
    }


# --- damaged texts: what ftfy (through open_clip's whole cleaning) makes of them, and what they were -----------------
phrases = ["effusion \u2013 small", "patient\u2019s \u201cna\u00efve\u201d r\u00e9sum\u00e9", "voil\u00e0 le travail \u00e0 la mode", "5\u00b0 \u00b1 2 \u00b5g",
           "\u041b\u0451\u0433\u043a\u0438\u0435 \u0447\u0438\u0441\u0442\u044b\u0435", "\u03b1\u03b2\u03b3 \u03a3\u03c5\u03bd", "\u80ba\u708e \U0001f600", "\u015a\u0142\u0105sk \u010cech\u016f", "\u2026 \u2122 \u20ac", "fa\u00e7ade \u00c5 \u0160"]
damaged = {}
for phrase in phrases:
    for encoding in ("latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
                     "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"):
        once = phrase.encode().decode(encoding)
        strict = phrase.encode().decode(encoding.replace("sloppy-", ""), errors="replace")
        for broken, was in ((once, phrase), (once.encode().decode(encoding), phrase), (once.replace("\xa0", " "), phrase),
                            ("ok \u4e2d " + once, "ok \u4e2d " + phrase), (once + " and " + phrase, phrase + " and " + phrase), (strict, phrase)):
            damaged.setdefault(broken, was)
(out / "damaged.json").write_text(json.dumps([[b, clean(b), clean(was)] for b, was in damaged.items()], separators=(",", ":")) + "\n")

fixture = {
    "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "ftfy": ftfy.__version__},
    "small": every(load(out / "vocab.txt"), True),
}
if data.exists():
    real = load(data / "biomedclip" / "biomedclip_vocab.txt", data / "biomedclip" / "biomedclip_tokenizer.json")
    fixture["real"] = every(real)
    texts = shared()
    fixture["shared"] = {"count": len(texts), **hashes(real, texts)}
(out / "tokens.json").write_text(json.dumps(fixture, indent=1) + "\n")
(out / "entities.json").write_text(json.dumps({n: html.entities.html5[n] for n in names}, separators=(",", ":")) + "\n")
print({k: len(v) if isinstance(v, list) else "" for k, v in fixture.items()}, len(EDGE), len(entities), fixture.get("shared", {}).get("count"))
