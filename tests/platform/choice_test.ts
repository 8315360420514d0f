/** What a notebook's cell may give, whose types nobody checks. */
import { assertRejects, assertThrows } from "@std/assert";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { loadModel } from "../../lib/model.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { checkChoice } from "../../lib/platform/choice.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { planOf } from "../../lib/train/run.ts";

/** A value of the wrong type, as a cell may give it. */
const untyped = <T>(value: unknown): T => value as T;

Deno.test("checkChoice() says what there is, and what was given", () => {
  checkChoice("paint", { name: "the colour", value: "red", among: ["red", "blue"] });
  assertThrows(
    () => checkChoice("paint", { name: "the colour", value: "rad", among: ["red", "blue"] }),
    RangeError,
    'Cannot paint as the colour must be one of red, blue: current value is "rad"',
  );
});

Deno.test("a word mistyped in a cell is refused where another would have been taken for it", async () => {
  for (const options of [{ loss: "infonce" }, { padding: "longst" }]) {
    const [value] = Object.values(options);
    assertThrows(() => planOf("model", 8, untyped(options)), RangeError, `current value is "${value}"`);
  }
  await selectBackend({ backend: "wasm" });
  const { params, adapter: config, tokenizer } = await loadModel();
  const lora = { ...ACE_LORA_LORA, encoders: untyped<["text"]>(["txt"]) };
  assertThrows(() => injectLora(params, lora), RangeError, 'must be one of image, text: current value is "txt"');
  const ask = (labels: unknown, maps: unknown) =>
    classifyImages({ params, config, tokenizer }, [], untyped(labels), { maps: untyped(maps) });
  await assertRejects(() => ask(["a", "b"], ["rollout"]), RangeError, 'occlusion: current value is "rollout"');
  await assertRejects(() => ask("a,b", []), TypeError, 'labels must be a list: current value is "a,b"');
  assertThrows(() => imagesAt(untyped("film.png")), TypeError, 'must be a list: current value is "film.png"');
  disposeParams(params);
});
