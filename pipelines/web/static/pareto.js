// The Pareto picture explored: variants are walked through, and budgets are dragged.
// Who wins is not worked out here: a moved budget is another address, which the server answers.
import { lookAgain } from "./live.js";

const NEAR = 42; // pixels
const STEPS = 1000; // of a slide

const stage = () => document.querySelector(".stage");
const form = () => document.querySelector(".dials");
let shown = new URLSearchParams(location.search).get("at");

// walking ----------------------------------------------------------------------------------------

const told = () => [...document.querySelectorAll(".readouts > li")];

function show(name) {
  const found = told().find((one) => one.dataset.variant === name);
  shown = found ? name : null;
  for (const one of document.querySelectorAll(".stage [data-variant], .board [data-variant]")) {
    one.classList.toggle("is-shown", one.dataset.variant === shown);
  }
  const readout = document.querySelector(".readout");
  if (!found || readout.innerHTML === found.innerHTML) return;
  readout.replaceChildren(...[...found.cloneNode(true).childNodes]);
}

function walk(by) {
  const names = told().map((one) => one.dataset.variant);
  const now = names.indexOf(shown);
  show(names[now < 0 ? 0 : Math.max(0, Math.min(names.length - 1, now + by))]);
}

function nearest(event) {
  let best = null, least = NEAR;
  for (const one of stage().querySelectorAll("[data-variant]")) {
    const box = (one.querySelector(".mark, .bar") ?? one).getBoundingClientRect();
    if (!box.width) continue; // of the picture for other screens
    const away = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
    if (away < least) [best, least] = [one.dataset.variant, away];
  }
  return best;
}

const WALKS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

// asking -----------------------------------------------------------------------------------------

let asking = false, again = false;

async function ask() {
  const fields = new URLSearchParams(new FormData(form()));
  history.replaceState(null, "", `${location.pathname}?${fields}${location.hash}`);
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  do {
    again = false;
    await lookAgain();
  } while (again);
  asking = false;
}

function set(field, value) {
  const input = form().elements[field];
  input.value = Number(Math.max(0, Math.min(value, input.max || Infinity)).toPrecision(3));
  place(input);
  ask();
}

// slides, one for each budget --------------------------------------------------------------------

function slide(holder) {
  if (holder.firstChild) return;
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: 0, max: STEPS, step: 1 });
  range.setAttribute("aria-label", `${holder.dataset.label}, moved`);
  const { low, high, log } = scale(holder);
  range.addEventListener("input", () => {
    const part = range.value / STEPS;
    const value = log ? low * (high / low) ** part : low + (high - low) * part;
    range.setAttribute("aria-valuetext", String(Number(value.toPrecision(3))));
    const input = form().elements[holder.dataset.field];
    input.value = Number(value.toPrecision(3));
    ask();
  });
  holder.append(range);
  place(form().elements[holder.dataset.field]);
}

function scale(holder) {
  return { low: Number(holder.dataset.low), high: Number(holder.dataset.high), log: "log" in holder.dataset };
}

function place(input) {
  const holder = document.querySelector(`.slide[data-field="${input.name}"]`);
  const range = holder?.firstChild;
  if (!range) return;
  const { low, high, log } = scale(holder);
  const value = input.value === "" ? ("floor" in holder.dataset ? low : high) : Math.min(high, Math.max(low, Number(input.value)));
  const part = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  range.value = Math.round(part * STEPS);
  range.setAttribute("aria-valuetext", input.value === "" ? input.placeholder : input.value);
}

// dragging ---------------------------------------------------------------------------------------

let dragged = null;

function take(event) {
  const grip = event.target.closest?.(".grip");
  if (!grip) return;
  const upright = grip.dataset.budget === "cost";
  const { alongField, upwardsField } = stage().dataset;
  if (!(upright ? alongField : upwardsField)) return;
  dragged = upright ? "along" : "upwards";
  stage().setPointerCapture(event.pointerId);
  event.preventDefault();
}

function drag(event) {
  const picture = [...stage().querySelectorAll("svg.picture")].find((one) => one.getBoundingClientRect().width);
  const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
  const plot = picture.querySelector(".plot");
  const along = dragged === "along";
  const [low, high, start, end] = (along ? plot.dataset.cost : plot.dataset.metric).split(" ").map(Number);
  const part = Math.min(1, Math.max(0, ((along ? spot.x : spot.y) - start) / (end - start)));
  const at = along ? low * (high / low) ** part : low + (high - low) * part;
  const { dataset } = stage();
  set(dataset[`${dragged}Field`], (at - Number(dataset[`${dragged}Origin`])) / Number(dataset[`${dragged}Unit`]));
}

// ------------------------------------------------------------------------------------------------

function begin() {
  for (const holder of document.querySelectorAll(".slide")) slide(holder);
  document.querySelector(".apply").hidden = true; // what is written is asked for as it is written
  document.addEventListener("pointermove", (event) => {
    if (dragged) return drag(event);
    if (!stage()?.contains(event.target)) {
      const row = event.target.closest?.(".board [data-variant]");
      if (row) show(row.dataset.variant);
      return;
    }
    const name = nearest(event);
    if (name) show(name);
  });
  document.addEventListener("pointerdown", (event) => { if (stage()?.contains(event.target)) take(event); });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, () => { dragged = null; });
  document.addEventListener("keydown", (event) => {
    if (event.target !== stage() || !(event.key in WALKS)) return;
    walk(WALKS[event.key]);
    event.preventDefault();
  });
  form()?.addEventListener("input", (event) => {
    if (!event.target.name || !form().checkValidity()) return;
    place(event.target);
    ask();
  });
  document.addEventListener("slimline:news", () => show(shown));
}

if (form()) begin();
