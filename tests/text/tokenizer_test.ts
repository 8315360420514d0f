import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { encode, encodeOne, type Tokenizer, tokenizerFromVocab } from "../../lib/text/tokenizer.ts";
import {
  blockTexts,
  edgeTexts,
  entityTexts,
  exists,
  type Fixture,
  fixtures,
  hashIds,
  latinTexts,
  longText,
  randomTexts,
  REAL_JSON,
  REAL_VOCAB,
  REPAIRED_OTHERWISE,
  sharedTexts,
  SMALL_VOCAB,
} from "./corpus.ts";
import { cpuMilliseconds } from "../cpu_time.ts";

const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "effusion", "pneumo", "##thorax", "##s", ".", "a"];
const tiny = tokenizerFromVocab(tokens);

Deno.test("encodeOne() splits words into the longest pieces between [CLS] and [SEP]", () => {
  assertEquals(encodeOne(tiny, "No pneumothorax."), [2, 5, 7, 8, 10, 3]);
  assertEquals(encodeOne(tiny, "effusions"), [2, 6, 9, 3]);
  assertEquals(encodeOne(tiny, "effusional"), [2, 1, 3]);
  assertEquals(encodeOne(tiny, "a[MASK]a"), [2, 11, 4, 11, 3]);
});

Deno.test("encodeOne() keeps [SEP] when the text is cut, also inside a word", () => {
  assertEquals(encodeOne(tiny, "no pneumothorax.", { contextLength: 4 }), [2, 5, 7, 3]);
  assertEquals(encodeOne(tiny, "no", { contextLength: 2 }), [2, 3]);
  assertEquals(encodeOne(tiny, ""), [2, 3]);
});

Deno.test("encode() pads every row to the context length with the id of [PAD]", () => {
  assertEquals([...encode(tiny, ["no", ""], { contextLength: 5 })], [2, 5, 3, 0, 0, 2, 3, 0, 0, 0]);
  assertEquals(encode(tiny, ["no"]).length, 256);
  assertEquals(encode(tiny, []).length, 0);
});

Deno.test("encode() refuses a context length without room for [CLS] and [SEP]", () => {
  assertThrows(() => encode(tiny, ["a"], { contextLength: 1 }), RangeError, "contextLength");
  assertThrows(() => encodeOne(tiny, "a", { contextLength: 2.5 }), RangeError, "current value is 2.5");
});

Deno.test("tokenizerFromVocab() names the special token that is missing", () => {
  assertThrows(() => tokenizerFromVocab(["[PAD]", "[UNK]", "[CLS]", "a"]), RangeError, "[SEP]");
});

/** Compares hashes of every text's ids, eight digits at a time so that a failure names its texts. */
async function compare(
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: { want: string; clean: boolean; atMost?: number },
): Promise<void> {
  const { want, clean, atMost = 0 } = options;
  assertEquals(want.length, 8 * texts.length, "the fixture is of other texts");
  const wrong: string[] = [];
  for (const [i, text] of texts.entries()) {
    const got = await hashIds(encodeOne(tokenizer, text, { clean }));
    if (got !== want.slice(8 * i, 8 * i + 8)) wrong.push(`${i}: ${JSON.stringify(text).slice(0, 200)}`);
  }
  assert(wrong.length <= atMost, `${wrong.length} of ${texts.length} differ:\n${wrong.slice(0, 20).join("\n")}`);
}

async function compareAll(tokenizer: Tokenizer, want: Fixture): Promise<void> {
  for (const [name, texts] of [["edge", edgeTexts], ["random", randomTexts], ["latin", latinTexts]] as const) {
    await compare(tokenizer, texts, { want: want[name].raw, clean: false });
    await compare(tokenizer, texts, { want: want[name].clean, clean: true, atMost: REPAIRED_OTHERWISE[name] });
  }
  assertEquals(await hashIds(encodeOne(tokenizer, longText)), want.long);
  assertEquals(await hashIds(entityTexts.flatMap((text) => encodeOne(tokenizer, text))), want.entities);
}

Deno.test("encodeOne() gives transformers' ids on edge cases and random texts with a small vocabulary", async () => {
  await compareAll(await loadTokenizer(SMALL_VOCAB), fixtures.small);
});

Deno.test("encodeOne() gives transformers' ids around every code point of planes 0 to 2", async () => {
  const tokenizer = await loadTokenizer(SMALL_VOCAB);
  const blocks: string[] = [];
  for (const texts of blockTexts()) {
    blocks.push(await hashIds(texts.flatMap((text) => encodeOne(tokenizer, text, { clean: false }))));
  }
  assertEquals(blocks.join(""), fixtures.small.blocks);
});

const real = exists(REAL_JSON);
const why = real ? "" : " (skipped: no BiomedCLIP tokenizer under ACE_REAL_DATA)";

for (const path of [REAL_JSON, REAL_VOCAB]) {
  const name = path.slice(path.lastIndexOf("biomedclip_"));
  Deno.test({
    name: `encodeOne() gives transformers' ids with BiomedCLIP's ${name}${why}`,
    ignore: !real,
    fn: async () => await compareAll(await loadTokenizer(path), fixtures.real),
  });
  Deno.test({
    name: `encodeOne() gives transformers' ids on the real notes and prompts with ${name}${why}`,
    ignore: !real,
    fn: async () => {
      const tokenizer = await loadTokenizer(path);
      const texts = await sharedTexts();
      assertEquals(texts.length, fixtures.shared.count);
      assert(texts.length >= 2000);
      await compare(tokenizer, texts, { want: fixtures.shared.clean, clean: true });
      await compare(tokenizer, texts, { want: fixtures.shared.raw, clean: false });
    },
  });
}

Deno.test("encodeOne() takes linear time on 10,000 words and on a word of a million characters", () => {
  const seconds = (text: string): number => {
    const start = cpuMilliseconds();
    encodeOne(tiny, text);
    return (cpuMilliseconds() - start) / 1000;
  };
  const words = "effusionpneumothorax ".repeat(10_000);
  assert(seconds(words) < 1, "10,000 words");
  for (const word of ["a".repeat(1_000_000), "\u00e9".repeat(500_000), "&".repeat(1_000_000), "&a".repeat(500_000)]) {
    assert(seconds(word) < 2, `${word.slice(0, 4)}...`);
  }
  assertEquals(encodeOne(tiny, "a".repeat(1_000_000)), [2, 1, 3]);
});
