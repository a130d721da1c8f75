// Benchmarks that other processes run against this cluster: phase, queries done of those planned, latest latencies.

import { fill, keyed, setBar, showSection } from "./dom.js";
import { count, seconds, things } from "./words.js";

const SILENT_S = 10;

export function showBenchmarks(section, state) {
  section.hidden = !state.benchmarks.length;
  showSection(section, state.benchmarks.length);
  keyed(section.querySelector(".list"), "benchmark-one", state.benchmarks, (one) => one.process, (card, one) =>
    showOne(card, one, state.now_s),
  );
}

function showOne(card, one, now) {
  const isKnown = one.done !== null && one.total !== null;
  const silent = now - one.said_s;
  fill(card, {
    workload: one.workload,
    target: one.target,
    database: one.database,
    elapsed: `runs for ${seconds(Math.max(0, now - one.begun_s))}`,
    bar: (place) => setBar(place, one.done ?? 0, isKnown ? one.total : 0),
    stage: one.stage,
    done: progress(one, now),
    silent: silent > SILENT_S ? `said ${seconds(silent)} ago` : "",
    table: (place) => showClasses(place, one.classes),
  });
}

function progress(one, now) {
  const what = one.stage.startsWith("phase ") ? "query" : "step";
  const many = what === "query" ? "queries" : "steps";
  const since = `for ${seconds(Math.max(0, now - one.stage_begun_s))}`;
  if (one.done === null) return `${since}; its driver processes count their queries at the end of the phase`;
  if (one.total === null) return `${things(one.done, what, many)} done, ${since}; it ends by the clock`;
  return `${count(one.done)} of ${things(one.total, what, many)}, ${since}`;
}

function showClasses(table, classes) {
  table.hidden = !classes.length;
  keyed(table.tBodies[0], "benchmark-class", classes, (one) => one.name, (row, one) =>
    fill(row, {
      name: one.name,
      queries: count(one.queries),
      errors: count(one.errors),
      last: seconds(one.last_s),
      median: seconds(one.median_s),
    }),
  );
}
