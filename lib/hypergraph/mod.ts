/**
 * ACE-HGNN: hypergraph message passing along attention affinities.
 *
 * @module
 */
export * from "./ace_hgnn.ts";
export * from "./adapter.ts";
export * from "./affinities.ts";
export * from "./candidates.ts";
export * from "./gat.ts";
export * from "./gatv2.ts";
export * from "./incidence.ts";
export * from "./similarity_hgnn.ts";
