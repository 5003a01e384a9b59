// What the other scripts share: finding and making elements, asking the server, notices.

export const $ = (id) => document.getElementById(id);

/** Makes an element. Text is always set as text, never as markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Asks the server; answers `{status, body}`, and status 0 if there was no answer. */
export async function ask(method, path, { form, json, limit = 15_000 } = {}) {
  const request = { method, signal: AbortSignal.timeout(limit), headers: {}, cache: "no-store" };
  if (form) request.body = new URLSearchParams(form);
  if (json !== undefined) {
    request.body = JSON.stringify(json);
    request.headers["content-type"] = "application/json";
  }
  try {
    const response = await fetch(path, request);
    return { status: response.status, body: await read(response) };
  } catch {
    return { status: 0, body: null };
  }
}

async function read(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text ? { error: text } : null;
  }
}

/** Says something for a few seconds, to screen readers too. */
export function notice(text) {
  const line = make("p", {}, text);
  $("notice").append(line);
  setTimeout(() => line.remove(), 6000);
}

/** Says why something failed; true if it did. */
export function failed({ status, body }) {
  if (status >= 200 && status < 300) return false;
  if (status === 0) notice("No answer. Is the fleet running?");
  else if (body?.error?.startsWith("no instance")) notice("No instance takes requests. Start one.");
  else if (status === 503) notice("The store can't be reached just now. Your login is kept; try again in a moment.");
  else notice(body?.error ?? `That did not work (status ${status}).`);
  return true;
}

export const colour = (version) => (version === "v2" ? "green" : "blue");

/** A coloured mark of an instance. */
export function mark(answer) {
  return make("span", { class: `chip ${colour(answer.version)}` }, `${answer.instance} · ${answer.version}`);
}

/** Shows in a card's title who answered. */
export function answeredBy(id, answer) {
  if (answer?.instance) $(id).replaceChildren("answered by ", mark(answer));
}

const clock = new Intl.DateTimeFormat([], { timeStyle: "medium" });
export const time = (text) => clock.format(new Date(text));

export function ago(text) {
  const seconds = Math.round((Date.now() - new Date(text)) / 1000);
  if (seconds < 10) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}
