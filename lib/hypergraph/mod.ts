/**
 * ACE-HGNN: hypergraph message passing along attention affinities.
 *
 * @module
 */
export * from "./ace_hgnn.ts";
export * from "./adapter.ts";
export * from "./incidence.ts";
