// One execution: what became of it, its picture coloured as it goes, its steps with times, attempts and inputs.

import { Keyed, make, place, setText } from "./dom.js";
import { clock, count, duration, moment, statusWord } from "./format.js";
import { Picture } from "./picture.js";
import { Repeating, looking } from "./server.js";

const RUNNING_MS = 1000;
const ENDED_MS = 30_000;
const MARKS = { succeeded: "✓", failed: "✕", caught: "!", running: "…", stopped: "■" };
const WORDS = { succeeded: "succeeded", failed: "failed", caught: "failed, caught", running: "running", stopped: "stopped" };

export class ExecutionView {
  constructor(name, { actions }) {
    this.actions = actions;
    this.head = make("div", { class: "headline" });
    this.picture = new Picture({ onState: (state) => this.#open(state) });
    this.steps = make("ol", { class: "steps" });
    this.keyed = new Keyed(step);
    this.input = new Keyed((data) => json("The event, as the execution got it", data));
    this.inputPlace = make("div");
    this.body = make(
      "div", { class: "body", hidden: true },
      make("h3", {}, "Way taken"), this.picture.element,
      make("h3", {}, "Steps"), this.steps, this.inputPlace,
    );
    this.element = make("article", { class: "detail", "aria-label": "Execution" }, this.head, this.body);
    this.repeating = new Repeating(looking(`api/executions/${encodeURIComponent(name)}`, {
      show: (data) => this.#show(data),
      refuse: (refused) => place(this.head, [make("p", { class: "red" }, refused.message), make("p", {}, refused.advice ?? "")]),
      keeps: true,
    }), RUNNING_MS);
  }

  close() {
    this.repeating.stop();
  }

  refresh() {
    this.repeating.now();
  }

  #show(data) {
    this.repeating.milliseconds = data.status === "RUNNING" ? RUNNING_MS : ENDED_MS;
    this.body.hidden = false;
    place(this.head, headline(data, this.actions));
    this.picture.show(data.picture);
    place(this.steps, data.steps.map((one, index) => this.keyed.get(`${index} ${one.name}`, one)));
    place(this.inputPlace, [this.input.get("input", data.input)]);
  }

  #open(state) {
    const found = [...this.steps.children].find((item) => item.dataset.step === state);
    const details = found?.querySelector("details");
    if (!details) return;
    details.open = true;
    details.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion)").matches ? "auto" : "smooth" });
    details.querySelector("summary").focus({ preventScroll: true });
  }
}

function headline(data, actions) {
  const failed = data.steps.filter((one) => data.failed_steps.includes(one.name));
  const again = data.steps.filter((one) => data.trying_again.includes(one.name));
  const errors = failed.map((one) => {
    const last = one.attempts.at(-1);
    return make("p", { class: "wrong" }, make("strong", {}, `${one.name} failed with ${last?.error ?? data.error}: `), last?.sentence ?? data.cause ?? "no reason given");
  });
  if (!failed.length && data.error) errors.push(make("p", { class: "wrong" }, make("strong", {}, `${data.error}: `), data.cause ?? ""));
  return [
    make("h2", {}, data.event_type ?? "Execution", " ", make("span", { class: `state ${data.status}` }, statusWord(data.status))),
    make("p", { class: "name" }, data.execution),
    ...errors,
    ...again.map((one) => make("p", { class: "slow" },
      `${one.name} is trying again (${count(one.attempts.filter((attempt) => attempt.error).length, "try", "tries")} so far); last: ${lastError(one)}`)),
    data.result && make("p", {}, make("strong", {}, data.result)),
    make("dl", { class: "facts" },
      fact("started", `${moment(data.started)} UTC`),
      fact("took", duration(data.seconds === null ? null : data.seconds * 1000)),
      fact("order", data.order ? make("a", { href: `#/orders/${encodeURIComponent(data.order)}` }, data.order) : "–"),
      fact("event", data.event ? make("a", { href: `#/orders/${encodeURIComponent(data.event)}` }, data.event) : "–"),
      fact("object", data.object ? make("a", { href: `#/orders/${encodeURIComponent(data.object)}` }, data.object) : "–"),
      data.replay_of_beginning && fact("replay of", data.replay_of
        ? make("a", { href: `#/executions/${data.replay_of}` }, data.replay_of) : `${data.replay_of_beginning}…`),
      data.by_reconciliation && fact("made by", "reconciliation, because Stripe's own event was lost"),
      data.console && fact("AWS", make("a", { href: data.console, rel: "noreferrer", target: "_blank" }, "in the console"))),
    actions?.(data),
  ].filter(Boolean);
}

const lastError = (one) => {
  const last = one.attempts.filter((attempt) => attempt.error).at(-1);
  return `${last?.error}: ${last?.sentence ?? "no reason given"}`;
};

const fact = (name, value) => [make("dt", {}, name), make("dd", {}, value)];

function step(data) {
  const tries = data.attempts.length;
  const errors = data.attempts.map((attempt, index) => ({ ...attempt, number: index + 1 })).filter((attempt) => attempt.error);
  return make(
    "li", { class: data.result, "data-step": data.name },
    make("details", {},
      make("summary", {},
        make("span", { class: "badge", title: WORDS[data.result] }, MARKS[data.result]),
        make("span", { class: "step" }, data.name, make("span", { class: "hidden" }, `, ${WORDS[data.result]}`)),
        make("span", { class: "quiet at" }, clock(data.entered)),
        make("span", { class: "quiet took" }, duration(data.seconds === null ? null : data.seconds * 1000)),
        make("span", { class: "quiet tries" }, tries > 1 ? count(tries, "try", "tries") : "")),
      errors.length > 0 && make("ol", { class: "attempts" }, errors.map((attempt) => make("li", {},
        make("span", { class: "quiet" }, `Try ${attempt.number} at ${clock(attempt.started)}, ${duration(attempt.seconds === null ? null : attempt.seconds * 1000)}: `),
        make("strong", { class: "red" }, attempt.error), ` ${attempt.sentence ?? ""}`))),
      json("Input", data.input), data.output !== null && json("Output", data.output)));
}

function json(title, value) {
  return make("details", { class: "json" }, make("summary", {}, title),
    make("pre", { tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2)));
}
