// The shop's HTTP API (docs/openapi.yaml): four routes.

/** What went wrong: `code` as the API says it, `message` for the buyer, `details` beside them. */
export class ApiError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

// What API Gateway itself refuses has no code.
const CODES = { 404: "not_found", 413: "invalid_request", 429: "too_many_requests", 503: "try_again" };

async function call(path, { method = "GET", headers = {}, body } = {}) {
  let response;
  try {
    response = await fetch(path, { method, headers, body, cache: "no-store" });
  } catch {
    throw new ApiError("offline", "The shop could not be reached.");
  }
  const reply = await response.json().catch(() => ({}));
  if (response.ok && reply.success) return reply;
  const wait = Number(response.headers.get("Retry-After"));
  const details = wait > 0 ? { retry_after_seconds: wait, ...reply } : reply;
  throw new ApiError(reply.code ?? CODES[response.status] ?? "internal_error", reply.error ?? "", details);
}

function authorization(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** The tickets of an event. */
export async function tickets(eventId) {
  return (await call(`/events/${eventId}/tickets`)).tickets;
}

/** Order tickets; gives `checkout_url`, `session_id`, `order_id`. `key` is the same for a repeat of the same attempt. */
export async function checkOut(eventId, ticketId, wish, { token, key }) {
  return call(`/events/${eventId}/tickets/${ticketId}/checkout`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key, ...authorization(token) },
    body: JSON.stringify(wish),
  });
}

/** The order of a Checkout Session. */
export async function order(sessionId) {
  return (await call(`/orders?session_id=${encodeURIComponent(sessionId)}`)).order;
}

/** The orders of whoever is signed in. */
export async function myOrders(token) {
  return (await call("/user/tickets", { headers: authorization(token) })).orders;
}
