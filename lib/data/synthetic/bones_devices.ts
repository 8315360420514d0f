/**
 * Broken ribs, and support devices: tubes, lines, pacemakers, wires.
 *
 * @module
 */
import { curve, disc, stroke } from "./canvas.ts";
import { type Painter, signOf } from "./painter.ts";

/** The gap and the bright ends of broken ribs; their displacement is in the ribs themselves. */
export const fracture: Painter = (canvas, anatomy, { finding, broken }) => {
  const { ribs } = anatomy;
  for (const rib of broken) {
    const away = rib.distance - 0.1;
    const y = ribs.top + ribs.drop * away * away + (rib.rib + 0.5) * ribs.spacing;
    const s = signOf(rib.lung), half = ribs.half * ribs.spacing;
    const ends = 0.12 + 0.14 * finding.size;
    disc(canvas, [s * (rib.distance - 0.014), y], { rx: 0.014, ry: half * 1.2, amount: ends, soft: 0.6 });
    disc(canvas, [s * (rib.distance + 0.014), y + rib.displaced], {
      rx: 0.014,
      ry: half * 1.2,
      amount: ends,
      soft: 0.6,
    });
    stroke(canvas, [[s * (rib.distance - 0.004), y - half * 1.3], [
      s * (rib.distance + 0.004),
      y + rib.displaced + half * 1.3,
    ]], {
      width: 0.011,
      amount: -0.15 - 0.08 * finding.size,
    });
  }
};

/** One to three devices, by severity. */
export const devices: Painter = (canvas, anatomy, { finding, rng }) => {
  const shift = anatomy.mediastinalShift;
  for (const kind of finding.devices ?? []) {
    if (kind === "tube") {
      const tip = 0.27 + rng() * 0.08;
      for (const dx of [-0.008, 0.008]) stroke(canvas, [[dx, 0], [dx + shift, tip]], { width: 0.007, amount: 0.2 });
      if (rng() < 0.6) {
        stroke(canvas, curve([0.012, 0], [0.06 + shift, 0.97], -0.02, 8), { width: 0.01, amount: 0.2 });
      }
    } else if (kind === "line") {
      const s = rng() < 0.6 ? -1 : 1;
      stroke(canvas, curve([s * (0.1 + 0.28 * rng()), rng() < 0.5 ? 0 : 0.14], [-0.045 + shift, 0.24], s * 0.12, 8), {
        width: 0.011,
        amount: 0.24,
      });
      stroke(canvas, [[-0.045 + shift, 0.24], [-0.05 + shift, 0.44 + rng() * 0.06]], { width: 0.011, amount: 0.24 });
    } else if (kind === "pacemaker") {
      const s = rng() < 0.85 ? 1 : -1;
      const centre: [number, number] = [s * (0.29 + rng() * 0.04), 0.25 + rng() * 0.05];
      disc(canvas, centre, { rx: 0.048, ry: 0.042, amount: 0.9, towards: 0.98, soft: 0.15 });
      const entry: [number, number] = [s * 0.06, 0.21];
      stroke(canvas, curve(centre, entry, -s * 0.15), { width: 0.011, amount: 0.28 });
      stroke(canvas, curve(entry, [0.12 + shift, 0.76], 0.16, 8), { width: 0.011, amount: 0.28 });
    } else if (kind === "wires") {
      for (const s of [-1, 1]) {
        const lead: [number, number] = [s * (0.22 + rng() * 0.12), 0.22 + rng() * 0.45];
        stroke(canvas, curve([s * (0.3 + rng() * 0.2), rng() < 0.5 ? 0 : 0.98], lead, (rng() - 0.5) * 0.5, 8), {
          width: 0.009,
          amount: 0.22,
        });
        disc(canvas, lead, { rx: 0.014, amount: 0.8, towards: 0.97, soft: 0.2 });
      }
    } else {
      for (let w = 0; w < 5; w++) {
        const y = 0.28 + w * 0.085;
        stroke(canvas, [[-0.016, y], [0.016, y + 0.012], [-0.012, y + 0.016]], { width: 0.008, amount: 0.26 });
      }
    }
  }
};
