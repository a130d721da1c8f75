// The chunks of a table on the sky (Mollweide's projection, right ascension to the left): how dense, which are busy, which out of reach.

import { fill, get } from "./dom.js";
import { count, things } from "./words.js";

const EDGE_POINTS = 8;
const COLOURS = [[43, 47, 107], [47, 95, 158], [47, 147, 168], [95, 194, 154], [200, 229, 140], [251, 243, 176]];
const MARGIN = 26;
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60];

export class SkyMap {
  constructor(section) {
    this.section = section;
    this.canvas = section.querySelector("canvas");
    this.choice = section.querySelector("select");
    this.skies = [];
    this.busy = {};
    this.chosen = -1;
    this.choice.addEventListener("change", () => this.choose());
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Read the chunks of published databases again. */
  async read(databases) {
    const before = this.choice.value;
    const read = await Promise.allSettled(databases.map((name) => get(`data/sky/${encodeURIComponent(name)}`)));
    const found = read.flatMap((one) => (one.status === "fulfilled" ? one.value.skies : []));
    this.skies = found.filter((one) => one.chunk.length);
    this.choice.replaceChildren(...this.skies.map((one) => new Option(nameOf(one), nameOf(one))));
    if (this.skies.some((one) => nameOf(one) === before)) this.choice.value = before;
    this.section.querySelector(".empty").hidden = this.skies.length > 0;
    this.section.querySelector(".with-sky").hidden = !this.skies.length;
    this.choose();
  }

  choose() {
    this.sky = this.skies.find((one) => nameOf(one) === this.choice.value);
    this.chosen = -1;
    if (!this.sky) return;
    this.outlines = this.sky.chunk.map((_, i) => outlinesOf(this.sky, i));
    const rows = this.sky.rows.filter((one) => one > 0);
    this.fewest = rows.reduce((least, one) => Math.min(least, one), Infinity);
    this.most = rows.reduce((most, one) => Math.max(most, one), 0);
    fill(this.section, { fewest: count(rows.length ? this.fewest : 0), most: count(this.most) });
    this.draw();
  }

  showBusy(busy) {
    this.busy = busy;
    if (this.sky) this.draw();
  }

  draw() {
    if (!this.sky) return;
    const width = this.canvas.clientWidth;
    const frame = frameOf(this.outlines, width);
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(frame.height * dense);
    this.canvas.style.height = `${frame.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(dense, dense);
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    const busy = new Set(this.busy[this.sky.database] ?? []);
    drawGrid(pen, frame, ink("--rule"));
    const isDense = this.sky.chunk.length >= 2000;
    this.paths = this.outlines.map((parts) => pathOf(parts, frame));
    this.paths.forEach((path, i) => {
      pen.fillStyle = this.colour(i, ink);
      pen.fill(path);
      pen.lineWidth = isDense ? 0.3 : 1;
      pen.strokeStyle = ink("--paper");
      pen.stroke(path);
    });
    this.paths.forEach((path, i) => {
      if (this.sky.nodes[i] === 0) outline(pen, path, ink("--bad"), 3);
      else if (busy.has(this.sky.chunk[i])) outline(pen, path, ink("--s2"), 2.5);
      if (i === this.chosen) outline(pen, path, ink("--ink"), 2);
    });
    drawDegrees(pen, frame, this.sky, ink("--muted"));
    this.describe(busy);
  }

  colour(i, ink) {
    if (this.sky.nodes[i] === 0) return ink("--bad-soft");
    const rows = this.sky.rows[i];
    if (!rows) return ink("--raised");
    const span = Math.log(this.most / this.fewest);
    return colourAt(span ? Math.log(rows / this.fewest) / span : 0.6);
  }

  describe(busy) {
    const { chunk, nodes, rows } = this.sky;
    const away = chunk.filter((_, i) => nodes[i] === 0);
    const all = rows.reduce((sum, one) => sum + one, 0);
    const listed = away.length ? `: ${away.slice(0, 12).join(", ")}${away.length > 12 ? " …" : ""}` : "";
    const words = `${things(chunk.length, "chunk")} with ${things(all, "row")}; ${count(busy.size)} busy; ${count(away.length)} out of reach${listed}`;
    const place = document.getElementById("sky-words");
    if (place.textContent !== words) place.textContent = words;
    this.canvas.setAttribute("aria-label", `Map of the chunks of ${nameOf(this.sky)}`);
  }

  point(event) {
    if (!this.paths) return;
    const pen = this.canvas.getContext("2d");
    const dense = devicePixelRatio || 1;
    this.show(this.paths.findIndex((path) => pen.isPointInPath(path, event.offsetX * dense, event.offsetY * dense)));
  }

  step(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1 };
    if (!this.sky || !(event.key in steps)) return;
    event.preventDefault();
    const length = this.sky.chunk.length;
    this.show((this.chosen + steps[event.key] + length) % length);
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

function outline(pen, path, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke(path);
}

function colourAt(share) {
  const place = Math.min(Math.max(share, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(place), COLOURS.length - 2);
  const mixed = COLOURS[low].map((value, i) => Math.round(value + (place - low) * (COLOURS[low + 1][i] - value)));
  return `rgb(${mixed.join(" ")})`;
}

/** Longitude in [-180, 180] and latitude in degrees; x in [-2, 2], to the left, y in [-1, 1]. */
function mollweide(lon, lat) {
  const phi = (lat * Math.PI) / 180;
  let theta = phi;
  for (let i = 0; i < 30; i += 1) {
    const slope = Math.max(2 + 2 * Math.cos(2 * theta), 1e-9);
    const next = theta - (2 * theta + Math.sin(2 * theta) - Math.PI * Math.sin(phi)) / slope;
    theta = Math.min(Math.max(next, -Math.PI / 2), Math.PI / 2);
  }
  return [((-2 * lon) / 180) * Math.cos(theta), Math.sin(theta)];
}

/** A chunk's outline; two, where it crosses longitude 180. */
function outlinesOf(sky, i) {
  const width = sky.ra_max[i] - sky.ra_min[i];
  const low = ((sky.ra_min[i] + 180) % 360) - 180;
  const high = low + width;
  const ranges = high > 180 ? [[low, 180], [-180, high - 360]] : [[low, high]];
  return ranges.map(([from, to]) => {
    const along = Array.from({ length: EDGE_POINTS }, (_, k) => from + ((to - from) * k) / (EDGE_POINTS - 1));
    const south = along.map((lon) => mollweide(lon, sky.dec_min[i]));
    const north = along.reverse().map((lon) => mollweide(lon, sky.dec_max[i]));
    return [...south, ...north];
  });
}

/** How the occupied part of the map, but no less than a tenth of it, lies on a canvas of this width. */
function frameOf(outlines, width) {
  const box = [2, -2, 1, -1];
  for (const [x, y] of outlines.flat(2)) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.max(box[1], x);
    box[2] = Math.min(box[2], y);
    box[3] = Math.max(box[3], y);
  }
  const middle = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2];
  const across = Math.max(box[1] - box[0], 0.02);
  const up = Math.max(box[3] - box[2], 0.02);
  const height = Math.min(Math.max((width * up) / across, 160), 460);
  const scale = Math.min((width - 2 * MARGIN) / across, (height - 2 * MARGIN) / up);
  return { height, at: ([x, y]) => [width / 2 + (x - middle[0]) * scale, height / 2 - (y - middle[1]) * scale] };
}

function pathOf(parts, frame) {
  const path = new Path2D();
  for (const part of parts) {
    part.forEach((point, i) => path[i ? "lineTo" : "moveTo"](...frame.at(point)));
    path.closePath();
  }
  return path;
}

/** Degrees along the lower and the left edge of what the map shows. */
function drawDegrees(pen, frame, sky, colour) {
  const [west, east] = longitudesOf(sky);
  const south = sky.dec_min.reduce((a, b) => Math.min(a, b));
  const north = sky.dec_max.reduce((a, b) => Math.max(a, b));
  pen.fillStyle = colour;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  for (const lon of ticks(west, east)) {
    const [x, y] = frame.at(mollweide(lon, south));
    pen.fillText(`${(lon + 360) % 360}°`, x, Math.min(y + 15, frame.height - 5));
  }
  pen.textAlign = "right";
  for (const lat of ticks(south, north)) {
    const [x, y] = frame.at(mollweide(east, lat));
    pen.fillText(`${lat > 0 ? "+" : ""}${lat}°`, Math.max(x - 5, 32), y + 4);
  }
}

/** The least and the greatest longitude of all chunks, in [-180, 180]. */
function longitudesOf(sky) {
  const low = sky.ra_min.map((ra) => ((ra + 180) % 360) - 180);
  const high = low.map((lon, i) => Math.min(lon + sky.ra_max[i] - sky.ra_min[i], 180));
  return [low.reduce((a, b) => Math.min(a, b)), high.reduce((a, b) => Math.max(a, b))];
}

function ticks(low, high) {
  const step = STEPS.find((one) => (high - low) / one <= 7) ?? STEPS.at(-1);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

function drawGrid(pen, frame, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  const line = (points) => {
    pen.beginPath();
    points.forEach((point, i) => pen[i ? "lineTo" : "moveTo"](...frame.at(point)));
    pen.stroke();
  };
  for (let lon = -180; lon <= 180; lon += 30) line(Array.from({ length: 61 }, (_, k) => mollweide(lon, -90 + 3 * k)));
  for (let lat = -60; lat <= 60; lat += 30) line([mollweide(-180, lat), mollweide(180, lat)]);
}
