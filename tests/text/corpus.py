"""The texts the fixtures are made of, and how their ids are told: tests/text/corpus.ts builds the same texts.

Needs: ftfy.
"""

import csv
import gzip
import hashlib
import html
import json
import pathlib
import sys

import ftfy

here = pathlib.Path(__file__).parent
data = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[1] / ".." / "shared" / "data"

# Ranges of code points random texts draw from.
POOLS = [(0x20, 0x7E), (0x61, 0x7A), (0x00, 0x1F), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x4FF),
         (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x22FF),
         (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAFF), (0xFB00, 0xFFFF),
         (0x10000, 0x10FFF), (0x1F300, 0x1FAFF), (0x20000, 0x2CFFF), (0xE0000, 0xE01FF)]
LATIN = [(0x20, 0x7E), (0x80, 0xFF), (0x100, 0x17F), (0x2010, 0x2122)]
WORDS = """no focal consolidation effusion pleural pneumothorax cardiomegaly atelectasis edema pneumonia the of and is in
there with a chest x ray image findings suggesting right left lobe lower upper lung heart normal size acute process
opacity opacities small large bilateral tube line naive resume cafe uber""".split()
EDGE = json.loads((here / "edge_texts.json").read_text())
BLOCKS = [[f"a{chr(c)}b {chr(c)}" for c in range(start, start + 0x1000) if not 0xD800 <= c <= 0xDFFF]
          for start in [*range(0, 0x30000, 0x1000), 0xE0000, 0xF0000]]
BLOCKS = [b for b in BLOCKS if b]


def mulberry32(seed):
    state = seed & 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = state
        t = ((t ^ (t >> 15)) * (t | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        t &= 0xFFFFFFFF
        yield ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296


def random_texts(count, seed, ranges):
    rng = mulberry32(seed)
    texts = []
    for _ in range(count):
        text = ""
        first, last = ranges[int(next(rng) * len(ranges))]
        for _ in range(1 + int(next(rng) * 60)):
            u = next(rng)
            if u < 0.1:
                first, last = ranges[int(next(rng) * len(ranges))]
            text += " " if u > 0.85 else chr(first + int(next(rng) * (last - first + 1)))
        texts.append(text)
    return texts


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return " ".join(text.split()).strip()


def sha(ids):
    return hashlib.sha256(json.dumps(ids, separators=(",", ":")).encode()).hexdigest()[:8]


def shared():
    texts = []
    with open(data / "covidcxr" / "covidcxr.csv", newline="") as file:
        for row in csv.DictReader(file):
            for column in ("note", "other_notes", "source_url", "licence"):
                if row[column]:
                    texts.append(row[column])
                    if column == "note":
                        texts.extend(row[column].split(". "))
    with gzip.open(data / "annotations" / "nih_Data_Entry_2017_v2020.csv.gz", "rt", newline="") as file:
        labels = [row["Finding Labels"] for row in csv.DictReader(file)]
    for label in dict.fromkeys(labels):
        c = label.replace("|", ", ").replace("_", " ")
        texts += [f"a chest X-ray image of {c}.", f"Findings suggesting {c}.", label]
    return texts
