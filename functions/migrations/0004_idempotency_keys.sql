-- The checkout's Idempotency-Key: a double click makes one order.

CREATE TABLE IF NOT EXISTS idempotency_keys (
    -- SHA-256 of the caller's key and its scope (the route and who calls), hexadecimal.
    key_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    -- SHA-256 of the request body, hexadecimal: the same key with another body is a conflict.
    request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id BIGINT NULL,
    -- The first reply, once there is one.
    response_status SMALLINT NULL,
    response_body TEXT NULL,
    locked_until DATETIME(6) NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    expires_at DATETIME(6) NOT NULL,
    KEY idempotency_keys_by_expiry (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
