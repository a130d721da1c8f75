// Queries that have come, by state, text and time; the address of the page says what is asked for.

import { fill, get, keyed, setTag, setText } from "./dom.js";
import { count, seconds, size, things, utc } from "./words.js";

const KINDS = { completed: "met", failed: "failed", cancelled: "warned" };

export function openHistory(section) {
  const form = section.querySelector("form");
  const older = document.getElementById("older");
  const asked = new URLSearchParams(location.search);
  for (const [name, value] of asked) if (form.elements[name]) form.elements[name].value = value;
  let shown = [];

  async function show(below = null) {
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", `${wanted.size ? `?${wanted}` : location.pathname}${location.hash}`);
    if (below !== null) wanted.set("below", below);
    try {
      const found = await get(`data/history?${wanted}`);
      shown = below === null ? found.queries : [...shown, ...found.queries];
      showRows(section, shown);
      older.hidden = !found.has_more;
      say(section, shown.length ? `${things(shown.length, "query", "queries")}, newest first` : "No query of the history is so.");
    } catch (error) {
      say(section, `The history cannot be shown: ${error.message}`);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  form.elements.state.addEventListener("change", () => show());
  older.addEventListener("click", () => show(shown.at(-1)?.number ?? null));
  show();
  return () => shown.length <= 50 && show();
}

function say(section, words) {
  setText(section.querySelector("[data-f=found]"), words);
}

function showRows(section, queries) {
  section.querySelector("table").hidden = !queries.length;
  keyed(section.querySelector("tbody"), "past-one", queries, (one) => one.number, (row, one) =>
    fill(row, {
      name: (place) => {
        setText(place, String(one.number));
        place.href = `query/${one.number}`;
        place.setAttribute("aria-label", `query ${one.number}`);
      },
      state: (place) => setTag(place, one.state, KINDS[one.state] ?? "same"),
      submitted: utc(one.submitted_s),
      took: one.ended_s === null ? "" : seconds(Math.max(0, one.ended_s - (one.begun_s ?? one.submitted_s))),
      chunks: one.chunks === one.chunks_done ? count(one.chunks) : `${count(one.chunks_done)} of ${count(one.chunks)}`,
      rows: one.column_bytes ? `${count(one.rows)}, ${size(one.column_bytes)} of columns read` : count(one.rows),
      statement: one.statement,
      error: one.error,
    }),
  );
}
