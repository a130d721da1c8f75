// Numbers and times as people read them. What is not known is a dash.

export const DASH = "–";

export function count(value) {
  return value === null || value === undefined ? DASH : Number(value).toLocaleString("en").replaceAll(",", "\u202f");
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return DASH;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 100 ? value.toPrecision(3) : Math.round(value)}\u00a0${units[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 0.0995) return `${(1000 * value).toPrecision(2)}\u00a0ms`;
  if (value < 9.95) return `${value.toPrecision(2)}\u00a0s`;
  if (value < 99.5) return `${Math.round(value)}\u00a0s`;
  const minutes = Math.round(value / 60);
  if (minutes < 100) return `${minutes}\u00a0min`;
  const hours = value / 3600;
  return hours < 48 ? `${hours.toFixed(1)}\u00a0h` : `${Math.round(hours / 24)}\u00a0days`;
}

/** Seconds since 1970 as date and time in UTC. */
export function utc(time) {
  return time ? new Date(1000 * time).toISOString().slice(0, 19).replace("T", "\u00a0") : DASH;
}

/** A number of things: "1 chunk", "3 chunks". */
export function things(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}
