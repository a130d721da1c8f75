// Puts the page together: one stream, each section shown when its part has changed.

import { showBenchmarks } from "./benchmarks.js";
import { Charts } from "./charts.js";
import { showCatalogs, showNodes, showSums, showTransactions } from "./cluster.js";
import { setText } from "./dom.js";
import { follow } from "./feed.js";
import { openHistory } from "./history.js";
import { showRunning } from "./running.js";
import { SkyMap } from "./sky.js";

const at = (id) => document.getElementById(id);
const charts = new Charts();
const sky = new SkyMap(at("sky"));
const readHistory = openHistory(at("history"));
let running = "";
let published = "";

document.getElementById("sign-out").hidden = !document.cookie.includes("skyshard_signed_in=");

function tell(kind, words) {
  const link = at("link");
  if (link.dataset.kind === kind && kind !== "lost") return;
  link.dataset.kind = kind;
  setText(link.querySelector("[data-f=words]"), words);
  document.body.classList.toggle("is-lost", kind === "lost");
}

function show(state, changed) {
  const trouble = at("trouble");
  trouble.hidden = !state.error;
  setText(trouble, state.error ? `Some of this is shown as it was before: ${state.error}.` : "");
  if (state.queries) showQueries(state);
  if (state.benchmarks) showBenchmarks(at("benchmarks"), state);
  if (state.nodes) showNodes(at("nodes"), state);
  if (changed.has("catalogs") && state.catalogs) showCatalogs(at("catalogs"), state);
  if (state.transactions) showTransactions(at("ingest"), state);
  if (changed.has("busy")) sky.showBusy(state.busy ?? {});
  if (state.queries && state.nodes && state.catalogs && state.transactions) showSums(at("sums"), state);
  readSky(state);
}

function showQueries(state) {
  showRunning(at("running"), state);
  charts.add(state);
  const now = state.queries.map((one) => one.key).join(" ");
  if (running && now !== running) readHistory();
  running = now;
}

/** The map is read again when a catalog has changed, or a node answers no more. */
function readSky(state) {
  if (!state.catalogs || !state.nodes) return;
  const shown = state.catalogs.filter((one) => one.state === "published" && one.directors.length);
  const down = state.nodes.filter((one) => one.down_s !== null).map((one) => one.name);
  const now = JSON.stringify([state.catalogs.map((one) => [one.name, one.directors, one.changed_s, one.rows, one.lost]), down]);
  if (now === published) return;
  published = now;
  sky.offer(shown);
}

follow(show, tell);
