/** The bench's own parts: turns, peers that die, and what is on disk of a run that has not ended. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { keepReport } from "../bench/keep.ts";
import { type Contender, takeTurns } from "../bench/measure.ts";
import { contender, startPeer } from "../bench/peers/peer.ts";
import { atMost, type Facts, measurement } from "../bench/record.ts";
import { inFolder } from "./folder.ts";

/** A side that takes so many milliseconds by its own account, and counts its runs. */
function side(name: string, milliseconds: number): Contender & { runs: number } {
  const made = {
    name,
    runs: 0,
    run: () => {
      made.runs++;
      return Promise.resolve(milliseconds);
    },
  };
  return made;
}

Deno.test("takeTurns() warms a slow side up once, and a fast one as often as it is told", async () => {
  const [slow, fast] = [side("slow", 5000), side("fast", 1)];
  const times = await takeTurns([slow, fast], { warmUp: 4, least: 2, most: 2 });
  assertEquals([slow.runs, fast.runs], [1 + 2, 4 + 2]);
  assertEquals(times.get("slow")!.samples, [5000, 5000]);
});

Deno.test("takeTurns() warms a side up as often as it asks for, however slow it is", async () => {
  const [slow, fast] = [Object.assign(side("slow", 5000), { warmUp: 5 }), side("fast", 1)];
  const times = await takeTurns([slow, fast], { warmUp: 2, least: 2, most: 2 });
  assertEquals([slow.runs, fast.runs], [5 + 2, 2 + 2]);
  assertEquals(times.get("slow")!.samples, [5000, 5000]);
});

Deno.test("takeTurns() goes on without a side that threw, or throws", async () => {
  const died: Contender = { name: "died", run: () => Promise.reject(new Error("out of memory")) };
  const lost: string[] = [];
  const times = await takeTurns([side("own", 1), died], { least: 2, most: 2 }, (name) => void lost.push(name));
  assertEquals([[...times.keys()], lost], [["own"], ["died"]]);
  await assertRejects(() => takeTurns([side("own", 1), died]), Error, "out of memory");
});

const SERVE = JSON.stringify(new URL("../bench/peers/serve.ts", import.meta.url).href);

/** A peer that does what it is told by name: `good`, `dies` with a message or `hangs`. */
const start = (patience?: number) => {
  const code = `
    import { serve } from ${SERVE};
    const runs = {
      good: () => {},
      dies: () => { setTimeout(() => { throw new RangeError("no room left"); }); return new Promise(() => {}); },
      hangs: () => new Promise((resolve) => setTimeout(resolve, 1e6)),
    };
    await serve({ began: "yes" }, ({ kind }) => Promise.resolve({ run: runs[kind], versions: { [kind]: "1" } }));`;
  const args = ["eval", "--quiet", "--ext=js", code];
  return startPeer(Deno.execPath(), args, patience === undefined ? {} : { patience });
};

Deno.test("a peer tells the versions of what it has set up, and its last words where it dies; the next work has another", async () => {
  const peer = await start();
  const dies = await contender(peer, "dies", { kind: "dies" }, 1);
  await assertRejects(() => dies.run(), Error, "no room left");
  await assertRejects(() => dies.run(), Error, "no room left");
  await dies.drop();
  const good = await contender(peer, "good", { kind: "good" }, 1);
  assert(await good.run() >= 0);
  await good.drop();
  assertEquals(peer.versions, { began: "yes", dies: "1", good: "1" });
  await peer.close();
});

Deno.test("a peer that does not answer is ended; one that is asked to end at once does not finish its work", async () => {
  const peer = await start(20); // its start and its setting up are answers, too
  const hangs = await contender(peer, "hangs", { kind: "hangs" }, 1);
  await assertRejects(() => hangs.run(), Error, "no answer in 20 s");
  await hangs.drop();
  const again = await contender(peer, "hangs", { kind: "hangs" }, 1);
  const running = again.run();
  await Promise.all([assertRejects(() => running, Error, "ended by SIGTERM"), peer.close(true)]);
});

Deno.test("keepReport() says in every file what of a run is there, until all of it is", async () => {
  await inFolder(async (folder) => {
    const facts: Facts = { date: "2026", adapter: "a CPU", processors: 2, load: 0, versions: {}, revision: null };
    const times = await takeTurns([side("ace-lora", 2), side("pytorch", 1)], { most: 3 });
    const made = measurement("a step", 1, times);
    const kept = {
      facts,
      aims: [atMost("a step against PyTorch", 3, Object.values(made.ratios)[0]!)],
      skipped: [],
      groups: new Map([["hgnn", [made]], ["matmul", [made, made]]]),
      seconds: new Map([["hgnn", 7]]),
    };
    const options = {
      folder,
      names: ["hgnn", "matmul", "page"],
      began: performance.now(),
      copy: `${folder}/copy.json`,
    };
    const read = async (name: string) => JSON.parse(await Deno.readTextFile(`${folder}/${name}.json`));
    await keepReport(kept, options);
    const part = "a part of the run: all of hgnn, 2 rows of matmul, nothing of page";
    for (const name of ["summary", "copy", "matmul"]) assertEquals((await read(name)).part, part, name);
    const whole = await read("hgnn");
    assertEquals([whole.part, whole.seconds, whole.measurements[0].turns], [undefined, 7, 3]);
    assertMatch(await Deno.readTextFile(`${folder}/report.html`), new RegExp(`This is ${part}`));
    const { aims, secondsOfGroups } = await read("summary");
    assertEquals([aims[0].measured, aims[0].turns, aims[0].met, secondsOfGroups], [2, 3, true, { hgnn: 7 }]);

    for (const name of options.names) kept.seconds.set(name, 1);
    await keepReport(kept, options);
    for (const name of ["summary", "copy", "matmul", "hgnn"]) assertEquals((await read(name)).part, undefined, name);
    assertEquals((await Deno.readTextFile(`${folder}/report.html`)).includes("a part of the run"), false);
  });
});

Deno.test("the native side of the bench has the library that ACE_BLAS names, and none where it is off", async () => {
  const path = fromFileUrl(new URL("../bench/peers/own_peer.ts", import.meta.url));
  const begin = (library: string) =>
    startPeer(Deno.execPath(), ["run", "--quiet", "--allow-read", "--allow-env", "--allow-ffi", path, "native"], {
      env: { ACE_BLAS: library },
    });
  await assertRejects(() => begin("off"), Error, "ACE_BLAS is off");
  await assertRejects(() => begin("/nowhere/libnone.so"), Error, 'Cannot use "/nowhere/libnone.so" as a BLAS library');
});
