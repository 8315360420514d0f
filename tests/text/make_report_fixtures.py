"""Writes tests/text/report_fixtures.json: what GLoRIA and MGCA make of reports before they tokenise them.

Written from GLoRIA gloria_model.py `process_text` (commit 416466a) and MGCA pretrain_dataset.py (680fe4a), over Python's
regular expressions, which nltk's RegexpTokenizer calls. Of the random texts the outputs' hashes are kept.

Run: python tests/text/make_report_fixtures.py
Needs: ftfy, which corpus.py imports.
"""

import json
import pathlib
import re

import corpus

REPORTS = [
    "FINDINGS: PA and lateral views of the chest.\nThe lungs are clear. No effusion.\n\nIMPRESSION:\n1. No acute process.\n2. Unchanged.",
    "1.Mild cardiomegaly.2.Small left effusion.  3. Stable.",
    "1) There is a 2.5 cm nodule (series 3, image 12). No 5.0 mm nodule.",
    "Clear.", "Pneumonia", "pleural effusion", "No. Acute. Process.", "...", "12.", "a.b c.d",
    "Dr. Smith was paged at 10:30 a.m. with the result.", "ET tube 3.2 cm above the carina; NG tube courses below diaphragm.",
    "\ufffd\ufffdleft\ufffd\ufffdlung is clear\ufffd\ufffd", "one\ufffdtwo three", "na\u00efve caf\u00e9 r\u00e9sum\u00e9",
    "nai\u0308ve cafe\u0301 text", "\u80ba\u708e pneumonia", "\u80ba\u708e \u6c17\u80f8", "heart_size is_normal", "x-ray of the patient's chest",
    "\u0130STANBUL \u212a 5\u00b0 \u00bd \u00b2", "tab\there\r\ncarriage", "[CLS] no [SEP] finding", "&lt; 5 mm &amp; stable",
    "Small bilateral pleural effusions,right greater than left", "T1/T2 -- 50%", "\u0967.\u0968 two parts",
]


def sentences(text):
    points = re.split(r"[0-9]+\.", text.replace("\n", " "))
    out = []
    for sentence in (part for point in points for part in point.split(".")):
        words = re.findall(r"\w+", sentence.replace("\ufffd\ufffd", " ").lower())
        if len(words) > 1:
            plain = [word.encode("ascii", "ignore").decode("ascii") for word in words]
            if any(plain):
                out.append(" ".join(word for word in plain if word))
    return out


def reports(count, seed):
    """Random texts with the marks that matter among their words."""
    rng = corpus.mulberry32(seed)
    parts = [*corpus.WORDS, ".", ". ", "1.", "2. ", "\n", ",", "-", "\ufffd\ufffd", "caf\u00e9", "3.5", "  "]
    return ["".join(parts[int(next(rng) * len(parts))] + ("" if next(rng) < 0.3 else " ") for _ in range(1 + int(next(rng) * 30)))
            for _ in range(count)]


if __name__ == "__main__":
    groups = {"edge": corpus.EDGE, "random": corpus.random_texts(1500, 1, corpus.POOLS),
              "latin": corpus.random_texts(1500, 2, corpus.LATIN)}
    out = {"reports": [[text, " | ".join(sentences(text))] for text in [*REPORTS, *reports(100, 73)]],
           "hashes": {name: corpus.sha([sentences(text) for text in texts]) for name, texts in groups.items()}}
    path = pathlib.Path(__file__).parent / "report_fixtures.json"
    path.write_text(json.dumps(out, indent=1) + "\n")
