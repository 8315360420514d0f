import { assertEquals } from "@std/assert";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { MERGED_SCALE, storedValues, withMergedScale } from "../../lib/clip/config_file/stored_values.ts";

Deno.test("storedValues() reads numbers and booleans out of safetensors' texts, leaves a .pt's as they are, and keeps what was asked for", () => {
  const texts = { yes: "true", no: "false", size: "1.5", empty: "", name: "ViT-B/16", other: "1" };
  const { value, values } = storedValues({ format: "safetensors", metadata: texts });
  const names = ["yes", "no", "size", "empty", "name", "none"];
  assertEquals(names.map(value), [true, false, 1.5, "", "ViT-B/16", undefined]);
  assertEquals([...values.keys()], ["yes", "no", "size", "empty", "name"]);
  assertEquals(storedValues({ format: "torch", metadata: texts }).value("no"), "false");
});

Deno.test("withMergedScale() takes a scale above 0 that stands beside the weights, where the layout has none of its own", () => {
  const scaleOf = (own: number | undefined, stored: unknown): number | undefined => {
    const { scale: _, ...config } = BIOMED_CLIP;
    const given = own === undefined ? config : { ...config, scale: own };
    return withMergedScale(given, (name) => name === MERGED_SCALE ? stored : undefined).scale;
  };
  assertEquals([7, 0, -1, "7", undefined].map((stored) => scaleOf(10, stored)), [7, 10, 10, 10, 10]);
  assertEquals(scaleOf(undefined, 7), undefined);
});
