-- The orders that the sample events speak of, as the checkout leaves them: pending, their seats held for an hour.
-- Runs again and again: each time they are pending anew, and what the samples made of them is gone.
-- For a test database only.

DELETE FROM order_history WHERE order_id IN (4242, 4243);
DELETE FROM order_disputes WHERE order_id IN (4242, 4243);
DELETE FROM order_refunds WHERE order_id IN (4242, 4243);
DELETE FROM order_payments WHERE order_id IN (4242, 4243);
DELETE FROM ticket_orders WHERE id IN (4242, 4243);
DELETE FROM tickets WHERE id = 4241;
DELETE FROM events WHERE id = 4240;

INSERT INTO events (id, name, cognito_sub, start_date, end_date)
VALUES (4240, 'Sample Night', 'sample-owner', '2027-05-01 20:00:00', '2027-05-02 02:00:00');

INSERT INTO tickets (id, event_id, name, price, max_quantity, held_quantity)
VALUES (4241, 4240, 'Standard', 20.00, 100, 3);

INSERT INTO ticket_orders (
    id, event_id, ticket_id, email, quantity, unit_price, discount_amount, total_amount, currency, status,
    stripe_checkout_session_id, held_quantity, hold_expires_at
)
VALUES
    (4242, 4240, 4241, 'ada.sample@example.com', 2, 20.00, 0, 40.00, 'eur', 'pending',
     'cs_test_a1YC00ScMogfgdfUyN732BkDsdhL7aRqhf2NMue2N3rMCNYSbJg1pUFIDt', 2, UTC_TIMESTAMP(6) + INTERVAL 1 HOUR),
    (4243, 4240, 4241, 'ada.sample@example.com', 1, 0.00, 20.00, 0.00, 'eur', 'pending',
     'cs_test_b1SYmjx3g1Y0KhxjwL477RP2bpbGFGg6IAF1vOSA8wpit820lfizRZtkHB', 1, UTC_TIMESTAMP(6) + INTERVAL 1 HOUR);
