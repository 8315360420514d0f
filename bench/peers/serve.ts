/** The protocol of torch_peer.py for peers in JavaScript. No imports: js_peer.ts runs without the project's configuration. @module */

/** Does the work once. */
export type Run = () => void | Promise<void>;

interface Request {
  do: "setup" | "run" | "drop";
  id: string;
  work: Record<string, unknown>;
  threads: number;
}

/** Work that was set up. */
export interface Job {
  /** Does it once. */
  run: Run;
  /** Called before each run, outside the time. */
  before?: Run;
  /** Frees it. */
  dispose?: () => void;
  /** Versions of what it takes beside what was said first. */
  versions?: Record<string, string>;
}

/**
 * Answers requests, JSON lines on standard input, until it ends.
 *
 * @param versions What is said first.
 * @param makeJob Sets work up.
 */
export async function serve(
  versions: Record<string, string>,
  makeJob: (work: Record<string, unknown>, threads: number) => Promise<Job>,
): Promise<void> {
  const encoder = new TextEncoder();
  const send = (value: object): Promise<number> => Deno.stdout.write(encoder.encode(JSON.stringify(value) + "\n"));
  // The libraries' own chatter must not reach the protocol.
  console.log = console.info = console.debug = console.error;
  const jobs = new Map<string, Job>();
  const answer = async (request: Request): Promise<object> => {
    const { id } = request;
    if (request.do === "setup") {
      const job = await makeJob(request.work, request.threads);
      jobs.set(id, job);
      return { versions: job.versions };
    }
    if (request.do === "drop") {
      jobs.get(id)?.dispose?.();
      jobs.delete(id);
      return {};
    }
    const { before, run } = jobs.get(id)!;
    await before?.();
    const start = performance.now();
    await run();
    return { seconds: (performance.now() - start) / 1000 };
  };
  await send(versions);
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      try {
        await send(await answer(JSON.parse(line)));
      } catch (error) {
        await send({ error: (error as Error).message.split("\n")[0]! });
      }
    }
  }
  Deno.exit(0);
}
