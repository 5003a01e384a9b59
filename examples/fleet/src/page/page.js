// The shop's part of the page: you, your devices, your cart.

import { $, ago, answeredBy, ask, failed, make, notice, time } from "./dom.js";
import * as fleet from "./fleet.js";

const PING_EVERY = 300;
const PINGS_AT_ONCE = 3;
const DEVICES_EVERY = 4000;

let user = null;
let events = null;
let pings = 0;
let leaving = false;

/** Asks for everything that belongs to the session. */
async function refresh() {
  const me = await ask("GET", "/whoami");
  if (failed(me)) return;
  showMe(me.body);
  await Promise.all([refreshCart(), refreshDevices(), refreshProfile()]);
}

function showMe(body) {
  const was = user;
  user = body.user;
  $("login").hidden = user !== null;
  $("me").hidden = $("devices-card").hidden = user === null;
  answeredBy("me-by", body);
  if (user === null) {
    if (was !== null && !leaving) notice("This session was ended from elsewhere.");
    return follow(false);
  }
  $("me-user").textContent = user;
  fact("logged in", time(body.authenticated_at));
  fact("revision", String(body.revision));
  if (was !== user) follow(true);
}

/** Sets one line of the facts about the session. */
function fact(name, value) {
  const facts = $("me-facts");
  let line = [...facts.children].find((term) => term.textContent === name);
  if (!line) {
    line = make("dt", {}, name);
    facts.append(line, make("dd"));
  }
  line.nextSibling.textContent = value;
}

async function refreshProfile() {
  if (user === null) return;
  const { status, body } = await ask("GET", "/profile");
  if (status !== 200) return;
  const { logins, theme } = body.profile;
  fact("logins", String(logins));
  fact("theme", theme ? `${theme} (v2 stores it, v1 keeps it)` : "none yet: v2 stores it");
}

async function refreshCart() {
  const { status, body } = await ask("GET", "/cart");
  if (status === 200) showCart(body);
}

function showCart(body) {
  $("cart").replaceChildren(...body.items.map((item) => make("li", {}, item)));
  $("cart-empty").hidden = body.items.length > 0;
  answeredBy("cart-by", body);
}

async function refreshDevices() {
  if (user === null) return;
  const { status, body } = await ask("GET", "/devices");
  if (status !== 200) return;
  $("devices-by").textContent = `${body.length} of at most 5`;
  $("devices").replaceChildren(...body.map(deviceRow));
  $("logout-others").disabled = body.length < 2;
}

function deviceRow(device) {
  const name = device.device ?? "A device without a name";
  const what = make("div", { class: "what" }, name, make("div", { class: "quiet small" }, `seen ${ago(device.last_seen)}`));
  const end = device.current
    ? make("span", { class: "chip" }, "this one")
    : make("button", { class: "little danger", type: "button", "aria-label": `Log out ${name}`, onclick: () => revoke(device, name) }, "Log out");
  return make("li", {}, what, end);
}

async function revoke(device, name) {
  const answer = await ask("DELETE", `/devices/${encodeURIComponent(device.handle)}`);
  if (!failed(answer)) notice(`${name} is logged out.`);
  await refreshDevices();
}

/** Listens for the end of this session, wherever it comes from. */
function follow(on) {
  events?.close();
  events = null;
  if (!on) return;
  events = new EventSource("/events");
  events.addEventListener("revoked", refresh);
}

/** Does something to the session, then shows how it stands. */
async function act(path, form, done) {
  const answer = await ask("POST", path, { form });
  if (!failed(answer)) done?.(answer.body);
  await refresh();
}

async function login(event) {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  user = null;
  await act("/login", form, () => notice(`Logged in as ${form.user}.`));
}

async function add(event) {
  event.preventDefault();
  const form = event.target;
  const answer = await ask("POST", "/cart", { form: Object.fromEntries(new FormData(form)) });
  if (failed(answer)) return;
  showCart(answer.body);
  form.reset();
  form.elements.namedItem("item").focus();
}

/** Leaving by oneself is no news from elsewhere. */
async function leave(path, said) {
  follow(false);
  leaving = true;
  await act(path, undefined, said);
  leaving = false;
}

/** A small request now and then, so that there is something to see. */
async function ping() {
  if (!$("ping").checked || document.hidden || pings >= PINGS_AT_ONCE) return;
  pings += 1;
  const was = user;
  const { status, body } = await ask("GET", was === null ? "/anon" : "/me", { limit: 5000 });
  pings -= 1;
  if (was !== user) return;
  if (status === 200) answeredBy("me-by", body);
  else if (status === 401) refresh();
}

/** What this browser might be called. */
function deviceName() {
  const agent = navigator.userAgent;
  const find = (names) => names.find(([part]) => agent.includes(part))?.[1];
  const browser = find([["Firefox", "Firefox"], ["Edg", "Edge"], ["Chrome", "Chrome"], ["Safari", "Safari"]]) ?? "Browser";
  const system = find([["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Mac", "Mac"], ["Windows", "Windows"], ["Linux", "Linux"]]);
  return system ? `${browser} on ${system}` : browser;
}

$("login").elements.device.value = deviceName();
$("login").addEventListener("submit", login);
$("add").addEventListener("submit", add);
$("logout").addEventListener("click", () => leave("/logout"));
$("logout-everywhere").addEventListener("click", () => leave("/logout-everywhere", ({ revoked }) => notice(`Sessions ended: ${revoked}.`)));
$("logout-others").addEventListener("click", () => act("/logout-others", undefined, ({ revoked }) => notice(`Other sessions ended: ${revoked}.`)));
$("ping").checked = true;
setInterval(ping, PING_EVERY);
setInterval(() => document.hidden || refreshDevices(), DEVICES_EVERY);
fleet.listen();
fleet.follow();
refresh();
