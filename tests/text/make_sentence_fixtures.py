"""Trains two small vocabularies and writes what the original tokenisers make of texts: tests/text/sentence_fixtures.

unigram.model: sentencepiece, unigram, nmt_nfkc, as SigLIP's spiece.model; ids by transformers' SiglipTokenizer.
gemma.json: Hugging Face tokenizers' BPE with byte fallback, as Gemma's; ids by transformers' Siglip2Tokenizer.
The training text is made here from a list of words: no report, no patient data.

Run: python tests/text/make_sentence_fixtures.py
Needs: sentencepiece, protobuf, transformers, tokenizers.
"""
import json
import pathlib
import random
import sys

import sentencepiece
import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers.models.siglip.tokenization_siglip import SiglipTokenizer

out = pathlib.Path(__file__).parent / "sentence_fixtures"
out.mkdir(exist_ok=True)
WORDS = """no acute focal consolidation pleural effusion pneumothorax cardiomegaly mild moderate severe pulmonary edema
atelectasis opacity lung base left right upper lower lobe heart size normal findings suggesting image chest x-ray of a
the is are with without and or in there bilateral small large unchanged stable silhouette mediastinal contour""".split()
random.seed(3)
SYLLABLES = ["car", "di", "o", "pneu", "mo", "ple", "ra", "tho", "rax", "al", "ve", "ic", "ous", "is", "em", "phy"]
WORDS += ["".join(random.choices(SYLLABLES, k=random.randint(2, 4))) for _ in range(120)]
lines = [" ".join(random.choices(WORDS, k=random.randint(3, 12))) for _ in range(800)]
TEXTS = ["a chest X-ray image of pneumothorax.", "No acute  focal\tconsolidation,\nleft lung base!", "", "...", " \u3000 ",
         "Cardiomegaly (mild); effusion/edema -- 2 cm?", "caf\u00e9 \ufb01ndings \uff21\uff22 \u00a0x \u2460 \u00bd", "\u2581base \u2581 lung",
         "\u0416\u4e2d\U0001f600\U0001f600 lung", "unchanged " * 40, "A\u0301 e\u0301dema \u1e9b\u0323", "zzqqxxjj"]

spm = out / "unigram.model"
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines), model_prefix=str(out / "unigram"), vocab_size=160, model_type="unigram",
    normalization_rule_name="nmt_nfkc", pad_id=-1, bos_id=-1, unk_id=0, eos_id=1, character_coverage=1.0, minloglevel=2)
(out / "unigram.vocab").unlink(missing_ok=True)
siglip = SiglipTokenizer(str(spm))
unigram = [siglip(text, padding="max_length", truncation=True, max_length=24)["input_ids"] for text in TEXTS]

base = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
base.normalizer = normalizers.Replace(" ", "\u2581")
base.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
special = ["<pad>", "<eos>", "<bos>", "<unk>"]
trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special + [f"<0x{b:02X}>" for b in range(256)], show_progress=False)
base.train_from_iterator(lines, trainer)
data = json.loads(base.to_str())
data["added_tokens"] = [one for one in data["added_tokens"] if one["content"] in special]
data["post_processor"] = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
                          "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                          "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}}}
(out / "gemma.json").write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
gemma = Tokenizer.from_file(str(out / "gemma.json"))
gemma.normalizer = normalizers.Sequence([normalizers.Lowercase(), gemma.normalizer])  # as Siglip2Tokenizer puts before it
gemma.enable_truncation(24)
gemma.enable_padding(length=24, pad_id=0, pad_token="<pad>")
space = [gemma.encode(text).ids for text in TEXTS]

(out / "expected.json").write_text(json.dumps({
    "versions": {"python": sys.version.split()[0], "sentencepiece": sentencepiece.__version__,
                 "transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
    "seed": 3, "length": 24, "texts": TEXTS, "unigram": unigram, "bpe": space}, indent=None) + "\n")
