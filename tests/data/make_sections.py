"""Writes tests/data/fixtures/sections.json: made-up reports in MIMIC-CXR's form, and how MIT-LCP's parser cuts them.

Run: python tests/data/make_sections.py PATH/TO/mimic-cxr/txt   (a checkout of github.com/MIT-LCP/mimic-cxr)

No patient's words: sentences are joined from a list. How often each heading stands in the ordinary reports is how often it
does in MIMIC-CXR, as counted in the parser's own comments; the other kinds are there ten times each.
"""

import json
import pathlib
import random
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(source))
import section_parser  # noqa: E402

rng = random.Random(20261128)
SEEN = ["The lungs are clear.", "Heart size is normal.", "There is a small left pleural effusion.", "No pneumothorax.",
        "Mild cardiomegaly is unchanged.", "Bibasilar atelectasis: stable.", "The endotracheal tube ends 4 cm above the carina.",
        "No focal consolidation is seen, nor\n edema.", "Sternotomy wires are intact.", "NOTE is made of a healed rib fracture."]
MEANT = ["No acute process.", "Small effusion.", "No evidence of pneumonia.", "Mild pulmonary edema, improved.", "Stable chest."]
ASKED = ["Fever and cough.", "___-year-old with shortness of breath // pneumonia?", "Evaluate line placement."]
BEFORE = ["None.", "Chest radiograph from ___.", "___."]


def some(words, most=4):
    return " ".join(rng.sample(words, rng.randint(1, min(most, len(words)))))


def report(*parts, title="FINAL REPORT"):
    lines = [" " * 33 + title]
    for heading, text in parts:
        gap = rng.choice([":  ", ": ", ": \n \n "])
        lines.append(f" {heading}{gap}{text}" if heading else f" {text}")
    return "\n \n".join(lines) + "\n"


def ordinary():
    parts = []
    for heading, words, share in (("EXAMINATION", ["CHEST (PORTABLE AP)", "CHEST (PA AND LAT)"], 0.41), ("INDICATION", ASKED, 0.67),
                                  ("HISTORY", ASKED, 0.2), ("TECHNIQUE", ["Chest PA and lateral."], 0.36),
                                  ("COMPARISON", BEFORE, 0.68), ("FINDINGS", SEEN, 0.66), ("IMPRESSION", MEANT, 0.82)):
        if rng.random() < share:
            parts.append((heading, some(words, 1 if words is not SEEN else 5)))
    return report(*parts) if parts else ordinary()


VIEWS = ["CHEST, TWO VIEWS", "PA AND LATERAL CHEST RADIOGRAPH", "CHEST", "PORTABLE CHEST RADIOGRAPH", "AP VIEW OF THE CHEST",
         "SINGLE FRONTAL VIEW OF THE CHEST", "PORTABLE UPRIGHT FRONTAL CHEST RADIOGRAPH", "FRONTAL AND LATERAL CHEST RADIOGRAPHS",
         "LEFT RIBS", "AP AND LATERAL VIEWS"]
SLIPS = ["IMPRESSON", "IMPRESSOIN", "IMPERSSION", "MPRESSION", "IMORESSION", "FINDINS", "FINIDNGS", "FINDINDGS", "FINDING", "FINDNGS"]
JOINT = ["FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION", "CONCLUSION", "FINDINGS/ IMPRESSION", "IMPRESSION AND RECOMMENDATION"]

KINDS = {
    "ordinary": [ordinary() for _ in range(100)],
    "heading names the view": [report(("INDICATION", some(ASKED, 1)), (view, some(SEEN)), ("IMPRESSION", some(MEANT, 1))) for view in VIEWS],
    "one letter wrong": [report(("INDICATION", some(ASKED, 1)), (slip, some(SEEN))) for slip in SLIPS],
    "joint heading": [report(("COMPARISON", some(BEFORE, 1)), (joint, some(SEEN))) for joint in JOINT * 2],
    "last paragraph": [report(("HISTORY", some(ASKED, 1)), (None, some(SEEN)), (None, some(MEANT, 1))) for _ in range(10)],
    "under the comparison": [report(("COMPARISON", some(SEEN))) for _ in range(10)],
    "small letters": [report(("Findings", some(SEEN)), ("Impression", some(MEANT, 1))) for _ in range(10)],
    "twice": [report(("FINDINGS", some(SEEN, 1)), ("IMPRESSION", some(MEANT, 1)), ("FINDINGS", "Second film. " + some(SEEN, 1)),
                     ("IMPRESSION", "Second film. " + some(MEANT, 1))) for _ in range(10)],
    "another word": [report(("INDICATION", some(ASKED, 1)), (word, some(MEANT))) for word in ["SUMMARY", "REPORT"] * 5],
    "no heading": [report((None, some(SEEN)), (None, some(MEANT, 1))) for _ in range(10)],
}


def theirs(text):
    sections, names, _ = section_parser.section_text(text)
    out = {}
    for name in ("impression", "findings", "last_paragraph", "comparison"):
        if name in names:  # the last one, as their create_section_files.py takes it
            found = " ".join(sections[len(names) - 1 - names[::-1].index(name)].replace("_" * 78, " ").split())
            if found:
                out[name] = found
    return out


commit = subprocess.run(["git", "-C", source, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
out = {"parser": "MIT-LCP/mimic-cxr txt/section_parser.py", "commit": commit, "seed": 20261128,
       "kinds": {kind: [{"report": text, "sections": theirs(text)} for text in texts] for kind, texts in KINDS.items()}}
path = pathlib.Path(__file__).parent / "fixtures" / "sections.json"
path.write_text(json.dumps(out, indent=1) + "\n")
print(commit, {kind: len(texts) for kind, texts in KINDS.items()}, path.stat().st_size)
