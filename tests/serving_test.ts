/** The server of docs/serving.md, as printed: real requests on the loopback, sent by a process that may. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { sendLoad, serverCode, startServer } from "../bench/serving.ts";
import { syntheticChest } from "../lib/data/synthetic/chest.ts";
import { encodePng } from "../lib/image/png.ts";
import { loadModel } from "../lib/model.ts";
import { selectBackend } from "../lib/tensor/backend.ts";

const FIXTURES = fromFileUrl(new URL("image/", import.meta.url));
const TOKEN = "a token";

/** What a request asks, and what came. */
interface Ask {
  path: string;
  file?: string;
  /** Zeros to send in place of a file. */
  zeros?: number;
  token?: string;
  method?: string;
}
interface Answer {
  status: number;
  body: { error?: string; label?: string; scores?: Record<string, number>; overlay?: unknown; features?: number[] };
}

/** Sends requests all at once from a process that may reach the loopback. */
async function ask(url: string, asks: readonly Ask[]): Promise<Answer[]> {
  const script = `
    const [url, asks] = [Deno.args[0], JSON.parse(Deno.args[1])];
    const answers = await Promise.all(asks.map(async ({ path, file, zeros, token, method }) => {
      const body = method === "GET" ? undefined : file ? await Deno.readFile(file) : new Uint8Array(zeros ?? 0);
      const headers = token === undefined ? {} : { authorization: "Bearer " + token };
      const response = await fetch(url + path, { method: method ?? "POST", headers, body });
      return { status: response.status, body: await response.json() };
    }));
    console.log(JSON.stringify(answers));
  `;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", "--no-config", script, url, JSON.stringify(asks)],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("docs/serving.md's server classifies, explains and encodes what the model does, and refuses by status", async () => {
  await selectBackend({ backend: "wasm" });
  const dicom = join(FIXTURES, "dicom_fixtures/explicit_8.dcm");
  const png = join(await Deno.makeTempDir(), "film.png");
  await Deno.writeFile(png, encodePng(syntheticChest(1).image));
  const labels = "label=pneumonia&label=no%20finding";
  const server = await startServer(TOKEN, { check: true });
  try {
    const good = [png, dicom].flatMap((file): Ask[] => [
      { path: `/classify?${labels}`, file, token: TOKEN },
      { path: `/explain?${labels}`, file, token: TOKEN },
      { path: "/encode", file, token: TOKEN },
    ]);
    const actual = await ask(server.url, good);
    const model = await loadModel();
    for (const [i, file] of [png, dicom].entries()) {
      const [answer] = await model.classify([file], ["pneumonia", "no finding"]);
      const features = await model.encodeImages([file]);
      const [classified, explained, encoded] = actual.slice(3 * i, 3 * i + 3) as [Answer, Answer, Answer];
      assertEquals([classified.status, explained.status, encoded.status], [200, 200, 200]);
      assertEquals([classified.body.label, explained.body.label], [answer!.label, answer!.label]);
      for (const [label, score] of Object.entries(answer!.scores)) {
        assertAlmostEquals(classified.body.scores![label]!, score, 1e-5);
        assertAlmostEquals(explained.body.scores![label]!, score, 1e-5);
      }
      assert(explained.body.overlay !== undefined && classified.body.overlay === undefined);
      assertEquals(encoded.body.features!.length, model.config.embedding);
      for (const [j, x] of features.entries()) assertAlmostEquals(encoded.body.features![j]!, x, 1e-5);
    }
    model.dispose();
    const path = `/classify?${labels}`;
    const bad: [Ask, number, string][] = [
      [{ path, file: png }, 401, "token"],
      [{ path, file: png, token: "another" }, 401, "token"],
      [{ path: "/train", file: png, token: TOKEN }, 404, "/classify, /explain and /encode"],
      [{ path, token: TOKEN, method: "GET" }, 400, "an empty file"],
      [{ path: "/classify?label=one", file: png, token: TOKEN }, 400, "two labels"],
      [{ path, token: TOKEN, zeros: 100 }, 400, "Cannot"],
      [{ path, token: TOKEN, zeros: 64e6 + 1 }, 413, "at most 64000000 bytes"],
    ];
    for (const [i, { status, body }] of (await ask(server.url, bad.map(([one]) => one))).entries()) {
      const [, expected, reason] = bad[i]!;
      assertEquals(status, expected, JSON.stringify(body));
      assert(body.error!.includes(reason) && !body.error!.includes("\n"), body.error);
    }
  } finally {
    await server.stop();
    await Deno.remove(dirname(png), { recursive: true });
  }
});

Deno.test("docs/serving.md's server loses nothing when overloaded: it answers what it let in and refuses the rest", async () => {
  const code = (await serverCode()).replace("batchSize: 8, mostOpen: 64", "batchSize: 4, mostOpen: 6");
  assert(code.includes("mostOpen: 6 "));
  const server = await startServer(TOKEN, { code });
  try {
    const load = await sendLoad(server, { token: TOKEN, count: 60, clients: 30 });
    assertEquals([load.answered + load.refused, load.lost], [60, 0]);
    assert(load.refused > 0 && load.answered >= 6, JSON.stringify(load));
    const after = await sendLoad(server, { token: TOKEN, count: 6, clients: 3 });
    assertEquals([after.answered, after.refused, after.lost], [6, 0, 0]);
  } finally {
    await server.stop();
  }
});
