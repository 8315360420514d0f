/** The page in Firefox: loaded, asked, explained, trained, on wasm. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { buildPage } from "../../pages/app/build.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { rsnaLike } from "../../lib/data/synthetic/sets.ts";
import { classifyImages } from "../../lib/eval/classify.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { startServer } from "../platform/runtimes.ts";

const firefox = Deno.env.get("ACE_FIREFOX") ?? "/usr/bin/firefox-esr";
const isThere = await Deno.stat(firefox).then(({ isFile }) => isFile, () => false);

/** What firefox.ts prints. */
interface Visit {
  scores: number[];
  trained: string;
  warnings: string;
  isolated: boolean;
  problem: string;
  errors: string[];
}

Deno.test({
  name: `the page answers and trains in Firefox as Deno does, to 1e-5, and in a private window, which keeps nothing${
    isThere ? "" : ` (skipped: no ${firefox}, set ACE_FIREFOX)`
  }`,
  ignore: !isThere,
  fn: async () => {
    const site = await Deno.makeTempDir({ prefix: "ace-page-" });
    await buildPage(site);
    const server = await startServer(site);
    try {
      const script = fromFileUrl(new URL("firefox.ts", import.meta.url));
      const allowed = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--allow-net=127.0.0.1"];
      const visit = async (...flags: string[]): Promise<Visit> => {
        const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--no-check",
            "--quiet",
            ...allowed,
            script,
            firefox,
            `${server.address}?backend=wasm`,
            ...flags,
          ],
        }).output();
        if (!success) throw new Error(new TextDecoder().decode(stderr));
        return JSON.parse(new TextDecoder().decode(stdout));
      };
      const { scores, warnings, ...rest } = await visit();
      const sound = { isolated: true, problem: "", errors: [] };
      assertEquals({ isolated: rest.isolated, problem: rest.problem, errors: rest.errors }, sound);
      assertStringIncludes(rest.trained, "Done after 2 steps");
      assertEquals(warnings.includes("keeps nothing"), false);
      const closed = await visit("--private");
      assertEquals({ isolated: closed.isolated, problem: closed.problem, errors: closed.errors }, sound);
      assertEquals([closed.scores, closed.trained], [scores, rest.trained]);
      assertStringIncludes(closed.warnings, "This window keeps nothing");
      await selectBackend({ backend: "wasm" });
      const { params, config: encoders, tokenizer } = await loadClip();
      const films = rsnaLike(4, 7).cases.map(({ id, image }) => ({ name: id, image })); // as the page draws them
      const answers = await classifyImages({ params, config: { encoders, learnScale: false }, tokenizer }, films, [
        "pneumonia",
        "no finding",
      ]);
      disposeParams(params);
      const expected = answers.flatMap(({ scores }) => Object.values(scores));
      assertEquals(scores.length, expected.length);
      for (const [i, score] of scores.entries()) assert(Math.abs(score - expected[i]!) < 1e-5, `score ${i}: ${score}`);
    } finally {
      await server.close();
      await Deno.remove(site, { recursive: true });
    }
  },
});
