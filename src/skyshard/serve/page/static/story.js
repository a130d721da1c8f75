// One query, transaction or node: what it is, its statement and plan, what happened to it.

import { fill, get, make, post, setTag, setText } from "./dom.js";
import { count, DASH, seconds, size, utc } from "./words.js";

const at = (id) => document.getElementById(id);
const [subject, name] = location.pathname.split("/").slice(-2).map(decodeURIComponent);
const KINDS = { completed: "met", finished: "met", running: "met", active: "met", failed: "failed", aborted: "failed", cancelled: "warned" };
const OPEN = ["queued", "executing"];

async function read() {
  try {
    const told = await get(`../data/${subject}/${encodeURIComponent(name)}`);
    at("trouble").hidden = true;
    show(told.story);
    if (subject === "query") await readPlan();
  } catch (error) {
    at("trouble").hidden = false;
    setText(at("trouble"), error.message);
    fill(document.querySelector("h1"), { title: `${subject} ${name}` });
  }
}

/** A long statement takes longer to plan than its story to read. */
async function readPlan() {
  at("plan").hidden = false;
  if (!at("plan").querySelector("tbody").rows.length) showFacts(at("plan").querySelector("tbody"), { "": "being made" });
  const told = await get(`../data/plan/${encodeURIComponent(name)}`).catch((error) => ({ plan_error: error.message }));
  showPlan(told);
}

function show(story) {
  const { state, statement, ...facts } = story.facts;
  document.title = `${subject} ${name} · Skyshard`;
  fill(document.querySelector("h1"), { title: `${subject} ${name}`, state: (place) => setTag(place, state, KINDS[state] ?? "same") });
  at("statement").hidden = !statement;
  setText(at("statement").querySelector("pre"), statement ?? "");
  at("copy").hidden = !statement;
  at("copy").onclick = () => copy(statement);
  at("measure").hidden = subject !== "query" || OPEN.includes(state);
  at("stop").hidden = subject !== "query" || !OPEN.includes(state);
  showFacts(at("facts"), facts);
  showEvents(story);
}

function showFacts(body, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length));
  body.replaceChildren(...rows.map(([key, value]) => factRow(key, value)));
}

function factRow(key, value) {
  const row = make("fact");
  const isList = Array.isArray(value);
  fill(row, {
    name: key.replace(/_(s|bytes)$/, "").replaceAll("_", " "),
    value: (place) => {
      if (isList && typeof value[0] === "object") place.append(tableOf(value));
      else if (isList || key.endsWith("statement")) place.append(...[value].flat().map(preOf));
      else if (value && typeof value === "object") setText(place, Object.entries(value).map(([one, took]) => `${one} ${shown(key, took)}`).join(", "));
      else setText(place, shown(key, value));
    },
  });
  return row;
}

function preOf(text) {
  return Object.assign(document.createElement("pre"), { textContent: String(text), tabIndex: 0 });
}

function shown(key, value) {
  if (value === null) return DASH;
  if (Array.isArray(value)) return value.length > 8 ? `${value.slice(0, 8).join(", ")} …` : value.join(", ");
  if (typeof value !== "number") return String(value);
  if (key === "down_since" || key.endsWith("_at")) return utc(value);
  if (key.endsWith("_s") || key === "seconds") return seconds(value);
  if (key === "bytes" || key.endsWith("bytes") || key.startsWith("bytes_")) return size(value);
  if (key === "coverage" || key === "share") return `${+(100 * value).toFixed(1)} %`;
  if (key.endsWith("skew")) return value.toPrecision(3);
  return key === "process" ? String(value) : count(value);
}

function tableOf(rows) {
  const table = document.createElement("table");
  const names = Object.keys(rows[0]);
  const head = table.createTHead().insertRow();
  for (const one of names) {
    const kind = typeof rows[0][one] === "number" ? "n" : "";
    head.append(Object.assign(document.createElement("th"), { textContent: one.replace(/_s$/, "").replaceAll("_", " "), scope: "col", className: kind }));
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const one of names) {
      const cell = line.insertCell();
      cell.textContent = shown(one, row[one]);
      if (typeof row[one] === "number") cell.className = "n";
    }
  }
  return table;
}

function showPlan(told) {
  const section = at("plan");
  const facts = told.plan_error ? { "not answered": told.plan_error } : planFacts(told.plan ?? {});
  showFacts(section.querySelector("tbody"), facts);
}

function planFacts(plan) {
  const { chunks, total_chunks, elapsed_s, columns, ...rest } = plan;
  const asked = total_chunks ? { chunks: `${count(chunks)} of ${count(total_chunks)}` } : {};
  const expected = elapsed_s === undefined || elapsed_s === null ? {} : { "expected to take": seconds(elapsed_s) };
  return { ...asked, ...expected, ...rest };
}

function showEvents(story) {
  const begun = story.events[0]?.time_s ?? 0;
  document.querySelector("#events").replaceChildren(
    ...story.events.map((one) => {
      const item = make("event");
      item.className = one.level;
      fill(item, {
        time: (place) => {
          setText(place, utc(one.time_s));
          place.dateTime = new Date(1000 * one.time_s).toISOString();
        },
        after: one.time_s > begun ? `after ${seconds(one.time_s - begun)}` : "",
        text: one.text,
      });
      return item;
    }),
  );
  document.querySelector("section > .empty").hidden = story.events.length > 0;
  setText(at("notes"), story.notes.join("; "));
}

async function copy(statement) {
  try {
    await navigator.clipboard.writeText(statement);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(at("statement").querySelector("pre"));
    say("It is selected; copy it with the keyboard.");
  }
}

function say(words) {
  at("said").textContent = words;
}

at("stop").addEventListener("click", async () => {
  at("stop").disabled = true;
  try {
    const { stopped } = await post(`../stop/${encodeURIComponent(name)}`);
    say(stopped ? "It was stopped." : "It had ended.");
  } catch (error) {
    say(`It was not stopped: ${error.message}`);
  }
  at("stop").disabled = false;
  read();
});
at("measure").addEventListener("click", async () => {
  at("measure").disabled = true;
  say("It is being answered; it can be stopped among the running queries.");
  try {
    const measured = await post(`../measure/${encodeURIComponent(name)}`);
    at("measured").hidden = false;
    showFacts(at("measured").querySelector("tbody"), measured);
    at("measured").focus();
    say("Measured.");
  } catch (error) {
    say(`It was not measured: ${error.message}`);
  }
  at("measure").disabled = false;
});
at("again").addEventListener("click", read);
read();
