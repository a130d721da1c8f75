// The chunks of a table on the sky: how dense, which are busy, which out of reach. One table is read at a time.

import { fill, get, setText } from "./dom.js";
import { drawDegrees, drawGrid, frameOf, outlinesOf, trace, unprojected } from "./projection.js";
import { count, things } from "./words.js";

const COLOURS = [[43, 47, 107], [47, 95, 158], [47, 147, 168], [95, 194, 154], [200, 229, 140], [251, 243, 176]];
const SHADES = 64;
const DENSE = 2000;

export class SkyMap {
  constructor(section) {
    this.section = section;
    this.canvas = section.querySelector("canvas");
    this.ground = document.createElement("canvas");
    this.choice = section.querySelector("select");
    this.busy = {};
    this.chosen = -1;
    this.read = 0;
    this.choice.addEventListener("change", () => this.choose());
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  /** Offer the directors of published databases; the one that is shown is read again. */
  offer(catalogs) {
    const names = catalogs.flatMap((one) => one.directors.map((table) => [one.name, table]));
    const before = this.choice.value;
    const options = names.map(([database, table]) => {
      const one = new Option(`${database}.${table}`, `${database}.${table}`);
      Object.assign(one.dataset, { database, table });
      return one;
    });
    this.choice.replaceChildren(...options);
    if (options.some((one) => one.value === before)) this.choice.value = before;
    this.section.querySelector(".empty").hidden = names.length > 0;
    this.section.querySelector(".with-sky").hidden = !names.length;
    this.choose();
  }

  /** Read the chunks of the table that is chosen, and show them; an older answer that comes later is dropped. */
  async choose() {
    const option = this.choice.selectedOptions[0];
    this.read += 1;
    const mine = this.read;
    if (!option) return;
    const { database, table } = option.dataset;
    const path = `data/sky/${encodeURIComponent(database)}/${encodeURIComponent(table)}`;
    const found = await get(path).catch((error) => error);
    if (mine !== this.read) return;
    if (found instanceof Error) {
      setText(document.getElementById("sky-words"), `${option.value} cannot be shown: ${found.message}`);
      return;
    }
    this.take(found);
  }

  take(sky) {
    const isSame = this.sky && nameOf(this.sky) === nameOf(sky) && this.sky.chunk.length === sky.chunk.length;
    this.sky = sky;
    this.chosen = isSame ? this.chosen : -1;
    this.outlines = sky.chunk.map((_, i) => outlinesOf(sky, i));
    this.away = sky.chunk.flatMap((_, i) => (sky.nodes[i] === 0 ? [i] : []));
    const rows = sky.rows.filter((one) => one > 0);
    this.fewest = rows.reduce((least, one) => Math.min(least, one), Infinity);
    this.most = rows.reduce((most, one) => Math.max(most, one), 0);
    fill(this.section, { fewest: count(rows.length ? this.fewest : 0), most: count(this.most) });
    this.paint();
  }

  showBusy(busy) {
    const isSame = JSON.stringify(this.busy) === JSON.stringify(busy);
    this.busy = busy;
    if (this.sky && !isSame) this.draw();
  }

  /** All chunks, by their rows: the ground on which the others are marked. */
  paint() {
    const width = this.canvas.clientWidth;
    if (!this.sky || !width) return;
    this.frame = frameOf(this.outlines, width);
    this.dense = devicePixelRatio || 1;
    for (const one of [this.canvas, this.ground]) {
      one.width = Math.round(width * this.dense);
      one.height = Math.round(this.frame.height * this.dense);
    }
    this.canvas.style.height = `${this.frame.height}px`;
    const pen = this.ground.getContext("2d");
    pen.scale(this.dense, this.dense);
    const ink = inks();
    drawGrid(pen, this.frame, ink("--rule"));
    const shades = new Map();
    this.outlines.forEach((parts, i) => {
      const colour = this.colour(i, ink);
      if (!shades.has(colour)) shades.set(colour, new Path2D());
      trace(shades.get(colour), parts, this.frame);
    });
    const number = this.sky.chunk.length;
    pen.lineWidth = number < DENSE ? 1 : 0.3;
    for (const [colour, path] of shades) {
      pen.fillStyle = colour;
      pen.strokeStyle = number < 10 * DENSE ? ink("--paper") : colour; // chunks of a pixel or two have no edges
      pen.fill(path);
      pen.stroke(path);
    }
    drawDegrees(pen, this.frame, this.sky, ink("--muted"));
    this.draw();
  }

  /** What changes: chunks out of reach, busy ones, the one that is pointed at. */
  draw() {
    if (!this.frame) return;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.ground, 0, 0);
    pen.scale(this.dense, this.dense);
    const ink = inks();
    const busy = new Set(this.busy[this.sky.database] ?? []);
    const isAway = new Set(this.away);
    const working = busy.size ? this.sky.chunk.flatMap((one, i) => (busy.has(one) && !isAway.has(i) ? [i] : [])) : [];
    this.outline(pen, working, ink("--s2"), 2.5);
    this.outline(pen, this.away, ink("--bad"), 3);
    if (this.chosen >= 0) this.outline(pen, [this.chosen], ink("--ink"), 2);
    this.describe(busy.size);
  }

  outline(pen, places, colour, width) {
    const path = new Path2D();
    for (const i of places) trace(path, this.outlines[i], this.frame);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(path);
  }

  colour(i, ink) {
    if (this.sky.nodes[i] === 0) return ink("--bad-soft");
    const rows = this.sky.rows[i];
    if (!rows) return ink("--raised");
    const span = Math.log(this.most / this.fewest);
    return colourAt(span ? Math.round((SHADES * Math.log(rows / this.fewest)) / span) / SHADES : 0.6);
  }

  describe(busy) {
    const { chunk, rows } = this.sky;
    const all = rows.reduce((sum, one) => sum + one, 0);
    const named = this.away.slice(0, 12).map((i) => chunk[i]).join(", ");
    const listed = this.away.length ? `: ${named}${this.away.length > 12 ? " …" : ""}` : "";
    const words = `${things(chunk.length, "chunk")} with ${things(all, "row")}; ${count(busy)} busy; ${count(this.away.length)} out of reach${listed}`;
    setText(document.getElementById("sky-words"), words);
    this.canvas.setAttribute("aria-label", `Map of the chunks of ${nameOf(this.sky)}`);
  }

  point(event) {
    if (!this.frame) return;
    const place = unprojected(this.frame.from([event.offsetX, event.offsetY]));
    if (!place) return;
    const { ra_min, ra_max, dec_min, dec_max } = this.sky;
    const ra = (place[0] + 360) % 360;
    this.show(dec_min.findIndex((south, i) => south <= place[1] && place[1] < dec_max[i] && ra_min[i] <= ra && ra < ra_max[i]));
  }

  step(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1 };
    if (!this.sky?.chunk.length || !(event.key in steps)) return;
    event.preventDefault();
    const length = this.sky.chunk.length;
    this.show((Math.max(this.chosen, steps[event.key] > 0 ? -1 : 0) + steps[event.key] + length) % length);
  }

  show(i) {
    if (i === this.chosen || i < 0) return;
    this.chosen = i;
    const { chunk, rows, nodes, ra_min, ra_max, dec_min, dec_max } = this.sky;
    document.getElementById("sky-chunk").textContent =
      `chunk ${chunk[i]}: ${things(rows[i], "row")}, on ${things(nodes[i], "node")} that ${nodes[i] === 1 ? "answers" : "answer"}; ` +
      `right ascension ${ra_min[i]}° to ${ra_max[i]}°, declination ${dec_min[i]}° to ${dec_max[i]}°`;
    this.draw();
  }
}

function nameOf(sky) {
  return `${sky.database}.${sky.table}`;
}

function inks() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

function colourAt(share) {
  const place = Math.min(Math.max(share, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  const mixed = COLOURS[low].map((value, i) => Math.round(value + (place - low) * (COLOURS[low + 1][i] - value)));
  return `rgb(${mixed.join(" ")})`;
}
