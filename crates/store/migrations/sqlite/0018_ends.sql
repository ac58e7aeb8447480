-- When the next delegation ends.
CREATE INDEX delegations_by_end ON delegations (ends_at) WHERE revoked_at IS NULL;
