// What can be done: a form where something must be said, the preview and the question of the command, then its result.

import { blocks } from "./blocks.js";
import { make, place } from "./dom.js";
import { ask } from "./server.js";

const LOOK_MS = 400;

let may = false;
const done = new EventTarget();

/** Says whether this page may change anything. */
export const allow = (changes) => (may = changes);

/** Calls back when something was done that the page shows. */
export function whenDone(callback) {
  done.addEventListener("done", callback);
  return () => done.removeEventListener("done", callback);
}

/**
 * Makes the button of an action; null where this page only reads.
 * `fields`: what is to be said first: `{name, label, kind: "text" | "number" | "check", hint, value, needed}`.
 */
export function button(word, { action, title, wish = {}, fields = [], hint = "", main = false }) {
  if (!may) return null;
  return make("button", { type: "button", class: main ? "main" : null, onclick: () => new Dialog({ action, title, wish, fields, hint }).open() }, word);
}

class Dialog {
  constructor({ action, title, wish, fields, hint }) {
    this.action = action;
    this.wish = wish;
    this.fields = fields;
    this.form = make("form", { class: "fields", method: "dialog" }, hint && make("p", { class: "quiet" }, hint), fields.map(field));
    this.said = make("div", { class: "said-so-far", "aria-live": "polite" });
    this.buttons = make("p", { class: "buttons" });
    this.dialog = make(
      "dialog", { "aria-labelledby": "doing" },
      make("h2", { id: "doing" }, title), this.form, this.said, this.buttons,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.dialog.addEventListener("close", () => this.#close());
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    if (this.fields.length) this.#buttons([["Go on", () => this.form.requestSubmit(), "main"], ["Cancel", () => this.dialog.close()]]);
    else this.#ask();
  }

  #close() {
    this.closed = true;
    this.dialog.remove();
    if (this.changed) done.dispatchEvent(new Event("done"));
  }

  #told() {
    const told = { ...this.wish };
    for (const { name, kind } of this.fields) {
      const input = this.form.elements[name];
      if (kind === "check") told[name] = input.checked;
      else if (input.value.trim() !== "") told[name] = kind === "number" ? Number(input.value) : input.value.trim();
    }
    return told;
  }

  /** Asks what would be done; with a seal: does what was asked. */
  async #ask(seal = null) {
    if (!this.form.reportValidity()) return;
    const told = this.told ?? this.#told();
    if (seal !== null) this.changed = true;
    this.form.hidden = true;
    this.#buttons([["Close", () => this.dialog.close()]]);
    place(this.said, [make("p", { class: "quiet busy" }, seal === null ? "Looking at what would be done …" : "Doing it …")]);
    let job;
    try {
      ({ data: job } = await ask(`api/actions/${this.action}`, { body: seal === null ? told : { ...told, yes_to: seal } }));
      while (job.state === "running" && !this.closed) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        ({ data: job } = await ask(`api/jobs/${job.id}`));
      }
    } catch (refused) {
      this.#refused(refused.message, refused.advice);
      return;
    }
    if (this.closed) return;
    if (job.state === "asks") {
      this.told = told;
      place(this.said, [...blocks(job.blocks), make("p", { class: "question" }, job.question)]);
      this.#buttons([["Yes, do it", () => this.#ask(job.seal), "danger"], ["No", () => this.dialog.close()]]);
      return;
    }
    place(this.said, [
      ...blocks(job.blocks),
      ...(job.problem ? problem(job.problem.error, job.problem.advice) : []),
      !job.problem && job.exit_code !== 0 && make("p", { class: "slow" }, ENDINGS[job.exit_code] ?? "Not all is well: see above."),
    ].filter(Boolean));
    if (job.problem && this.fields.length && seal === null) this.#again();
    else this.#buttons([["Close", () => this.dialog.close(), "main"]]);
  }

  #refused(sentence, advice) {
    place(this.said, problem(sentence, advice));
    if (this.fields.length) this.#again();
    else this.#buttons([["Close", () => this.dialog.close(), "main"]]);
  }

  /** What was said was not right: it may be said otherwise. */
  #again() {
    this.form.hidden = false;
    this.told = undefined;
    this.#buttons([["Go on", () => this.form.requestSubmit(), "main"], ["Cancel", () => this.dialog.close()]]);
  }

  #buttons(given) {
    place(this.buttons, given.map(([word, onclick, kind]) => make("button", { type: "button", class: kind, onclick }, word)));
    this.buttons.firstChild.focus();
  }
}

const ENDINGS = {
  1: "Something failed, or needs a person: see above.",
  4: "Some still run: the list of executions shows how they end.",
};

const problem = (sentence, advice) => [make("p", { class: "wrong" }, sentence), advice && make("p", { class: "said" }, advice)].filter(Boolean);

function field({ name, label, kind = "text", hint = "", value = "", needed = false }) {
  if (kind === "check") {
    return make("label", { class: "check" }, make("input", { type: "checkbox", name, checked: value === true }), make("span", {}, label, hint && make("span", { class: "quiet" }, ` ${hint}`)));
  }
  const type = kind === "number" ? { type: "number", min: 1, step: 1 } : { type: "text", autocomplete: "off" };
  return make("label", { class: "field" }, make("span", {}, label, hint && make("span", { class: "quiet" }, ` – ${hint}`)), make("input", { ...type, name, value, required: needed }));
}
