// Queries under way: progress as it is, an end only where it can be told, a button that stops.

import { fill, keyed, post, setBar, setTag, setText, showSection } from "./dom.js";
import { count, seconds, size, things } from "./words.js";

const stopping = new Set();

export function showRunning(section, state) {
  showSection(section, state.queries.length);
  keyed(section.querySelector(".list"), "running-one", state.queries, (one) => one.key, (card, one) =>
    showOne(card, one, state.now_s),
  );
}

function showOne(card, one, now) {
  const isRunning = one.state === "executing";
  const elapsed = now - (one.begun_s ?? one.submitted_s);
  fill(card, {
    name: (place) => showName(place, one),
    lane: (place) => setTag(place, isRunning ? one.lane || "executing" : one.state, one.lane || one.state),
    database: one.database,
    elapsed: isRunning ? seconds(Math.max(0, elapsed)) : `waits for ${seconds(Math.max(0, now - one.submitted_s))}`,
    left: one.left_s === null ? "" : `about ${seconds(one.left_s)} left`,
    bar: (place) => setBar(place, one.chunks_done, isRunning ? one.chunks : 0),
    done: progress(one, isRunning),
    statement: one.statement,
    stop: (place) => showStop(place, one),
  });
}

function showName(place, one) {
  setText(place, one.number === null ? "answered at once" : `query ${one.number}`);
  if (one.number !== null) place.href = `query/${one.number}`;
}

function progress(one, isRunning) {
  if (one.state === "lost") return "the process that answered it is gone";
  if (!isRunning) return "";
  const came = one.rows ? `, ${things(one.rows, "row")} and ${size(one.bytes)} came` : "";
  const columns = one.column_bytes ? `, ${size(one.column_bytes)} of columns read` : "";
  if (!one.chunks) return `without chunks${came}`;
  const merging = one.chunks_done >= one.chunks ? "; being merged, or read by its client" : "";
  return `${count(one.chunks_done)} of ${things(one.chunks, "chunk")}${came}${columns}${merging}`;
}

function showStop(button, one) {
  const isStopping = stopping.has(one.key);
  button.hidden = !one.can_stop;
  button.disabled = isStopping;
  setText(button, isStopping ? "Stopping" : "Stop");
  button.setAttribute("aria-label", `Stop ${one.number === null ? "this query" : `query ${one.number}`}: ${one.statement.slice(0, 80)}`);
  button.onclick = () => stop(one, button);
}

async function stop(one, button) {
  const said = document.getElementById("said");
  const name = one.number === null ? "The query" : `Query ${one.number}`;
  stopping.add(one.key);
  showStop(button, one);
  try {
    const { stopped } = await post(`stop/${encodeURIComponent(one.key)}`);
    said.textContent = stopped ? `${name} was stopped.` : `${name} had ended.`;
  } catch (error) {
    said.textContent = `${name} was not stopped: ${error.message}`;
  } finally {
    stopping.delete(one.key);
    document.getElementById("running").focus({ preventScroll: true });
  }
}
