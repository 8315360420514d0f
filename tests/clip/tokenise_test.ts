import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import { loadMiniTokenizer } from "../../lib/clip/mini.ts";
import { checkTokenizer, tokenise, tokenisePrompts } from "../../lib/clip/tokenise.ts";
import { byCodePoint } from "../../lib/text/code_point_order.ts";
import { loadTokenizer } from "../../lib/text/load_tokenizer.ts";
import { type Tokenizer, tokenizerFromVocab } from "../../lib/text/tokenizer.ts";
import { REAL_DATA } from "../text/corpus.ts";

const NAMES = { tokenizer: "vocab.txt", weights: "model.safetensors" };

/** A tokeniser's entries in order, changed, as another tokeniser. */
function changed({ model }: Tokenizer, change: (tokens: string[]) => void): Tokenizer {
  const tokens = [...model.vocab].sort(([, a], [, b]) => a - b).map(([token]) => token);
  change(tokens);
  return tokenizerFromVocab(tokens);
}

Deno.test("checkTokenizer() takes the mini model's vocabulary only as it is: no entry missing, exchanged or another", async () => {
  const tokenizer = await loadMiniTokenizer();
  checkTokenizer(tokenizer, MINI, NAMES);
  const refused = (change: (tokens: string[]) => void, reason: string): void => {
    const { message } = assertThrows(() => checkTokenizer(changed(tokenizer, change), MINI, NAMES), RangeError, reason);
    assert(message.includes('"vocab.txt" with "model.safetensors"'), message);
  };
  refused((tokens) => tokens.splice(100, 1), "must have the 506 entries");
  refused((tokens) => tokens.splice(100, 2, tokens[101]!, tokens[100]!), "in its order");
  refused((tokens) => tokens[100] += "x", "the mini model's vocabulary");
  refused((tokens) => tokens.splice(5, 501, ...tokens.slice(5).sort(byCodePoint).reverse()), "in its order");
});

Deno.test("tokenise() cleans reports for models that do, whose prompts of one word tokenisePrompts() refuses", () => {
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "no", "edema", "&", "amp", ";", "1", "."];
  const tokenizer = tokenizerFromVocab(words);
  const text = { ...BIOMED_CLIP.text, contextLength: 6 };
  const report = { text: { ...text, cleaning: "report" as const } };
  const asked = "1. No &amp; edema. Edema.";
  assertEquals([...tokenise(tokenizer, [asked], { text }).ids], [2, 9, 10, 4, 6, 3]); // "1 . no & edema ..."
  assertEquals([...tokenise(tokenizer, [asked], report).ids], [2, 4, 7, 5, 3, 0]); // "no amp edema"
  assertEquals(tokenisePrompts(tokenizer, ["no edema"], report), tokenise(tokenizer, ["no edema"], report));
  assertEquals([...tokenisePrompts(tokenizer, ["edema"], { text }).ids].slice(0, 3), [2, 5, 3]);
  assertThrows(() => tokenisePrompts(tokenizer, ["no edema", "Edema"], report), RangeError, 'current value is "Edema"');
});

const published = join(REAL_DATA, "biomedclip", "biomedclip_vocab.txt");
const isThere = await Deno.stat(published).then(() => true, () => false);

Deno.test({
  name: `checkTokenizer() takes BiomedCLIP's published vocabulary for either word table, and no other of its size${
    isThere ? "" : " (skipped: no BiomedCLIP tokenizer under ACE_REAL_DATA)"
  }`,
  ignore: !isThere,
  async fn() {
    const tokenizer = await loadTokenizer(published);
    for (const vocabularySize of [28895, 30522]) {
      const config = { text: { ...BIOMED_CLIP.text, vocabularySize } };
      checkTokenizer(tokenizer, config, NAMES);
      const other = changed(tokenizer, (tokens) => tokens.splice(20_000, 2, tokens[20_001]!, tokens[20_000]!));
      assertThrows(() => checkTokenizer(other, config, NAMES), RangeError, "BiomedCLIP's vocabulary, in its order");
    }
  },
});
