/** Requests to the server of docs/serving.md: `deno run --allow-net=127.0.0.1 bench/serving_load.ts URL TOKEN COUNT CLIENTS`. @module */
import { syntheticChest } from "../lib/data/synthetic/chest.ts";
import { encodePng } from "../lib/image/png.ts";

const [url, token, count, clients] = Deno.args as [string, string, string, string];
const body = encodePng(syntheticChest(1).image) as Uint8Array<ArrayBuffer>;
const milliseconds: number[] = [];
let [sent, refused, lost] = [0, 0, 0];

async function client(): Promise<void> {
  while (sent++ < Number(count)) {
    const began = performance.now();
    try {
      const response = await fetch(`${url}/classify?label=pneumonia&label=no%20finding`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body,
      });
      const { scores } = await response.json();
      if (response.status === 503) refused++;
      else if (response.ok && typeof scores?.pneumonia === "number") milliseconds.push(performance.now() - began);
      else lost++;
    } catch {
      lost++;
    }
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: Number(clients) }, client));
const seconds = (performance.now() - began) / 1000;
milliseconds.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    answered: milliseconds.length,
    refused,
    lost,
    perSecond: milliseconds.length / seconds,
    milliseconds,
  }),
);
