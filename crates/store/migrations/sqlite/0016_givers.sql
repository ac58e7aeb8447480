-- How many a person has given is counted before each new one.
CREATE INDEX delegations_by_delegator ON delegations (delegator) WHERE revoked_at IS NULL;
