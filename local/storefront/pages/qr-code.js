// A ticket's QR code: the address of the order's page, which says whether it is paid. The session's id cannot be guessed.
import { element } from "./dom.js";

/** A picture of the address of an order's page. */
export function qrCode(order, sessionId) {
  const page = `${location.origin}/events/${order.event_id}?payment=success&session_id=${encodeURIComponent(sessionId)}`;
  return element("img", {
    class: "qr",
    src: `/storefront/qr.svg?text=${encodeURIComponent(page)}`,
    alt: `QR code of order ${order.id}, for the door`,
    width: 200,
    height: 200,
  });
}
