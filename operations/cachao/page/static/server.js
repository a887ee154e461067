// Asks the page's server. A key from the address's token is kept for this tab alone; nobody else's page can read it.

const KEY = "cachao-key";

/** What the server refused, or could not do: a sentence and what to do next. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? "The server does not answer.");
    this.status = status;
    this.advice = body?.advice ?? "";
  }
}

/** Trades the token in the address for a key; without one the key of before stays. */
export async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname);
  const { data } = await ask("api/session", { body: { token } });
  if (data.key !== null) sessionStorage.setItem(KEY, data.key);
}

/**
 * Asks for data. `known`: the answer of before; where it is still right the same object comes back.
 * Returns `{data, tag}`.
 */
export async function ask(path, { body, known, signal } = {}) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (known) headers["If-None-Match"] = known.tag;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { error: "The page's server does not answer.", advice: "Is it still running in its terminal?" });
  }
  if (answer.status === 304) return known;
  let data = null;
  try {
    data = await answer.json();
  } catch {
    // Told below.
  }
  if (!answer.ok || data === null) throw new Refused(answer.status, data);
  return { data, tag: answer.headers.get("ETag") };
}

/**
 * The work of a `Repeating` that looks at one thing: `show` is given what is there, whenever it is another than before.
 * `refuse` is given what the server refused; where it `keeps`, what is shown stays, and only a first refusal is told.
 */
export function looking(path, { show, refuse, keeps = false }) {
  let known = null;
  return async () => {
    let answer;
    try {
      answer = await ask(path, { known });
    } catch (refused) {
      if (keeps && known !== null) return;
      known = null;
      refuse(refused);
      return;
    }
    if (answer === known) return;
    known = answer;
    show(answer.data);
  };
}

/** Does something again and again while the page can be seen; the next time begins when this one has ended. */
export class Repeating {
  #timer = null;
  #stopped = false;

  constructor(work, milliseconds) {
    this.work = work;
    this.milliseconds = milliseconds;
    this.onSeen = () => document.visibilityState === "visible" && this.now();
    document.addEventListener("visibilitychange", this.onSeen);
    this.now();
  }

  async now() {
    if (this.#stopped || this.running) return;
    clearTimeout(this.#timer);
    this.running = true;
    try {
      await this.work();
    } finally {
      this.running = false;
      if (!this.#stopped && document.visibilityState === "visible") {
        this.#timer = setTimeout(() => this.now(), this.milliseconds);
      }
    }
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.onSeen);
  }
}
