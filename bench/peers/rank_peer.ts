/**
 * A training step shared by the processes of one MPI job: rank 0 answers with the protocol of torch_peer.py, and the others do what
 * it was asked to do. Products are as in `deno task mpi`. A process that waits in an MPI call keeps its processor busy, which the
 * other sides of a comparison need: between orders the others are stopped by a signal.
 *
 * @module
 */
import { type Communicator, openMpi } from "../../lib/distributed/mod.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { makeWork, type Work, type WorkOptions } from "../work.ts";
import { type Job, serve } from "./serve.ts";

/** What rank 0 tells the others. */
type Order = { do: "setup"; work: WorkOptions } | { do: "run" | "drop" | "end" };

/** Bytes of an order, JSON filled up with spaces: a broadcast has one size. */
const ORDER_BYTES = 256;

/** Gives all an order, and runs this process's share. */
async function all(ranks: Communicator, others: readonly number[], order: Order, own: () => unknown): Promise<void> {
  for (const pid of others) Deno.kill(pid, "SIGCONT");
  ranks.broadcast(new TextEncoder().encode(JSON.stringify(order).padEnd(ORDER_BYTES)));
  await own();
  for (const pid of others) Deno.kill(pid, "SIGSTOP");
}

function nextOrder(ranks: Communicator): Order {
  const bytes = new Uint8Array(ORDER_BYTES);
  ranks.broadcast(bytes);
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function follow(ranks: Communicator): Promise<void> {
  let work: Work | undefined;
  for (;;) {
    const order = nextOrder(ranks);
    if (order.do === "end") return;
    if (order.do === "setup") work = await makeWork(order.work, ranks);
    else if (order.do === "run") await work!.step();
    else work!.dispose();
  }
}

async function lead(ranks: Communicator, adapter: string): Promise<void> {
  const others = [...ranks.allGather(Float32Array.of(Deno.pid))].slice(1);
  for (const pid of others) Deno.kill(pid, "SIGSTOP"); // groups that come first need the processors, too
  addEventListener("unload", () => void all(ranks, others, { do: "end" }, () => ranks.close()));
  await serve({ mpi: `${ranks.description}, each: ${adapter}` }, async (request): Promise<Job> => {
    const options = request as unknown as WorkOptions;
    let work: Work | undefined;
    await all(ranks, others, { do: "setup", work: options }, async () => work = await makeWork(options, ranks));
    return {
      run: () => all(ranks, others, { do: "run" }, () => work!.step()),
      dispose: () => void all(ranks, others, { do: "drop" }, () => work!.dispose()),
    };
  });
}

const ranks = openMpi();
const { adapter } = await selectBackend({ backend: "wasm", wasm: { wide: true, threads: 1 } });
if (ranks.rank === 0) await lead(ranks, adapter); // and ends
ranks.allGather(Float32Array.of(Deno.pid));
await follow(ranks);
ranks.close();
