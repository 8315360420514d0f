/** The panel of the model: the shipped one, one's own, what is kept, and on what it computes. @module */
import type { ModelFacts } from "../engine/model.ts";
import { attempt, element, make, onFiles } from "./elements.ts";
import type { Session } from "./session.ts";

/** The panel of the model. */
export interface ModelPanel {
  /** Says what is at work. */
  show(facts: ModelFacts): void;
  /** Lists what is kept. */
  list(): Promise<void>;
}

/** What is said of the model at work: terms and texts. */
function factRows(facts: ModelFacts): [string, string][] {
  const { backend, reasons, isolated, isKept, name, isShipped, adapter, notes } = facts;
  return [
    ["Weights", isShipped ? "the shipped model, which knows drawings only" : name],
    ["Adapter", adapter ?? "none"],
    ["Computes on", backend],
    ["Threads", isolated ? "as many as there are processors" : "one: the page is not isolated"],
    [
      "Keeps",
      isKept ? "runs, and models on request, in this browser" : "nothing: this window gives the page no storage",
    ],
    ...(reasons.length > 0 ? [["Passed over", reasons.join("; ")] as [string, string]] : []),
    ...(notes.length > 0 ? [["Notes", notes.join("\n")] as [string, string]] : []),
  ];
}

/** Sets up the panel. */
export function setUpModel({ call, change, restart }: Session): ModelPanel {
  const keep = element<HTMLButtonElement>("keep"), useBase = element<HTMLButtonElement>("use-base");
  let canKeep = false;
  const listKept = (names: readonly string[]): void =>
    element("kept").replaceChildren(...names.map((name) => {
      const use = make("button", "Use", { type: "button", "aria-label": `Use ${name}` });
      const remove = make("button", "Remove", { type: "button", "aria-label": `Remove ${name}` });
      use.addEventListener(
        "click",
        () => attempt(() => change((engine) => engine.loadFiles({ kept: name }), "model")),
      );
      remove.addEventListener("click", () => attempt(async () => listKept(await call().removeKept(name))));
      return make("li", [make("span", `${name} `), use, remove], { class: "row" });
    }));

  onFiles("model-folder", (files) => change((engine) => engine.loadFiles(files), "model"));
  onFiles("adapter-file", (files) => change((engine) => engine.loadAdapterFiles(files), "adapter"));
  onFiles("adapter-folder", (files) => change((engine) => engine.loadAdapterFiles(files), "adapter"));
  element("use-shipped").addEventListener(
    "click",
    () => attempt(() => change((engine) => engine.loadFiles(null), "model")),
  );
  useBase.addEventListener("click", () => attempt(() => change((engine) => engine.useBase(), "adapter")));
  keep.addEventListener("click", () =>
    attempt(async () => {
      keep.disabled = true;
      await navigator.storage.persist?.();
      try {
        listKept(await call().keepModel());
      } finally {
        keep.disabled = !canKeep;
      }
    }));
  const backend = element<HTMLSelectElement>("backend");
  backend.addEventListener("change", () => attempt(() => restart(backend.value)));

  return {
    show(facts) {
      canKeep = facts.isGiven && facts.isKept;
      keep.disabled = !canKeep;
      useBase.disabled = facts.adapter === null;
      element("facts").replaceChildren(
        ...factRows(facts).map(([term, text]) => make("div", [make("dt", term), make("dd", text)])),
      );
    },
    async list() {
      listKept(await call().keptModels());
    },
  };
}
