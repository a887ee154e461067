// The checkout that this browser began for an event, so that whoever comes back can go on with it.

const key = (eventId) => `cachao.checkout.${eventId}`;

export function keepCheckout(eventId, sessionId) {
  localStorage.setItem(key(eventId), sessionId);
}

/** The session's id, or null. */
export function keptCheckout(eventId) {
  return localStorage.getItem(key(eventId));
}

export function forgetCheckout(eventId) {
  localStorage.removeItem(key(eventId));
}
