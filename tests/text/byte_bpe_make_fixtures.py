"""Writes tests/text/byte_bpe_fixtures: a small CLIP vocabulary, and hashes of the ids that transformers gives with it.

The merges are trained with Hugging Face tokenizers on synthetic texts (edge_texts.json, prompts of made-up words), so that
they may be committed; OpenAI's own vocabulary is not needed. References: transformers' CLIPTokenizer cut at 77 and not
padded, on cleaned texts ("clean", ftfy and html.unescape twice as open_clip does) and on the texts themselves ("raw");
open_clip's SimpleTokenizer ("open_clip") where that package is installed. A hash is the first 8 hex digits of the SHA-256
of the ids as JSON without spaces. No text of a data set is written, nor merges trained on one.

Run: python tests/text/byte_bpe_make_fixtures.py [FOLDER OF REAL DATA, default ../shared/data]
Needs: transformers, tokenizers, ftfy. The texts of the tests are rebuilt by tests/text/corpus.ts by the rules of corpus.py.
"""

import gzip
import json
import pathlib
import tempfile

import ftfy
import tokenizers
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from corpus import BLOCKS, EDGE, LATIN, POOLS, WORDS, clean, data, random_texts, sha, shared

here = pathlib.Path(__file__).parent
out = here / "byte_bpe_fixtures"
MERGES = 700
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]

SAMPLES = ["a chest X-ray image of Pneumonia.", "Findings suggesting pleural effusion.", "", "It's 5 cm, isn't it?",
           "<|startoftext|>a<|endoftext|>b", "<|STARTOFTEXT|> x", "na\u00efve caf\u00e9 \u80ba\u708e \U0001f600", "1234 12.5mm 3\u00d74",
           "\u0130 \u03a3\u03a3 \u00df \u1e9e", "we'll've they're'd!'s", "&lt;b&gt; &amp;amp; x", "a\u0085b\ufeffc\u200bd\x1fe", "no " * 100]


def byte_characters():
    """OpenAI's bytes_to_unicode, in its order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(rest))]


def train():
    """Merges of synthetic texts, as CLIP's normaliser and words see them."""
    clip = transformers.CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[]).backend_tokenizer
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = clip.normalizer, clip.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=100000, min_frequency=2, end_of_word_suffix="</w>", show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    prompts = [f"{first} {second}, {third}." for i, first in enumerate(WORDS) for second, third in
               zip(WORDS[i:] + WORDS[:i], WORDS[2 * i % len(WORDS):])]
    texts = prompts + EDGE + random_texts(300, 3, POOLS)
    tokenizer.train_from_iterator(texts, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in merges][:MERGES]


merges = train()
assert len(merges) == MERGES
tokens = [*byte_characters(), *(c + "</w>" for c in byte_characters()), *("".join(m) for m in merges), *SPECIAL]
vocab = {token: i for i, token in enumerate(tokens)}
assert len(vocab) == len(tokens)
out.mkdir(exist_ok=True)
(out / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
(out / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
with tempfile.TemporaryDirectory() as folder:
    for name in ("vocab.json", "merges.txt"):
        (pathlib.Path(folder) / name).write_text((out / name).read_text())
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (out / "tokenizer.json").write_text((pathlib.Path(folder) / "tokenizer.json").read_text())
assert len(tokenizer) == len(vocab) and tokenizer.bos_token_id == len(vocab) - 2


def ids(texts):
    return tokenizer(list(texts), max_length=77, truncation=True, padding=False)["input_ids"]


def hashes(texts):
    return {"clean": "".join(sha(i) for i in ids(clean(t) for t in texts)), "raw": "".join(sha(i) for i in ids(texts))}


def open_clip_ids():
    """SimpleTokenizer without the package around it, which wants torchvision; None where it is not installed."""
    import importlib.machinery
    import importlib.util
    spec = importlib.util.find_spec("open_clip")
    if spec is None:
        return None
    path = pathlib.Path(spec.submodule_search_locations[0]) / "tokenizer.py"
    loader = importlib.machinery.SourceFileLoader("open_clip_tokenizer", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("open_clip_tokenizer", loader))
    with tempfile.TemporaryDirectory() as folder:
        packed = pathlib.Path(folder) / "merges.txt.gz"
        packed.write_bytes(gzip.compress((out / "merges.txt").read_bytes().rstrip()))  # it takes an empty line for a merge
        default = path.parent / "bpe_simple_vocab_16e6.txt.gz"
        if not default.exists():
            return None
        loader.exec_module(module)
        simple = module.SimpleTokenizer(bpe_path=str(packed))
    end = simple.eot_token_id

    def rows(texts):
        return [row[: row.index(end) + 1] for row in simple(list(texts), context_length=77).tolist()]

    return rows


random, latin = random_texts(1500, 1, POOLS), random_texts(1500, 2, LATIN)
fixture = {
    "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "ftfy": ftfy.__version__},
    "samples": [[text, row] for text, row in zip(SAMPLES, ids(SAMPLES))],
    "edge": hashes(EDGE),
    "random": hashes(random),
    "latin": hashes(latin),
    "blocks": "".join(sha([x for i in ids(b) for x in i]) for b in BLOCKS),
}
if data.exists():
    texts = shared()
    fixture["shared"] = {"count": len(texts), **hashes(texts)}
simple = open_clip_ids()
if simple:
    fixture["open_clip"] = {"samples": simple(SAMPLES[:4] + SAMPLES[7:8]), "edge": "".join(sha(i) for i in simple(EDGE))}
    if data.exists():
        fixture["open_clip"]["shared"] = "".join(sha(i) for i in simple(texts))
    for name, list_ in (("edge", EDGE), ("latin", latin), *((("shared", texts),) if data.exists() else ())):
        got = simple(list_)
        differ = [t for t, a, b in zip(list_, got, ids(clean(t) for t in list_)) if a != b]
        print("open_clip differs from transformers after cleaning:", name, len(differ), "of", len(list_), differ[:6] if name != "shared" else "")
(out / "ids.json").write_text(json.dumps(fixture, indent=1) + "\n")
print(len(vocab), fixture.get("shared", {}).get("count"))
