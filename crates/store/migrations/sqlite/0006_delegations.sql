-- Parts of rights in other hands. One that was revoked stays, so that it can be seen who could do what when.
CREATE TABLE delegations (
    id TEXT NOT NULL PRIMARY KEY,
    parent TEXT REFERENCES delegations (id),
    project TEXT NOT NULL,
    resource TEXT NOT NULL,
    delegator TEXT NOT NULL,
    delegated TEXT NOT NULL,
    rights TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    depth BIGINT NOT NULL,
    hold TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_by TEXT
);
CREATE INDEX delegations_by_delegated ON delegations (delegated, resource) WHERE revoked_at IS NULL;
CREATE INDEX delegations_by_resource ON delegations (resource, hold);
CREATE INDEX delegations_by_parent ON delegations (parent);
CREATE INDEX delegations_by_project ON delegations (project, id);
