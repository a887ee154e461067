// Evaluates JSONata by the reference implementation, as Step Functions does: one JSON object a line in, one a line out.
// In: {expression, variables, now: ms since 1970}. Out: {value} | {undefined: true} | {error: {code, message}}.
// AWS's own functions: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"use strict";

const crypto = require("crypto");
const readline = require("readline");
const jsonata = require("jsonata");

const HASHES = { "MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };
const parsed = new Map();

function awsFunctions(now) {
  return {
    now: () => new Date(now).toISOString(),
    millis: () => now,
    parse: (text) => (text === undefined ? undefined : JSON.parse(text)),
    uuid: () => crypto.randomUUID(),
    random: () => Math.random(),
    hash: (value, algorithm = "SHA-256") =>
      crypto.createHash(HASHES[algorithm]).update(typeof value === "string" ? value : JSON.stringify(value)).digest("hex"),
    partition: (array, size) =>
      Array.from({ length: Math.ceil(array.length / Math.trunc(size)) }, (_, n) =>
        array.slice(n * Math.trunc(size), (n + 1) * Math.trunc(size))),
    range: (first, last, step) => Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step),
    eval: () => { throw new Error("$eval is not available in Step Functions; use $parse"); },
  };
}

function hasFunction(value) {
  if (typeof value === "function" || (value && value._jsonata_lambda)) return true;
  return value !== null && typeof value === "object" && Object.values(value).some(hasFunction);
}

async function answer({ expression, variables, now }) {
  try {
    if (!parsed.has(expression)) parsed.set(expression, jsonata(expression));
    const value = await parsed.get(expression).evaluate(undefined, { ...awsFunctions(now), ...variables });
    if (value === undefined) return { undefined: true };
    if (hasFunction(value)) return { error: { code: null, message: "the result is a function" } };
    return { value };
  } catch (error) {
    return { error: { code: error.code ?? null, message: String(error.message) } };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
  }
})();
