// Mollweide's projection of chunks, right ascension to the left; the grid and the degrees of a map.

const LABEL = 36;
const MARGIN = 26;
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60];
const thetas = new Map();

/** The angle of Mollweide's projection for a latitude in degrees; chunks share few of them. */
function thetaOf(lat) {
  const known = thetas.get(lat);
  if (known !== undefined) return known;
  const phi = (lat * Math.PI) / 180;
  let theta = phi;
  for (let i = 0; i < 30; i += 1) {
    const slope = Math.max(2 + 2 * Math.cos(2 * theta), 1e-9);
    const next = theta - (2 * theta + Math.sin(2 * theta) - Math.PI * Math.sin(phi)) / slope;
    theta = Math.min(Math.max(next, -Math.PI / 2), Math.PI / 2);
  }
  thetas.set(lat, theta);
  return theta;
}

/** Longitude in [-180, 180] and latitude in degrees; x in [-2, 2], to the left, y in [-1, 1]. */
function mollweide(lon, lat) {
  const theta = thetaOf(lat);
  return [((-2 * lon) / 180) * Math.cos(theta), Math.sin(theta)];
}

/** The same backwards; null beyond the sky. */
export function unprojected([x, y]) {
  if (Math.abs(y) >= 1) return null;
  const theta = Math.asin(y);
  const lon = (-180 * x) / (2 * Math.cos(theta));
  const lat = (180 / Math.PI) * Math.asin((2 * theta + Math.sin(2 * theta)) / Math.PI);
  return Math.abs(lon) <= 180 ? [lon, lat] : null;
}

/** A chunk's outline; two, where it crosses longitude 180. */
export function outlinesOf(sky, i) {
  const width = sky.ra_max[i] - sky.ra_min[i];
  const low = ((sky.ra_min[i] + 180) % 360) - 180;
  const high = low + width;
  const ranges = high > 180 ? [[low, 180], [-180, high - 360]] : [[low, high]];
  const points = Math.min(Math.max(2, Math.ceil(width / 2) + 1), 8);
  return ranges.map(([from, to]) => {
    const along = Array.from({ length: points }, (_, k) => from + ((to - from) * k) / (points - 1));
    const south = along.map((lon) => mollweide(lon, sky.dec_min[i]));
    const north = along.reverse().map((lon) => mollweide(lon, sky.dec_max[i]));
    return [...south, ...north];
  });
}

/** How the occupied part of the map, but no less than a tenth of it, lies on a canvas of this width. */
export function frameOf(outlines, width) {
  const box = outlines.length ? [2, -2, 1, -1] : [-2, 2, -1, 1];
  for (const parts of outlines)
    for (const part of parts)
      for (const [x, y] of part) {
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
  return {
    height,
    at: ([x, y]) => [width / 2 + (x - middle[0]) * scale, height / 2 - (y - middle[1]) * scale],
    from: ([left, top]) => [middle[0] + (left - width / 2) / scale, middle[1] + (height / 2 - top) / scale],
  };
}

export function trace(path, parts, frame) {
  for (const part of parts) {
    part.forEach((point, i) => path[i ? "lineTo" : "moveTo"](...frame.at(point)));
    path.closePath();
  }
}

/** Degrees along the lower and the left edge of what the map shows. */
export function drawDegrees(pen, frame, sky, colour) {
  if (!sky.chunk.length) return;
  const [west, east] = longitudesOf(sky);
  const south = sky.dec_min.reduce((a, b) => Math.min(a, b));
  const north = sky.dec_max.reduce((a, b) => Math.max(a, b));
  pen.fillStyle = colour;
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  let before = Infinity;
  for (const lon of ticks(west, east)) {
    const [x, y] = frame.at(mollweide(lon, south));
    if (Math.abs(before - x) < LABEL) continue; // near a pole they would lie on each other
    before = x;
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

export function drawGrid(pen, frame, colour) {
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
