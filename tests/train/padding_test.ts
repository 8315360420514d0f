import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { fit } from "../../lib/train/fit.ts";
import { trimPads } from "../../lib/train/padding.ts";
import { testOnBackends } from "../backends.ts";
import { SMALL, SMALL_ACE, smallSource } from "../small_model.ts";

Deno.test("trimPads() drops the columns of pads alone, and nothing else", () => {
  const ids = Int32Array.from([2, 7, 3, 0, 0, 2, 3, 0, 0, 0]);
  assertEquals(trimPads(ids, 5), { ids: Int32Array.from([2, 7, 3, 2, 3, 0]), length: 3 });
  assertEquals(trimPads(Int32Array.from([2, 0, 9, 2, 3, 0]), 3).length, 3); // a pad between tokens stays
  assertEquals(trimPads(new Int32Array(4), 2), { ids: new Int32Array(2), length: 1 });
  const full = Int32Array.from([2, 8, 3, 2, 9, 3]);
  assert(trimPads(full, 3).ids === full);
});

testOnBackends(
  "fit() with padding to the longest gives the same first loss without ACE-HGNN, another with it",
  async () => {
    const source = await smallSource(4);
    const short = {
      ...source,
      contextLength: 10,
      ids: async (indices: readonly number[]) => {
        const ids = await source.ids(indices);
        for (let i = 0; i < ids.length; i++) if (i % 10 >= 6) ids[i] = 0; // at most six tokens
        return ids;
      },
    };
    for (const hgnn of [false, true]) {
      // No dropout: a mask depends on a number's place in its tensor.
      const encoders = { ...SMALL, text: { ...SMALL.text, dropout: 0 } };
      const config = { encoders, lora: { ...SMALL_ACE.lora!, dropout: 0 }, ...(hgnn ? { hgnn: SMALL_ACE.hgnn! } : {}) };
      const first = async (padding: "context" | "longest"): Promise<number> => {
        const start = await initAceLora(initClip(encoders, 1), config);
        const options = { epochs: 1, batchSize: 4, padding, shuffle: false };
        return (await fit(aceLoraModel(config), start, short, options)).history[0]!.loss;
      };
      const [context, longest] = [await first("context"), await first("longest")];
      if (hgnn) assert(Math.abs(context - longest) > 1e-6, "the pads took part in no similarity");
      else assertAlmostEquals(longest, context, 2e-6);
    }
  },
);
