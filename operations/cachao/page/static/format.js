// Times and durations as `cachao` writes them. All times are UTC.

const DAY = 86_400_000;

const number = new Intl.NumberFormat("en");

export const count = (value, noun, plural = `${noun}s`) => `${number.format(value)} ${value === 1 ? noun : plural}`;

/** `2026-11-21 17:05:03`, of milliseconds or an ISO text. */
export function moment(value) {
  return value === null || value === undefined ? "–" : new Date(value).toISOString().slice(0, 19).replace("T", " ");
}

/** The time of day where it is today's, else the date with it. */
export function short(value) {
  const text = moment(value);
  return text.slice(0, 10) === moment(Date.now()).slice(0, 10) ? text.slice(11) : text.slice(5, 16);
}

/** `17:05:03.123` */
export const clock = (value) => new Date(value).toISOString().slice(11, 23);

/** `34 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  const ms = Math.max(0, milliseconds);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (ms < 2 * DAY) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

const STATUSES = {
  SUCCEEDED: "succeeded", FAILED: "failed", TIMED_OUT: "timed out", ABORTED: "stopped", RUNNING: "running",
  STARTED: "started",
};

export const statusWord = (status) => STATUSES[status] ?? status;
