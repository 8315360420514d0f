/** What each process of mpi_test.ts runs: every collective call, its results printed by rank 0. */
import { openMpi } from "../../lib/distributed/mpi.ts";

const [library] = Deno.args;
const world = openMpi(library ? { library } : {});
const { rank, size } = world;
const gathered = world.allGather(Float32Array.of(rank + 0.5, -rank));
const sums = Float32Array.from({ length: 100_003 }, (_, i) => (rank + 1) * (i % 7));
world.allReduceSum(sums);
const wrong = sums.findIndex((value, i) => value !== size * (size + 1) / 2 * (i % 7));
const bytes = Uint8Array.of(rank === 0 ? 7 : 0, rank === 0 ? 9 : 1);
world.broadcast(bytes);
const shares = world.allGather(Float32Array.of(bytes[0]!, bytes[1]!));
world.barrier();
// What a training sends, its processes not in step: without it none waits for another at the end.
for (let step = 0; step < 5; step++) {
  world.allGather(new Float32Array(300_000).fill(rank));
  await new Promise((resolve) => setTimeout(resolve, 5 * rank));
}
if (rank === 0) {
  const { description } = world;
  console.log(JSON.stringify({ size, gathered: [...gathered], wrong, shares: [...shares], description }));
}
world.close();
