import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { encodeSpaceBpe, loadSpaceBpe } from "../../lib/text/space_bpe.ts";
import { canonicalText, encodeUnigram } from "../../lib/text/unigram.ts";
import { loadUnigram } from "../../lib/text/unigram_file.ts";
import EXPECTED from "./sentence_fixtures/expected.json" with { type: "json" };
import { inFolder } from "../folder.ts";

const here = (name: string): string => fromFileUrl(new URL(`sentence_fixtures/${name}`, import.meta.url));
const contextLength = EXPECTED.length;
const row = (ids: Int32Array, i: number): number[] => [...ids.subarray(i * contextLength, (i + 1) * contextLength)];

Deno.test("encodeUnigram() gives SiglipTokenizer's ids: punctuation, compiled normalisation, unknowns, cut and padded", async () => {
  const tokenizer = await loadUnigram(here("unigram.model"));
  const ids = encodeUnigram(tokenizer, EXPECTED.texts, { contextLength });
  EXPECTED.unigram.forEach((expected, i) => assertEquals(row(ids, i), expected, JSON.stringify(EXPECTED.texts[i])));
  assertThrows(() => encodeUnigram(tokenizer, [""], { contextLength: 0 }), RangeError, "current value is 0");
});

Deno.test("encodeSpaceBpe() gives the ids of Hugging Face's tokenizers: lower case, bytes, cut before the end token", async () => {
  const tokenizer = await loadSpaceBpe(here("gemma.json"));
  const ids = encodeSpaceBpe(tokenizer, EXPECTED.texts, { contextLength });
  EXPECTED.bpe.forEach((expected, i) => assertEquals(row(ids, i), expected, JSON.stringify(EXPECTED.texts[i])));
  assertThrows(() => encodeSpaceBpe(tokenizer, [""], { contextLength: 1 }), RangeError, "above 1");
});

Deno.test("canonicalText() lowers the case, drops ASCII punctuation and joins by single spaces", () => {
  assertEquals(canonicalText(" A chest X-ray,\n of {Edema}! "), "a chest xray of edema");
});

Deno.test("loadUnigram() and loadSpaceBpe() say what is wrong with a file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/t.json`;
    const bytes = await Deno.readFile(here("unigram.model"));
    for (
      const [content, part] of [
        [bytes.subarray(0, 1000), "its messages must be whole"],
        [new Uint8Array(), "it must hold pieces"],
        [new TextEncoder().encode("{}"), "its messages must be whole"],
      ] as const
    ) {
      await Deno.writeFile(path, content);
      await assertRejects(() => loadUnigram(path), SyntaxError, part);
    }
    for (
      const [text, part] of [
        ["{", "it must be JSON"],
        ["{}", "found no model"],
        ['{"model":{"type":"Unigram"}}', "found Unigram"],
        ['{"model":{"type":"BPE","vocab":{},"merges":[]}}', "byte_fallback must be true"],
        ['{"model":{"type":"BPE","vocab":{},"merges":[],"byte_fallback":true}}', "it must hold <"],
      ]
    ) {
      await Deno.writeTextFile(path, text!);
      await assertRejects(() => loadSpaceBpe(path), SyntaxError, part!);
    }
    await assertRejects(() => loadUnigram(folder), SyntaxError, "it is a folder");
  });
});
