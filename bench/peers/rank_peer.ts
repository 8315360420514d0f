/**
 * A training step shared by the processes of one MPI job: rank 0 answers with the protocol of torch_peer.py, and the others do what
 * it was asked to do. Products are as in `deno task mpi`.
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

function tell(ranks: Communicator, order: Order): void {
  ranks.broadcast(new TextEncoder().encode(JSON.stringify(order).padEnd(ORDER_BYTES)));
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
  addEventListener("unload", () => {
    tell(ranks, { do: "end" });
    ranks.close();
  });
  await serve({ mpi: `${ranks.description}, each: ${adapter}` }, async (request): Promise<Job> => {
    const work = request as unknown as WorkOptions;
    tell(ranks, { do: "setup", work });
    const { step, dispose } = await makeWork(work, ranks);
    return {
      before: () => tell(ranks, { do: "run" }),
      run: step,
      dispose: () => {
        tell(ranks, { do: "drop" });
        dispose();
      },
    };
  });
}

const ranks = openMpi();
const { adapter } = await selectBackend({ backend: "wasm", wasm: { wide: true, threads: 1 } });
if (ranks.rank === 0) await lead(ranks, adapter);
await follow(ranks);
ranks.close();
