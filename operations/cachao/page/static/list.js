// A long list of which only the rows in sight are elements: a thousand executions cost as much as twenty.

import { button } from "./actions.js";
import { make, place, setText } from "./dom.js";
import { isOpen } from "./executions.js";
import { count, duration, short, statusWord } from "./format.js";

const BEYOND = 6;
const COLUMNS = ["Status", "Order", "Event", "Result", "Started (UTC)", "Took"];

const FILTERS = {
  all: { word: "All", keeps: () => true },
  running: { word: "Running", keeps: (row) => row.status === "RUNNING" },
  open: { word: "Failed, open", keeps: isOpen },
  failed: { word: "All failed", keeps: (row) => ["FAILED", "TIMED_OUT", "ABORTED"].includes(row.status) },
};

export class ExecutionList {
  #elements = new Map();
  #shown = [];
  #filter = "all";
  #words = "";
  #selected = null;

  constructor(executions) {
    this.executions = executions;
    this.total = make("p", { class: "quiet total" });
    this.chips = Object.entries(FILTERS).map(([key, { word }]) =>
      make("button", { type: "button", class: "chip", "aria-pressed": key === "all", onclick: () => this.#choose(key) }, word),
    );
    const words = make("input", {
      type: "search", id: "filter", placeholder: "Filter: order, event, error, name", autocomplete: "off", spellcheck: "false",
      oninput: (event) => { this.#words = event.target.value.trim().toLowerCase(); this.update(); },
    });
    this.spacer = make("div", { class: "spacer", role: "rowgroup" });
    this.scroller = make(
      "div", { class: "scroller", role: "table", "aria-label": "Executions, newest first", tabindex: "0", onscroll: () => this.#draw() },
      make("div", { role: "rowgroup", class: "heads" },
        make("div", { role: "row", class: "row head" }, COLUMNS.map((column) => make("span", { role: "columnheader" }, column)))),
      this.spacer,
    );
    this.scroller.addEventListener("keydown", (event) => this.#move(event));
    this.element = make(
      "section", { class: "executions", "aria-label": "Executions" },
      make("div", { class: "tools" },
        make("div", { class: "chips", role: "group", "aria-label": "Which executions" }, this.chips),
        make("label", { class: "hidden", for: "filter" }, "Filter the executions"), words,
        button("Replay failed …", {
          action: "replay-failed", title: "Replay all that failed",
          hint: "What a replay has repaired already is left out.",
          fields: [
            { name: "since", label: "Failed since", hint: "30m, 12h, 2d, or a date (UTC)", value: "2d" },
            { name: "error", label: "Only with this error", hint: "e.g. DatabaseUnavailable" },
          ],
        })),
      this.total,
      this.scroller,
    );
    this.onChange = () => this.update();
    executions.addEventListener("change", this.onChange);
    this.sizes = new ResizeObserver(() => this.#draw());
    this.sizes.observe(this.scroller);
    // Those that run take longer each second.
    this.clock = setInterval(() => this.#tick(), 1000);
  }

  close() {
    this.executions.removeEventListener("change", this.onChange);
    this.sizes.disconnect();
    clearInterval(this.clock);
  }

  select(name) {
    this.#selected = name;
    this.#draw();
  }

  update() {
    const { keeps } = FILTERS[this.#filter];
    this.#shown = this.executions.sorted.filter((row) => keeps(row) && matches(row, this.#words));
    const all = this.executions.sorted.length;
    const what = this.#shown.length === all ? count(all, "execution") : `${this.#shown.length} of ${count(all, "execution")}`;
    setText(this.total, this.executions.looked ? (all ? what : "There are no executions yet.") : "Looking …");
    const pressed = Object.keys(FILTERS).indexOf(this.#filter);
    this.chips.forEach((chip, index) => chip.setAttribute("aria-pressed", index === pressed));
    this.scroller.setAttribute("aria-rowcount", this.#shown.length + 1);
    this.#draw();
  }

  #choose(key) {
    this.#filter = key;
    this.scroller.scrollTop = 0;
    this.update();
  }

  get #height() {
    return parseFloat(getComputedStyle(this.scroller).getPropertyValue("--row")) || 60;
  }

  #draw() {
    const height = this.#height;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const last = Math.min(this.#shown.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + BEYOND);
    this.spacer.style.height = `${this.#shown.length * height}px`;
    const elements = [];
    const seen = new Set();
    for (let index = first; index < last; index += 1) {
      const row = this.#shown[index];
      seen.add(row.name);
      elements.push(this.#element(row, index, height));
    }
    for (const name of this.#elements.keys()) if (!seen.has(name)) this.#elements.delete(name);
    place(this.spacer, elements);
  }

  #element(row, index, height) {
    let known = this.#elements.get(row.name);
    if (known === undefined || known.row !== row) {
      const element = known?.element ?? makeRow(row.name);
      known = { row, element };
      fill(element, row);
      this.#elements.set(row.name, known);
    }
    const { element } = known;
    element.style.transform = `translateY(${index * height}px)`;
    element.setAttribute("aria-rowindex", index + 2);
    const current = row.name === this.#selected;
    element.classList.toggle("current", current);
    const link = element.querySelector("a");
    if (current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    return element;
  }

  #tick() {
    for (const { row, element } of this.#elements.values()) if (row.status === "RUNNING") setText(element.querySelector(".took"), took(row));
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || event.target.matches("input")) return;
    event.preventDefault();
    const focused = document.activeElement?.closest?.(".row")?.dataset.name ?? this.#selected;
    const at = this.#shown.findIndex((row) => row.name === focused);
    const next = this.#shown[Math.min(this.#shown.length - 1, Math.max(0, at + step))];
    if (next === undefined) return;
    const height = this.#height;
    const top = this.#shown.indexOf(next) * height;
    const room = this.scroller.clientHeight - height;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + room) this.scroller.scrollTop = top + height - room;
    this.#draw();
    this.#elements.get(next.name)?.element.querySelector("a").focus({ preventScroll: true });
  }
}

function matches(row, words) {
  return words === "" || words.split(/\s+/).every((word) =>
    [row.order, row.event, row.result, row.step, row.name, statusWord(row.status)].some((text) => text?.toLowerCase().includes(word)));
}

function makeRow(name) {
  const cell = (kind, ...children) => make("span", { role: "cell", class: kind }, ...children);
  return make(
    "div", { role: "row", class: "row", "data-name": name },
    cell("status", make("a", { href: `#/executions/${name}` })),
    cell("order"), cell("event"), cell("result"), cell("started"), cell("took"),
  );
}

function fill(element, row) {
  const [status, order, event, result, started, taken] = element.children;
  const link = status.firstChild;
  link.className = `state ${row.status}${isOpen(row) ? " open" : ""}`;
  setText(link, statusWord(row.status));
  setText(order, row.order ? `order ${row.order}` : "");
  setText(event, row.event ?? (row.known === false ? "…" : "–"));
  setText(result, row.status === "RUNNING" ? (row.step ?? "") : `${row.result ?? ""}${row.repaired ? " · repaired" : ""}`);
  result.className = `result ${row.status}`;
  setText(started, short(row.started));
  setText(taken, took(row));
  link.setAttribute("aria-label", `${statusWord(row.status)}, ${row.event ?? "event not known yet"}, ${row.order ? `order ${row.order}` : "no order"}`);
}

const took = (row) => duration((row.stopped ?? Date.now()) - row.started);
