/** SHA-256 in pieces: Node's own where it is there. @module */
import { type Hash, portableSha256 } from "./portable_sha256.ts";
import { builtin } from "./runtime.ts";

/** Begins a SHA-256. */
export function newSha256(): Hash {
  return builtin<typeof import("node:crypto")>("node:crypto")?.createHash("sha256") ?? portableSha256();
}
