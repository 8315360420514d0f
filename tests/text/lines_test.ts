import { assertEquals } from "@std/assert";
import { readLines, tokenizeLines } from "../../lib/text/lines.ts";
import { tokenizerFromVocab } from "../../lib/text/tokenizer.ts";

const tokenizer = tokenizerFromVocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "no", "effusion"]);

function stream(text: string, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
      controller.close();
    },
  });
}

for (const size of [1, 2, 3, 1000]) {
  Deno.test(`readLines() joins lines cut into pieces of ${size} bytes, CRLF and characters of many bytes among them`, async () => {
    const lines = await Array.fromAsync(readLines(stream("no\r\n\r\n\u00e9ffusion\n\u80ba \u{1f600}", size)));
    assertEquals(lines, ["no", "", "\u00e9ffusion", "\u80ba \u{1f600}"]);
  });
}

Deno.test("readLines() gives no line for the rest after a last line end, and none for nothing", async () => {
  assertEquals(await Array.fromAsync(readLines(stream("a\n", 10))), ["a"]);
  assertEquals(await Array.fromAsync(readLines(stream("", 10))), []);
  assertEquals(await Array.fromAsync(readLines(stream("\n\n", 10))), ["", ""]);
});

Deno.test("tokenizeLines() prints one JSON array a line, an empty line's too", async () => {
  const options = { pad: false };
  const lines = await Array.fromAsync(tokenizeLines(tokenizer, stream("no effusion\n\nNO", 4), options));
  assertEquals(lines, ["[2,4,5,3]", "[2,3]", "[2,4,3]"]);
});

Deno.test("tokenizeLines() pads to the context length unless told otherwise", async () => {
  const lines = await Array.fromAsync(tokenizeLines(tokenizer, stream("no\n", 4), { contextLength: 5 }));
  assertEquals(lines, ["[2,4,3,0,0]"]);
  const [full] = await Array.fromAsync(tokenizeLines(tokenizer, stream("no\n", 4)));
  assertEquals(JSON.parse(full!).length, 256);
});
