/** The worker of tree.ts: one film after another. @module */
import { filmJpeg, type FilmTask } from "./film.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<FilmTask>) => void) | null;
  postMessage(bytes: number): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = async ({ data }) => {
  const bytes = await filmJpeg(data);
  await Deno.writeFile(data.path, bytes);
  scope.postMessage(bytes.length);
};
