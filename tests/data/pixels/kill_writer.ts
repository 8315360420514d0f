/** Fills a cache in small shards once its input ends, to be killed: `deno run kill_writer.ts FOLDER SIZE IMAGE...`. */
import { fillPixelCache } from "../../../lib/data/pixels/fill.ts";

const [folder, size, ...paths] = Deno.args;
console.log("ready");
await new Response(Deno.stdin.readable).text();
await fillPixelCache(folder!, { size: Number(size), mode: "train" }, paths, {
  workers: 0,
  shardBytes: 3 * Number(size) ** 2,
});
