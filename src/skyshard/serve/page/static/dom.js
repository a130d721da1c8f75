// Templates, filled and kept: what has not changed is not touched, so that focus and selection stay.

/** Put values into the elements whose data-f names them: texts, or a function of the element. */
export function fill(root, values) {
  const places = root.querySelectorAll("[data-f]");
  for (const place of root.matches?.("[data-f]") ? [root, ...places] : places) {
    const name = place.dataset.f;
    if (!(name in values)) continue;
    const value = values[name];
    if (typeof value === "function") value(place);
    else setText(place, value);
  }
}

export function setText(place, value) {
  const text = value === null || value === undefined ? "" : String(value);
  if (place.textContent !== text) place.textContent = text;
  if (place.matches("code, .tag, .bad, .quiet")) place.hidden = !text;
}

export function make(template) {
  return document.getElementById(template).content.firstElementChild.cloneNode(true);
}

/** One element of a list for each value, in order; an element stays that of its key. */
export function keyed(list, template, values, keyOf, show) {
  const before = new Map([...list.children].map((one) => [one.dataset.key, one]));
  let place = list.firstElementChild;
  for (const value of values) {
    const key = String(keyOf(value));
    const one = before.get(key) ?? make(template);
    before.delete(key);
    one.dataset.key = key;
    show(one, value);
    if (one === place) place = place.nextElementSibling;
    else list.insertBefore(one, place);
  }
  for (const gone of before.values()) gone.remove();
}

/** A section with a list: its number of things, and what stands there if there is none. */
export function showSection(section, number) {
  const places = section.querySelectorAll("[data-count]");
  for (const place of places) setText(place, number ? String(number) : "");
  section.querySelector(".empty").hidden = number > 0;
  for (const table of section.querySelectorAll("table")) table.hidden = number === 0;
}

/** A bar of chunks, or what is done of anything; without an end it says nothing of how far it is. */
export function setBar(bar, done, all) {
  bar.hidden = !all;
  if (!all) return;
  bar.max = all;
  bar.value = done;
}

export function setTag(place, text, kind) {
  setText(place, text);
  place.className = `tag ${kind}`;
}

/** POST to this server; returns the answer's JSON, or throws an Error with a line for people. */
export async function post(path) {
  return readAnswer(await fetch(path, { method: "POST" }));
}

export async function get(path) {
  return readAnswer(await fetch(path));
}

async function readAnswer(answer) {
  if (answer.status === 401) {
    location.assign(new URL("/ui/sign-in", location.href));
    throw new Error("sign in first");
  }
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  const said = isJson ? await answer.json() : { error: (await answer.text()).trim() };
  if (!answer.ok) throw new Error(said.remedy ? `${said.error}; ${said.remedy}` : said.error);
  return said;
}
