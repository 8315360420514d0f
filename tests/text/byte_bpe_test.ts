import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import {
  BYTE_CHARACTERS,
  byteBpe,
  encodeByteBpe,
  encodeOneByteBpe,
  vocabularyOfMerges,
} from "../../lib/text/byte_bpe.ts";
import { loadByteBpe } from "../../lib/text/byte_bpe_files.ts";
import { mergeSymbols, pairKey } from "../../lib/text/byte_bpe_merge.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import {
  blockTexts,
  edgeTexts,
  exists,
  hashIds,
  latinTexts,
  randomTexts,
  REAL_DATA,
  REPAIRED_OTHERWISE,
  sharedTexts,
} from "./corpus.ts";
import { cpuMilliseconds } from "../cpu_time.ts";
import { inFolder } from "../folder.ts";

const here = (name: string): string => fromFileUrl(new URL(`byte_bpe_fixtures/${name}`, import.meta.url));
const fixture: {
  samples: [string, number[]][];
  edge: { clean: string; raw: string };
  random: { clean: string; raw: string };
  latin: { clean: string; raw: string };
  blocks: string;
  shared: { clean: string; raw: string; count: number };
  open_clip: { samples: number[][]; edge: string; shared: string };
} = JSON.parse(await Deno.readTextFile(here("ids.json")));
const bpe = await loadByteBpe(here("merges.txt"));

/** How many of the texts have other ids than the reference; the first few by name. */
async function differing(texts: readonly string[], want: string, clean: boolean): Promise<string[]> {
  assertEquals(want.length, 8 * texts.length, "the fixture is of other texts");
  const wrong: string[] = [];
  for (const [i, text] of texts.entries()) {
    const got = await hashIds(encodeOneByteBpe(bpe, text, { clean }));
    if (got !== want.slice(8 * i, 8 * i + 8)) wrong.push(`${i}: ${JSON.stringify(text).slice(0, 200)}`);
  }
  return wrong;
}

Deno.test("encodeOneByteBpe() merges the lowest rank first and ends words with </w>", () => {
  const tiny = byteBpe([["l", "o"], ["lo", "w</w>"], ["e", "r</w>"]]);
  const id = (token: string): number => vocabularyOfMerges([["l", "o"], ["lo", "w</w>"], ["e", "r</w>"]]).get(token)!;
  assertEquals(id("!"), 0);
  assertEquals(id("!</w>"), 256);
  assertEquals(tiny.bosId, 515);
  assertEquals(tiny.eotId, 516);
  assertEquals(encodeOneByteBpe(tiny, "LOW lower"), [515, 513, id("lo"), id("w"), id("er</w>"), 516]);
  assertEquals(encodeOneByteBpe(tiny, "\u00e9"), [515, id("\u00c3"), id("\u00a9</w>"), 516]);
});

Deno.test("BYTE_CHARACTERS gives each byte its own character, and printable ones themselves", () => {
  assertEquals(new Set(BYTE_CHARACTERS).size, 256);
  assertEquals([0, 32, 33, 126, 127, 160, 161, 172, 173, 174, 255].map((b) => BYTE_CHARACTERS[b]!.codePointAt(0)), [
    ...[256, 288, 33, 126, 289, 322, 161, 172, 323, 174, 255],
  ]);
});

Deno.test("encodeOneByteBpe() gives transformers' ids on samples", () => {
  for (const [text, ids] of fixture.samples) assertEquals(encodeOneByteBpe(bpe, text, { clean: false }), ids, text);
});

Deno.test("encodeOneByteBpe() gives open_clip's ids on cleaned samples", () => {
  const texts = [...fixture.samples.slice(0, 4), fixture.samples[7]!].map(([text]) => text);
  texts.forEach((text, i) => assertEquals(encodeOneByteBpe(bpe, text), fixture.open_clip.samples[i], text));
});

Deno.test("encodeOneByteBpe() gives transformers' ids on edge cases and random texts", async () => {
  for (const [name, texts] of [["edge", edgeTexts], ["random", randomTexts], ["latin", latinTexts]] as const) {
    assertEquals(await differing(texts, fixture[name].raw, false), []);
    const otherwise = await differing(texts, fixture[name].clean, true);
    assert(otherwise.length <= REPAIRED_OTHERWISE[name], `${name}: ${otherwise.length}`);
  }
});

Deno.test("encodeOneByteBpe() gives transformers' ids around every code point of planes 0 to 2", async () => {
  const wrong: string[] = [];
  let at = 0;
  for (const texts of blockTexts()) {
    const got = await hashIds(texts.flatMap((text) => encodeOneByteBpe(bpe, text, { clean: false })));
    if (got !== fixture.blocks.slice(at, at + 8)) wrong.push(`U+${texts[0]!.codePointAt(1)!.toString(16)}`);
    at += 8;
  }
  assertEquals(at, fixture.blocks.length);
  assertEquals(wrong, []);
});

Deno.test("encodeOneByteBpe() differs from open_clip's own tokeniser at final sigma alone, on edge cases", async () => {
  const wrong = await differing(edgeTexts, fixture.open_clip.edge, true);
  assert(wrong.some((text) => text.includes("\u03a3\u03a3 \u039f\u0394\u039f\u03a3")));
  assert(wrong.length <= 1 + REPAIRED_OTHERWISE.edge);
});

const isReal = exists(join(REAL_DATA, "covidcxr", "covidcxr.csv"));
Deno.test({
  name: `encodeOneByteBpe() gives transformers' and open_clip's ids on the real notes and prompts${
    isReal ? "" : " (skipped: no covidcxr under ACE_REAL_DATA)"
  }`,
  ignore: !isReal,
  fn: async () => {
    const texts = await sharedTexts();
    assertEquals(texts.length, fixture.shared.count);
    assertEquals(await differing(texts, fixture.shared.clean, true), []);
    assertEquals(await differing(texts, fixture.shared.raw, false), []);
    assertEquals(fixture.open_clip.shared, fixture.shared.clean);
  },
});

const openAi = Deno.env.get("ACE_CLIP_VOCABULARY");
Deno.test({
  name: `encodeOneByteBpe() gives the published ids with OpenAI's vocabulary${
    openAi ? "" : " (skipped: ACE_CLIP_VOCABULARY names no bpe_simple_vocab_16e6.txt.gz)"
  }`,
  ignore: !openAi,
  fn: async () => {
    const clip = await loadByteBpe(openAi!);
    assertEquals([clip.vocabulary.size, clip.bosId, clip.eotId], [49408, 49406, 49407]);
    // The examples of OpenAI's notebook and of transformers' documentation.
    assertEquals(encodeOneByteBpe(clip, "a photo of a cat"), [49406, 320, 1125, 539, 320, 2368, 49407]);
    assertEquals(encodeOneByteBpe(clip, "Hello World!"), [49406, 3306, 1002, 256, 49407]);
  },
});

Deno.test("encodeByteBpe() cuts to 77, keeps the end of text and pads with 0", () => {
  const rows = encodeByteBpe(bpe, ["a ".repeat(200), "a"]);
  assertEquals(rows.length, 2 * 77);
  assertEquals([rows[0], rows[76], rows[77], rows[79], rows[80]], [bpe.bosId, bpe.eotId, bpe.bosId, bpe.eotId, 0]);
  assertEquals([...encodeByteBpe(bpe, [""], { contextLength: 4, padId: bpe.eotId })], [
    bpe.bosId,
    ...new Array(3).fill(bpe.eotId),
  ]);
  assertThrows(() => encodeByteBpe(bpe, ["a"], { contextLength: 1 }), RangeError, "current value is 1");
});

/** The textbook's algorithm: find the pair of lowest rank, merge all its places from the left, again. */
function slowly(symbols: number[], ranks: Map<number, number>, merged: Int32Array): number[] {
  for (;;) {
    let best = Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      best = Math.min(best, ranks.get(pairKey(symbols[i]!, symbols[i + 1]!)) ?? Infinity);
    }
    if (best === Infinity) return symbols;
    const out: number[] = [];
    for (let i = 0; i < symbols.length; i++) {
      const hit = i + 1 < symbols.length && ranks.get(pairKey(symbols[i]!, symbols[i + 1]!)) === best;
      out.push(hit ? merged[best]! : symbols[i]!);
      if (hit) i++;
    }
    symbols = out;
  }
}

Deno.test("mergeSymbols() agrees with the textbook's algorithm on random words and merges", () => {
  const rng = mulberry32(4);
  for (let round = 0; round < 200; round++) {
    const ranks = new Map<number, number>();
    const merged: number[] = [];
    for (let id = 3; id < 20; id++) { // a merge joins tokens made before it, as training has it
      const key = pairKey(Math.floor(rng() * id), Math.floor(rng() * id));
      if (ranks.has(key)) continue;
      ranks.set(key, merged.length);
      merged.push(id);
    }
    const word = Array.from({ length: 1 + Math.floor(rng() * 40) }, () => Math.floor(rng() * 3));
    const table = { ranks, merged: Int32Array.from(merged) };
    assertEquals(mergeSymbols(Int32Array.from(word), table), slowly(word, ranks, table.merged), word.join());
  }
});

Deno.test("encodeOneByteBpe() takes little time on a word of a million letters", () => {
  const start = cpuMilliseconds();
  assertEquals(encodeOneByteBpe(bpe, "effusion".repeat(125_000)).length, 77);
  assertEquals(encodeOneByteBpe(bpe, "a".repeat(1_000_000)).length, 77);
  assert(cpuMilliseconds() - start < 15_000);
});

Deno.test("loadByteBpe() reads the same tokeniser from every kind of file", async () => {
  await inFolder(async (folder) => {
    const packed = join(folder, "bpe_simple_vocab_16e6.txt.gz");
    const zipped = new Blob([await Deno.readFile(here("merges.txt"))]).stream().pipeThrough(
      new CompressionStream("gzip"),
    );
    await Deno.writeFile(packed, zipped);
    for (
      const [path, options] of [
        [here("vocab.json"), {}],
        [here("vocab.json"), { merges: here("merges.txt") }],
        [here("tokenizer.json"), {}],
        [packed, {}],
      ] as const
    ) {
      const other = await loadByteBpe(path, options);
      assertEquals([...other.vocabulary].sort((a, b) => a[1] - b[1]), [...bpe.vocabulary], path);
      assertEquals(other.merges, bpe.merges, path);
      assertEquals([other.bosId, other.eotId], [1212, 1213]);
    }
  });
});

Deno.test("loadByteBpe() refuses a gzipped file that unpacks without end, before it does", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "bomb.txt.gz");
    await Deno.writeFile(path, gzipSync(new Uint8Array(70_000_000)));
    await assertRejects(
      () => loadByteBpe(path),
      SyntaxError,
      `Cannot read "${path}" as a CLIP tokenizer as it must have at most`,
    );
  });
});

Deno.test("loadByteBpe() refuses damaged files in one line that names file and cause", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "tokenizer.json");
    const small = '{"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0},"merges":[]}}';
    for (
      const [content, cause] of [
        ["", "it must hold merges"],
        ["#version: 0.2\na b c\n", "merge 1 must be two tokens"],
        ["{", "it must be JSON"],
        ['{"model":{"type":"WordPiece"}}', "model must be BPE"],
        ['{"model":{"type":"BPE","vocab":{},"merges":[]}}', 'end_of_word_suffix must be "</w>"'],
        ['{"a":-1}', "ids must be whole numbers"],
        [small, "its vocabulary must hold"],
        [small.replace('"merges":[]', '"merges":{}'), "model.merges must be a list"],
        [small.replace('"merges":[]', '"merges":["a  b"]'), "merge 1 must be two tokens"],
      ] as const
    ) {
      await Deno.writeTextFile(path, content);
      const error = await assertRejects(() => loadByteBpe(path), SyntaxError, cause);
      assert(error.message.includes(path) && !error.message.includes("\n"), error.message);
    }
    await Deno.writeFile(path, new Uint8Array([0x1f, 0x8b, 1, 2]));
    await assertRejects(() => loadByteBpe(path), SyntaxError, path);
    await assertRejects(() => loadByteBpe(join(folder, "none.txt")), SyntaxError, "none.txt");
    await Deno.writeTextFile(path, "{}");
    await assertRejects(() => loadByteBpe(path), SyntaxError, "merges.txt");
  });
});
