-- Headers of an answer that is kept under an idempotency key: a JSON list of name and value.
ALTER TABLE idempotency_keys ADD COLUMN headers TEXT;
