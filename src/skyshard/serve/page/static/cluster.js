// Nodes with their lights, catalogs, ingest transactions, and what all of it is in a few numbers.

import { fill, keyed, make, setBar, setTag, setText, showSection } from "./dom.js";
import { count, DASH, seconds, size, things, utc } from "./words.js";

export function showNodes(section, state) {
  showSection(section, state.nodes.length);
  keyed(section.querySelector(".cards"), "node-one", state.nodes, (one) => one.name, (card, one) => showNode(card, one, state.now_s));
}

function showNode(card, one, now) {
  const isDown = one.down_s !== null;
  const light = isDown ? "down" : one.decided === "active" ? "up" : "aside-light";
  const rate = one.statements_a_second === null ? "" : `, ${one.statements_a_second.toFixed(one.statements_a_second < 10 ? 1 : 0)} a second`;
  const outages = one.outages && !isDown ? `; ${things(one.outages, "outage")} in 24 h` : "";
  fill(card, {
    light: (place) => (place.className = `light ${light}`),
    name: (place) => {
      setText(place, one.name);
      place.href = `node/${encodeURIComponent(one.name)}`;
    },
    state: isDown ? `${one.decided}, does not answer` : `${one.decided}${outages}`,
    load: one.statements === null ? DASH : `${things(one.statements, "statement")}${rate}`,
    holds: `${things(one.chunks, "chunk")}, ${size(one.bytes)}`,
    missing: (place) => {
      setText(place, one.missing ? things(one.missing, "table") : "none");
      place.className = one.missing ? "warned" : "";
    },
    disk: (place) => showDisk(place, one),
    free: one.free_bytes === null ? "not known here" : `${size(one.free_bytes)} free of ${size(one.disk_bytes)}`,
    down: isDown ? `down for ${seconds(Math.max(0, now - one.down_s))}, since ${utc(one.down_s)} UTC` : "",
  });
}

function showDisk(meter, one) {
  meter.hidden = one.free_bytes === null;
  if (meter.hidden) return;
  meter.value = 1 - one.free_bytes / one.disk_bytes;
  meter.high = 0.9;
  meter.setAttribute("aria-label", `disk of ${one.name}, part in use`);
}

export function showCatalogs(section, state) {
  showSection(section, state.catalogs.length);
  keyed(section.querySelector("tbody"), "catalog-one", state.catalogs, (one) => one.name, (row, one) =>
    fill(row, {
      name: one.name,
      aliases: one.aliases.length ? `also ${one.aliases.join(", ")}` : "",
      state: one.state,
      tables: count(one.tables),
      rows: count(one.rows),
      bytes: size(one.bytes),
      chunks: count(one.chunks),
      level: (place) => setTag(place, ...level(one)),
    }),
  );
}

function level(one) {
  if (one.lost) return [`${things(one.lost, "chunk")} lost`, "failed"];
  if (one.under) return [`${things(one.under, "chunk")} below ${one.replicas}`, "warned"];
  if (one.level === null) return ["", ""];
  return [`${one.level} of ${one.replicas}`, "met"];
}

export function showTransactions(section, state) {
  showSection(section, state.transactions.length);
  keyed(section.querySelector(".list"), "transaction-one", state.transactions, (one) => one.number, (card, one) => showTransaction(card, one, state.now_s));
}

function showTransaction(card, one, now) {
  const isOpen = one.ended_s === null;
  const kinds = { finished: "met", aborted: "failed", aborting: "failed" };
  const again = one.attempt > 1 ? `, attempt ${one.attempt}` : "";
  fill(card, {
    name: (place) => {
      setText(place, `transaction ${one.number}`);
      place.href = `transaction/${one.number}`;
    },
    state: (place) => setTag(place, one.state, kinds[one.state] ?? "warned"),
    database: one.database,
    when: isOpen ? `for ${seconds(Math.max(0, now - one.begun_s))}${again}` : `${utc(one.begun_s)} UTC, took ${seconds(one.ended_s - one.begun_s)}${again}`,
    bar: (place) => setBar(place, one.loaded, isOpen ? one.parts : 0),
    brought: one.parts ? `${things(one.rows, "row")} in ${things(one.parts, "contribution")}${isOpen ? `, ${count(one.loaded)} on nodes` : ""}` : "no contribution recorded",
    source: one.source ? `from ${one.source}` : "",
    error: one.error,
  });
}

export function showSums(list, state) {
  const up = state.nodes.filter((one) => one.down_s === null).length;
  const lost = state.catalogs.reduce((sum, one) => sum + one.lost, 0);
  const under = state.catalogs.reduce((sum, one) => sum + one.under, 0);
  const open = state.transactions.filter((one) => one.ended_s === null).length;
  const rows = state.catalogs.reduce((sum, one) => sum + one.rows, 0);
  const values = [
    ["queries under way", count(state.queries.length), ""],
    ["nodes that answer", `${up} of ${state.nodes.length}`, up < state.nodes.length ? "bad" : ""],
    ["chunks short of replicas", count(under), under ? "warned" : ""],
    ["chunks lost", count(lost), lost ? "bad" : ""],
    ["open transactions", count(open), ""],
    ["rows in catalogs", count(rows), ""],
  ];
  values.forEach(([name, value, kind], place) => {
    const one = list.children[place] ?? list.appendChild(make("sum"));
    fill(one, { name, value });
    one.lastElementChild.className = kind;
  });
}
