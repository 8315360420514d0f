/** Notebooks as TypeScript: reading them, joining their code cells to one module. */

/** A cell of a notebook file. */
export interface Cell {
  cell_type: string;
  source: string | string[];
  execution_count?: number | null;
  outputs?: Record<string, unknown>[];
}

/** A notebook file. */
export interface Notebook {
  cells: Cell[];
  metadata: Record<string, unknown>;
  nbformat: number;
}

/** Source of a cell as one text. */
export function sourceOf(cell: Cell): string {
  return typeof cell.source === "string" ? cell.source : cell.source.join("");
}

/**
 * All code cells as one module. Relative imports are made absolute from `folder` (a file URL that ends with a slash), so
 * the module may lie anywhere; a comment names each cell.
 */
export function joinCells(notebook: Notebook, folder: URL): string {
  return notebook.cells.map((cell, i) => [cell, i] as const)
    .filter(([cell]) => cell.cell_type === "code")
    .map(([cell, i]) =>
      `// cell ${i}\n${
        sourceOf(cell).replace(
          /(\bfrom\s*|\bimport\s*\(?\s*)(["'])(\.\.?\/[^"']+)\2/g,
          (_, head: string, quote: string, path: string) => `${head}${quote}${new URL(path, folder).href}${quote}`,
        )
      }`
    )
    .join("\n\n") + "\n";
}

/** Number of lines of the longest function in the text, counted from its head to its closing brace at the same depth. */
export function longestFunction(source: string): number {
  const lines = source.split("\n");
  let longest = 0;
  lines.forEach((line, start) => {
    if (!/\bfunction\b|=>\s*\{\s*$|^\s*(async\s+)?\w+\([^)]*\)[^;=]*\{\s*$/.test(line)) return;
    if (/^\s*(if|for|while|switch|catch)\b/.test(line)) return;
    const indent = /^\s*/.exec(line)![0];
    const end = lines.findIndex((other, i) => i > start && other.startsWith(`${indent}}`));
    if (end > start) longest = Math.max(longest, end - start + 1);
  });
  return longest;
}
