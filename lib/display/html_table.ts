/** Tables of results for a web page. @module */
import { escapeHtml } from "./_escape.ts";
import { alignOf, cellTexts, type Mark, numberOf, type Table, type TableCell, tableMarks } from "./table.ts";

/** Characters from which a text may break into lines: it would make its column wider than a telephone. */
const LONG = 32;

/**
 * The table as HTML, escaped, inside a box that scrolls sideways by itself.
 *
 * @param table The table.
 * @returns One `<figure>` element.
 * @throws {TypeError} If a row has another number of cells than there are columns.
 */
export function htmlTable(table: Table): string {
  const texts = cellTexts(table), marks = tableMarks(table);
  const classes = (c: number, text: string): string => {
    const names = [...(alignOf(table, c) === "right" ? ["right"] : []), ...(text.length > LONG ? ["long"] : [])];
    return names.length === 0 ? "" : ` class="${names.join(" ")}"`;
  };
  const shown = (text: string, mark: Mark): string => {
    // An interval stays in one line: broken at its dash it reads as a difference.
    const html = escapeHtml(text).replace(
      /(?<=\d )[([][-\d.]+(-|, | to )[-\d.]+[)\]]$/,
      '<span class="interval">$&</span>',
    );
    return mark === "best" ? `<strong>${html}</strong>` : mark === "second" ? `<u>${html}</u>` : html;
  };
  // A grouping column becomes a line of its own above each group.
  const kept = table.columns.map((_, c) => c).filter((c) => c !== table.groupBy);
  const sortable = table.sortable === true && table.groupBy === undefined;
  const heading = (title: string): string =>
    sortable ? `<button type="button">${escapeHtml(title)}</button>` : escapeHtml(title);
  const head = kept.map((c) => table.columns[c]!.title).map((title, place) =>
    `<th scope="col"${classes(kept[place]!, title)}>${heading(title)}</th>`
  ).join("");
  const key = (cell: TableCell): string =>
    sortable ? ` data-key="${escapeHtml(String(numberOf(cell) ?? cell ?? ""))}"` : "";
  const body = texts.map((row, r) => {
    const group = table.groupBy === undefined ? undefined : row[table.groupBy]!;
    const first = group !== undefined && (r === 0 || texts[r - 1]![table.groupBy!] !== group);
    const cells = kept.map((c, place) =>
      place === 0
        ? `<th scope="row"${classes(c, row[c]!)}${key(table.rows[r]![c]!)}>${escapeHtml(row[c]!)}</th>`
        : `<td${classes(c, row[c]!)}${key(table.rows[r]![c]!)}>${shown(row[c]!, marks[r]![c]!)}</td>`
    );
    return (first
      ? `<tr class="group"><th scope="rowgroup" colspan="${kept.length}"><span>${escapeHtml(group)}</span></th></tr>\n`
      : "") + `<tr>${cells.join("")}</tr>`;
  }).join("\n");
  const legend = marks.flat().some((mark) => mark !== "") ? "<strong>best</strong>, <u>second best</u>" : "";
  const words = [table.caption === undefined ? "" : escapeHtml(table.caption), legend].filter((part) => part !== "");
  const caption = (table.synthetic ? '<span class="badge">synthetic data</span> ' : "") + words.join(" ");
  return `<figure class="table">${caption === "" ? "" : `<figcaption>${caption}</figcaption>`}` +
    `<div class="scroll" tabindex="0"><table${
      sortable ? ' class="sortable"' : ""
    }><thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div></figure>`;
}
