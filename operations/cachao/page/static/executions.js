// The executions that are known, kept up to date; whoever shows them is told when they change.

import { Repeating, ask } from "./server.js";

const EVERY_MS = 1000;
const FIRST_MS = 250;

export class Executions extends EventTarget {
  rows = new Map();
  sorted = [];
  looked = false;
  problem = null;
  #version = "";

  start() {
    this.repeating = new Repeating(() => this.#look(), FIRST_MS);
  }

  counts() {
    let running = 0;
    let open = 0;
    for (const row of this.rows.values()) {
      if (row.status === "RUNNING") running += 1;
      else if (isOpen(row)) open += 1;
    }
    return { running, open };
  }

  async #look() {
    let data;
    try {
      ({ data } = await ask(`api/executions?after=${this.#version}`));
    } catch (refused) {
      this.#tell(refused);
      return;
    }
    const began = performance.now();
    if (data.all) this.rows.clear();
    for (const name of data.gone) this.rows.delete(name);
    for (const row of data.rows) this.rows.set(row.name, row);
    const changed = data.all || data.gone.length || data.rows.length;
    if (changed) this.sorted = [...this.rows.values()].sort((a, b) => b.started - a.started || (a.name < b.name ? 1 : -1));
    this.#version = data.version;
    if (data.looked && !this.looked) this.repeating.milliseconds = EVERY_MS;
    const first = data.looked !== this.looked;
    this.looked = data.looked;
    this.#tell(data.problem && Object.assign(new Error(data.problem.error), { advice: data.problem.advice }));
    if (changed || first) this.dispatchEvent(new Event("change"));
    // For whoever measures: how long an update took, from the answer on.
    performance.measure("update", { start: began, end: performance.now() });
  }

  #tell(problem) {
    if (problem?.message === this.problem?.message) return;
    this.problem = problem ?? null;
    this.dispatchEvent(new Event("problem"));
  }
}

/** Whether it failed, and no replay repaired it so far. */
export const isOpen = (row) => ["FAILED", "TIMED_OUT", "ABORTED"].includes(row.status) && !row.repaired;
