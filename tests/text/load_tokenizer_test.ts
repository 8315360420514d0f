import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { encodeOne } from "../../lib/text/tokenizer.ts";
import { exists, REAL_JSON, REAL_VOCAB, SMALL_VOCAB } from "./corpus.ts";

async function withFile(content: string | Uint8Array, body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "tokenizer.json");
  try {
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else await Deno.writeFile(path, content);
    await body(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const vocab = { "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "effusion": 4, "Effusion": 5, "e\u0301": 6 };
const base = {
  model: { type: "WordPiece", vocab, max_input_chars_per_word: 8 },
  normalizer: { type: "BertNormalizer", lowercase: true, strip_accents: null },
  pre_tokenizer: { type: "BertPreTokenizer" },
};

Deno.test("loadTokenizer() reads a vocab.txt with LF or CRLF", async () => {
  const text = await Deno.readTextFile(SMALL_VOCAB);
  const plain = encodeOne(await loadTokenizer(SMALL_VOCAB), "No focal consolidation.");
  await withFile(text.replaceAll("\n", "\r\n"), async (path) => {
    assertEquals(encodeOne(await loadTokenizer(path), "No focal consolidation."), plain);
  });
});

Deno.test("loadTokenizer() follows tokenizer.json's case and longest word", async () => {
  await withFile(JSON.stringify(base), async (path) => {
    assertEquals(encodeOne(await loadTokenizer(path), "Effusion effusions"), [2, 4, 1, 3]);
  });
  const cased = { ...base, normalizer: { ...base.normalizer, lowercase: false } };
  await withFile(JSON.stringify(cased), async (path) => {
    assertEquals(encodeOne(await loadTokenizer(path), "Effusion"), [2, 5, 3]);
  });
});

Deno.test("loadTokenizer() refuses in one line what is not a BERT tokenizer, naming the file", async () => {
  const bad: [string | Uint8Array, string][] = [
    ["{", "it must be JSON"],
    [JSON.stringify({ ...base, model: { type: "BPE", vocab } }), "found BPE"],
    [JSON.stringify({ ...base, normalizer: { type: "NFC" } }), "found NFC"],
    [JSON.stringify({ ...base, pre_tokenizer: null }), "found none"],
    [JSON.stringify({ ...base, model: { ...base.model, vocab: { ...vocab, x: -1 } } }), '"x": -1'],
    ["hello\nworld\n", "[UNK]"],
    ["", "[UNK]"],
    [new Uint8Array([0xff, 0xfe, 0x00]), "UTF-8"],
  ];
  for (const [content, part] of bad) {
    await withFile(content, async (path) => {
      const error = await assertRejects(() => loadTokenizer(path), SyntaxError) as Error;
      assertEquals([
        error.message.includes("tokenizer.json"),
        error.message.includes(part),
        error.message.includes("\n"),
      ], [
        true,
        true,
        false,
      ], error.message);
    });
  }
  await assertRejects(() => loadTokenizer("/nowhere/vocab.txt"), Deno.errors.NotFound);
});

const real = exists(REAL_JSON);
Deno.test({
  name: `loadTokenizer() finds 28,895 entries and BiomedCLIP's special tokens in both files${
    real ? "" : " (skipped: no BiomedCLIP tokenizer under ACE_REAL_DATA)"
  }`,
  ignore: !real,
  fn: async () => {
    for (const path of [REAL_JSON, REAL_VOCAB]) {
      const tokenizer = await loadTokenizer(path);
      assertEquals(tokenizer.model.vocab.size, 28895);
      assertEquals([...tokenizer.special.values()], [0, 1, 2, 3, 4]);
    }
  },
});

Deno.test("loadTokenizer() refuses a folder and a file far too large, by name and without reading it", async () => {
  await withFile("", async (path) => {
    await Deno.truncate(path, 2 ** 40); // a hole: it takes no room
    await assertRejects(
      () => loadTokenizer(path),
      SyntaxError,
      `"${path}" as a BERT tokenizer as it must have at most`,
    );
    const folder = join(path, "..");
    await assertRejects(() => loadTokenizer(folder), SyntaxError, `it must be a file: found a folder`);
  });
});
