// The stream of snapshots: parts that changed, put together; a connection that is lost is said, and made again.

const SILENT_MS = 6000;

/** Calls `show(state, changed)` at each event, and `tell(kind, words)` with how the connection is. */
export function follow(show, tell) {
  const state = {};
  let source = null;
  let heardAt = Date.now();

  function open() {
    source = new EventSource("live");
    source.onmessage = (event) => {
      heardAt = Date.now();
      const parts = JSON.parse(event.data);
      Object.assign(state, parts);
      tell(parts.error ? "stale" : "live", parts.error ? "shown as it was" : "live");
      show(state, new Set(Object.keys(parts)));
    };
    source.onerror = () => lost();
    source.addEventListener("closing", () => tell("lost", "the server ends; trying again"));
    source.addEventListener("out", () => location.assign("sign-in"));
  }

  async function lost() {
    tell("lost", "connection lost; trying again");
    if (source.readyState !== EventSource.CLOSED) return; // it connects again by itself
    source.close();
    const answer = await fetch("live", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) location.assign("sign-in");
    else setTimeout(open, 2000);
  }

  setInterval(() => {
    if (Date.now() - heardAt < SILENT_MS) return;
    tell("lost", `nothing heard for ${Math.round((Date.now() - heardAt) / 1000)} s`);
  }, 1000);
  open();
  return state;
}
