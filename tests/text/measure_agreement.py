"""Compares open_clip's cleaning (ftfy, html.unescape twice, white space) with this package's on the tests' texts and real notes.

Run: python tests/text/measure_agreement.py [FOLDER OF REAL DATA, default ../shared/data]   (needs ftfy, and deno or npx on the path)
Prints a line for each set of texts, and what differs with --show. docs/text.md quotes it.
"""

import json
import shutil
import subprocess
import sys

show = "--show" in sys.argv
sys.argv = [a for a in sys.argv if a != "--show"]

from corpus import EDGE, LATIN, POOLS, clean, here, random_texts, shared  # noqa: E402

DENO = ["deno"] if shutil.which("deno") else ["npx", "--yes", "deno@2.9.6"]
CLEAN = ('import { cleanText } from "../../lib/text/clean.ts"; '
         "console.log(JSON.stringify(JSON.parse(await new Response(Deno.stdin.readable).text()).map(cleanText)));")

damaged = json.loads((here / "fixtures" / "damaged.json").read_text())
sets = {"notes and prompts": shared(), "made-up damage": [d for d, _, _ in damaged], "edge cases": EDGE,
        "random characters": random_texts(1500, 1, POOLS), "random Latin": random_texts(1500, 2, LATIN)}
for name, texts in sets.items():
    (here / "_clean.ts").write_text(CLEAN)
    try:
        out = subprocess.run([*DENO, "run", "--quiet", str(here / "_clean.ts")], input=json.dumps(texts), capture_output=True, text=True,
                             check=True).stdout
    finally:
        (here / "_clean.ts").unlink()
    differing = [(t, theirs, ours) for t, theirs, ours in zip(texts, map(clean, texts), json.loads(out)) if theirs != ours]
    print(f"{name}: {len(texts) - len(differing)} of {len(texts)} alike")
    for triple in differing if show else []:
        print(" ", *map(json.dumps, triple))
whole = [w for _, _, w in damaged]
print(f"damage undone by ftfy: {sum(f == w for _, f, w in damaged)} of {len(whole)}")
