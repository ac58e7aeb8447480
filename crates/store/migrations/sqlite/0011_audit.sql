-- Who did what, in a chain of hashes; `model::audit` says which bytes are hashed.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    project TEXT,
    verb TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    personal TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX audit_by_project ON audit (project, seq);

-- Personal values of its rows, which enter them by a salted hash and can be erased.
CREATE TABLE audit_personal (
    seq BIGINT NOT NULL,
    field TEXT NOT NULL,
    person TEXT,
    value TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (seq, field)
);
CREATE INDEX audit_personal_by_person ON audit_personal (person) WHERE person IS NOT NULL;

-- Roots of complete subtrees of 64 rows and more.
CREATE TABLE audit_nodes (
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, number)
);

-- What the cloud signed.
CREATE TABLE audit_heads (
    size BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    root BLOB NOT NULL,
    chain BLOB NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
);

-- How often somebody looked, by the hour (its number since 1970).
CREATE TABLE audit_reads (
    hour BIGINT NOT NULL,
    project TEXT NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (hour, project, actor, verb)
);
