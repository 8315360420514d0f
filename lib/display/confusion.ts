/** Figure of a confusion matrix. @module */
import { axis, baseLayout, type Figure, wrapLabel } from "./plot.ts";

/**
 * Confusion matrix as a heat map: shade by the share of the row, text by the count.
 *
 * @param matrix `matrix[t][p]` cases of class `t` called `p`.
 * @param classes One name a row.
 * @returns The figure.
 * @throws {TypeError} If the matrix is not square with one name a row.
 */
export function confusionFigure(matrix: readonly (readonly number[])[], classes: readonly string[]): Figure {
  if (matrix.length !== classes.length || matrix.some((row) => row.length !== classes.length)) {
    throw new TypeError(
      `Cannot draw a confusion matrix as it must be [${classes.length}, ${classes.length}]: current shape is [${matrix.length}, ${
        matrix[0]?.length ?? 0
      }]`,
    );
  }
  const share = matrix.map((row) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((count) => total === 0 ? 0 : count / total);
  });
  const names = classes.map((name) => wrapLabel(name));
  const right = matrix.reduce((sum, row, i) => sum + row[i]!, 0);
  const all = matrix.flat().reduce((a, b) => a + b, 0);
  return {
    data: [{
      type: "heatmap",
      x: names,
      y: names,
      z: share,
      text: matrix.map((row) => row.map(String)),
      texttemplate: "%{text}",
      hovertemplate: "target %{y}<br>predicted %{x}<br>%{text} cases, %{z:.1%} of the target<extra></extra>",
      zmin: 0,
      zmax: 1,
      xgap: 2,
      ygap: 2,
      colorscale: [[0, "#e8eef4"], [0.5, "#6aa5d3"], [1, "#1c5a92"]],
      showscale: false,
    }],
    layout: baseLayout({
      showlegend: false,
      xaxis: axis("predicted", { showgrid: false, type: "category" }),
      yaxis: axis("target", { showgrid: false, type: "category", autorange: "reversed" }),
    }),
    alt: `Confusion matrix of ${classes.join(", ")}: ${right} of ${all} cases on the diagonal`,
  };
}
