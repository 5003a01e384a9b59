// The balancer's part of the page: lanes, split, log. Hidden where there is no balancer.

import { $, ask, colour, failed, make, mark, time } from "./dom.js";

const SHOWN = 50;
const LOGGED = 8;
const lanes = new Map();

/** Shows the state every second, for as long as there is a balancer. */
export async function follow() {
  const state = await ask("GET", "/admin/state", { limit: 3000 });
  if (state.status === 404) return alone();
  if (state.status === 200) show(state.body);
  else storeChip({ health: "unknown" });
  setTimeout(follow, document.hidden ? 3000 : 1000);
}

function alone() {
  $("alone-card").hidden = false;
  $("alone-card").append($("ping").closest("label"));
}

function show({ split, store, instances, recent }) {
  for (const id of ["fleet-card", "split-card", "log-card"]) $(id).hidden = false;
  storeChip(store);
  instances.forEach(showLane);
  instances.forEach((instance) => showTrack(instance, recent));
  showSummary(instances, recent);
  showSplit(split);
  showLog(recent);
}

function storeChip({ kind, health }) {
  const chip = $("store");
  const where = kind === "redis" ? "in Redis" : "in memory";
  chip.hidden = false;
  chip.className = health === "up" ? "chip" : "chip bad";
  chip.textContent = health === "up" ? `Sessions ${where}` : (health === "down" ? "Store down" : "No answer");
}

function showLane(instance) {
  const lane = lanes.get(instance.index) ?? newLane(instance);
  const up = instance.state === "running" || instance.state === "paused";
  lane.root.classList.toggle("away", !instance.ready);
  lane.state.textContent = up && !instance.ready ? `${instance.state}, skipped` : instance.state;
  lane.facts.textContent = `, ${instance.requests} answered`;
  lane.where.textContent = `${instance.version} :${instance.port}`;
  label(lane.pause, instance.state === "paused" ? "resume" : "pause", instance, !up);
  label(lane.stop, instance.state === "stopped" ? "start" : "stop", instance, instance.state === "stopping");
}

function label(button, action, instance, disabled) {
  if (button.dataset.busy) return;
  button.dataset.action = action;
  button.textContent = action[0].toUpperCase() + action.slice(1);
  button.setAttribute("aria-label", `${button.textContent} ${instance.name}`);
  button.disabled = disabled;
}

function newLane(instance) {
  const [state, facts, where] = [make("b"), make("span"), make("span", { class: "where" })];
  const button = () => make("button", { class: "little", type: "button", onclick: (event) => act(instance.index, event.currentTarget) });
  const [pause, stop] = [button(), button()];
  const dots = Array.from({ length: SHOWN }, () => make("i"));
  const parity = (instance.index + (instance.version === "v2" ? firstGreen() : 0)) % 2 ? "even" : "odd";
  const root = make("li", { class: `lane ${colour(instance.version)} ${parity}` },
    make("div", {}, make("span", { class: "who" }, instance.name), where, make("div", { class: "how" }, state, facts)),
    make("div", { class: "track", "aria-hidden": "true" }, ...dots),
    make("div", { class: "buttons" }, pause, stop));
  const lane = { root, state, facts, where, pause, stop, dots, version: instance.version };
  lanes.set(instance.index, lane);
  $("lanes").append(root);
  return lane;
}

const firstGreen = () => [...lanes.values()].filter((lane) => lane.version === "v1").length;

async function act(index, button) {
  button.dataset.busy = "yes";
  button.disabled = true;
  const answer = await ask("POST", `/admin/instances/${index}/${button.dataset.action}`, { limit: 30_000 });
  delete button.dataset.busy;
  button.disabled = false;
  if (!failed(answer)) showLane(answer.body);
}

/** One column for each of the last requests, the newest on the right; a dot in the lane that answered. */
function showTrack(instance, recent) {
  const skip = SHOWN - recent.length;
  lanes.get(instance.index).dots.forEach((dot, column) => {
    const entry = recent[column - skip];
    const mine = entry?.instance === instance.name;
    dot.className = !mine ? "" : entry.status >= 500 ? "bad" : entry.status >= 400 ? "no" : "on";
  });
}

function showSummary(instances, recent) {
  const count = (test) => recent.filter(test).length;
  const shares = instances.map((i) => `${i.name} ${count((entry) => entry.instance === i.name)}`);
  const bad = count((entry) => entry.status >= 500);
  const text = recent.length === 0
    ? "No request yet. Each one will be a dot in the lane of the instance that answers it."
    : `Of the last ${recent.length}: ${shares.join(", ")}. ${bad === 0 ? "None failed." : `${bad} failed.`}`;
  if ($("lanes-summary").textContent !== text) $("lanes-summary").textContent = text;
}

const range = () => $("split-range");
let touched = 0;

/** Shows the split in force, unless a hand is on the slider. */
function showSplit(split) {
  if (Date.now() - touched < 1500) return;
  document.querySelector(`input[name=mode][value=${split ? "split" : "mixed"}]`).checked = true;
  if (split) range().value = split.green;
  paintSplit(Boolean(split));
}

function paintSplit(split) {
  const green = Number(range().value);
  $("slider").classList.toggle("idle", !split);
  range().style.setProperty("--cut", `${100 - green}%`);
  $("split-blue").textContent = split ? `v1 ${100 - green} %` : "v1";
  $("split-green").textContent = split ? `${green} % v2` : "v2";
  const text = split ? `${100 - green} % blue, ${green} % green` : "mixed";
  if ($("split-text").textContent !== text) $("split-text").textContent = text;
}

async function applySplit(split) {
  touched = Date.now();
  paintSplit(split);
  failed(await ask("POST", "/admin/split", { json: { green: split ? Number(range().value) : null } }));
}

function showLog(recent) {
  const rows = recent.slice(-LOGGED).reverse().map((entry) => make("tr", { class: entry.status >= 500 ? "bad" : "" },
    make("td", {}, time(entry.time)),
    make("td", {}, `${entry.method} ${entry.path}`),
    make("td", {}, String(entry.status)),
    make("td", {}, entry.instance ? mark(entry) : "nobody"),
    make("td", { class: "number" }, entry.ms.toFixed(1))));
  $("log").replaceChildren(...rows);
}

export function listen() {
  range().addEventListener("input", () => {
    touched = Date.now();
    document.querySelector("input[name=mode][value=split]").checked = true;
    paintSplit(true);
  });
  range().addEventListener("change", () => applySplit(true));
  for (const radio of document.querySelectorAll("input[name=mode]")) {
    radio.addEventListener("change", () => applySplit(radio.value === "split"));
  }
}
