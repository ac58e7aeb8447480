CREATE TABLE assignments (
    user_id TEXT NOT NULL,
    project TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, project, role)
);

CREATE INDEX assignments_by_project ON assignments (project, user_id);

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

CREATE TABLE audit_heads (
    size BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    root BLOB NOT NULL,
    chain BLOB NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
);

CREATE TABLE audit_nodes (
    level BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, number)
);

CREATE TABLE audit_personal (
    seq BIGINT NOT NULL,
    field TEXT NOT NULL,
    person TEXT,
    value TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (seq, field)
);

CREATE INDEX audit_personal_by_person ON audit_personal (person) WHERE person IS NOT NULL;

CREATE TABLE audit_reads (
    hour BIGINT NOT NULL,
    project TEXT NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (hour, project, actor, verb)
);

CREATE TABLE board_labels (
    board TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (board, key)
);

CREATE INDEX board_labels_by_value ON board_labels (key, value, board);

CREATE TABLE board_load (
    hour BIGINT NOT NULL,
    board TEXT NOT NULL,
    samples TEXT NOT NULL,
    PRIMARY KEY (hour, board)
);

CREATE TABLE boards (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    owner TEXT NOT NULL,
    fleet TEXT REFERENCES fleets (id) ON DELETE SET NULL,
    status TEXT NOT NULL,
    public_key BLOB,
    labels TEXT NOT NULL,
    position TEXT,
    agent_version TEXT,
    protocol BIGINT,
    capabilities TEXT NOT NULL,
    facts TEXT NOT NULL,
    load TEXT,
    load_at BIGINT,
    session TEXT,
    last_seen BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
, serial BIGINT NOT NULL DEFAULT 0, parked TEXT, admits_from TEXT, rights_epoch BIGINT NOT NULL DEFAULT 0);

CREATE INDEX boards_by_any_name ON boards (name);

CREATE INDEX boards_by_fleet ON boards (fleet, id);

CREATE UNIQUE INDEX boards_by_key ON boards (public_key) WHERE public_key IS NOT NULL;

CREATE UNIQUE INDEX boards_by_name ON boards (project, name) WHERE status <> 'decommissioned';

CREATE UNIQUE INDEX boards_by_serial ON boards (serial);

CREATE INDEX boards_by_status ON boards (status, id);

CREATE INDEX boards_in_order ON boards (project, id);

CREATE INDEX boards_in_use ON boards (project) WHERE status <> 'decommissioned';

CREATE TABLE claim_redemptions (
    claim TEXT NOT NULL REFERENCES claims (id) ON DELETE CASCADE,
    public_key BLOB NOT NULL,
    board TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    PRIMARY KEY (claim, public_key)
);

CREATE INDEX claim_redemptions_by_board ON claim_redemptions (board);

CREATE TABLE claims (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    owner TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    uses_left BIGINT NOT NULL,
    uses_total BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    fleet TEXT REFERENCES fleets (id) ON DELETE SET NULL,
    replaces TEXT REFERENCES boards (id) ON DELETE CASCADE,
    revoked BIGINT NOT NULL,
    created_at BIGINT NOT NULL
, contribution TEXT);

CREATE INDEX claims_by_board ON claims (replaces);

CREATE INDEX claims_by_fleet ON claims (fleet);

CREATE INDEX claims_in_order ON claims (project, id);

CREATE TABLE contributions (
    board TEXT NOT NULL PRIMARY KEY REFERENCES boards (id) ON DELETE CASCADE,
    said TEXT NOT NULL,
    giver TEXT NOT NULL,
    offered BIGINT NOT NULL,
    in_hours BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX contributions_in_hours ON contributions (board) WHERE in_hours = 1;

CREATE INDEX contributions_offered ON contributions (board) WHERE offered = 1;

CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    project TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    roles TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL
, description TEXT NOT NULL DEFAULT '', unrestricted BIGINT NOT NULL DEFAULT 0, access TEXT);

CREATE UNIQUE INDEX credentials_by_name ON credentials (user_id, name);

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

CREATE INDEX delegations_by_delegator ON delegations (delegator) WHERE revoked_at IS NULL;

CREATE INDEX delegations_by_end ON delegations (ends_at) WHERE revoked_at IS NULL;

CREATE INDEX delegations_by_parent ON delegations (parent);

CREATE INDEX delegations_by_project ON delegations (project, id);

CREATE INDEX delegations_by_resource ON delegations (resource, hold);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    project TEXT,
    kind TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX events_by_project ON events (project, seq);

CREATE TABLE exposures (
    board TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    service TEXT NOT NULL REFERENCES services (id),
    public_port BIGINT UNIQUE,
    state TEXT NOT NULL,
    local_port BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL, delegation TEXT,
    PRIMARY KEY (board, service)
);

CREATE INDEX exposures_by_delegation ON exposures (delegation) WHERE delegation IS NOT NULL;

CREATE INDEX exposures_by_service ON exposures (service, board);

CREATE VIEW fleet_members (fleet, board) AS
SELECT b.fleet, b.id FROM boards b WHERE b.fleet IS NOT NULL
UNION ALL
SELECT f.id, b.id FROM fleets f JOIN boards b ON b.project = f.project
WHERE f.rule IS NOT NULL AND (b.fleet IS NULL OR b.fleet <> f.id)
  AND NOT EXISTS (
    SELECT 1 FROM fleet_terms t WHERE t.fleet = f.id AND t.wanted <> (
      SELECT COUNT(*) FROM board_labels l WHERE l.board = b.id AND l.key = t.key
        AND (t.words IS NULL OR REPLACE(t.words, '|' || l.value || '|', '') <> t.words)));

CREATE TABLE fleet_terms (
    fleet TEXT NOT NULL REFERENCES fleets (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    key TEXT NOT NULL,
    words TEXT,
    wanted BIGINT NOT NULL,
    PRIMARY KEY (fleet, place)
);

CREATE TABLE fleets (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
, extra TEXT NOT NULL DEFAULT '{}', serial BIGINT NOT NULL DEFAULT 0, rule TEXT);

CREATE UNIQUE INDEX fleets_by_name ON fleets (project, name);

CREATE UNIQUE INDEX fleets_by_serial ON fleets (serial);

CREATE INDEX fleets_in_order ON fleets (project, id);

CREATE INDEX fleets_with_rule ON fleets (project, id) WHERE rule IS NOT NULL;

CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status BIGINT,
    body TEXT,
    created_at BIGINT NOT NULL, headers TEXT,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE injections (
    board TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    plugin TEXT NOT NULL REFERENCES plugins (id),
    on_boot TEXT NOT NULL,
    state TEXT NOT NULL,
    last_error TEXT,
    revision_injected BIGINT,
    run_state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL, times BIGINT NOT NULL DEFAULT 0, delegation TEXT, run_delegation TEXT, plugin_delegation TEXT,
    PRIMARY KEY (board, plugin)
);

CREATE INDEX injections_by_delegation ON injections (delegation) WHERE delegation IS NOT NULL;

CREATE INDEX injections_by_plugin ON injections (plugin, board);

CREATE INDEX injections_by_plugin_delegation ON injections (plugin_delegation) WHERE plugin_delegation IS NOT NULL;

CREATE INDEX injections_by_run_delegation ON injections (run_delegation) WHERE run_delegation IS NOT NULL;

CREATE TABLE main_requests (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    fleet TEXT,
    action TEXT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL
);

CREATE INDEX main_requests_in_order ON main_requests (project, id);

CREATE TABLE operation_history (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (operation, step)
);

CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    board TEXT NOT NULL REFERENCES boards (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    idempotent BIGINT NOT NULL,
    created_by TEXT,
    created_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    sent_at BIGINT,
    ended_at BIGINT,
    result TEXT,
    fault TEXT,
    attempts BIGINT NOT NULL,
    cancel_requested BIGINT NOT NULL,
    subject TEXT,
    revision BIGINT NOT NULL
, main TEXT, delegation TEXT);

CREATE INDEX operations_by_board ON operations (board, id);

CREATE INDEX operations_by_deadline ON operations (deadline) WHERE state IN ('pending', 'running');

CREATE INDEX operations_by_delegation ON operations (delegation)
    WHERE delegation IS NOT NULL AND state IN ('pending', 'running');

CREATE INDEX operations_by_end ON operations (ended_at) WHERE ended_at IS NOT NULL;

CREATE INDEX operations_by_main ON operations (main) WHERE main IS NOT NULL;

CREATE INDEX operations_in_order ON operations (project, id);

CREATE INDEX operations_open ON operations (board, id) WHERE state IN ('pending', 'running');

CREATE TABLE plugins (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    owner TEXT NOT NULL,
    visibility TEXT NOT NULL,
    language TEXT NOT NULL,
    mode TEXT NOT NULL,
    parameters TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    source TEXT NOT NULL
, extra TEXT NOT NULL DEFAULT '{}', serial BIGINT NOT NULL DEFAULT 0, bytes BIGINT NOT NULL DEFAULT 0);

CREATE UNIQUE INDEX plugins_by_name ON plugins (project, name);

CREATE UNIQUE INDEX plugins_by_serial ON plugins (serial);

CREATE INDEX plugins_by_size ON plugins (project, bytes);

CREATE INDEX plugins_by_visibility ON plugins (visibility, id);

CREATE INDEX plugins_in_order ON plugins (project, id);

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    enabled BIGINT NOT NULL
, allow_legacy BIGINT NOT NULL DEFAULT 0, description TEXT NOT NULL DEFAULT '');

CREATE TABLE quotas (
    project TEXT NOT NULL PRIMARY KEY,
    said TEXT NOT NULL
);

CREATE TABLE recording_settings (
    subject TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    record BIGINT NOT NULL
);

CREATE TABLE recordings (
    id TEXT NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    board TEXT NOT NULL,
    user_id TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    bytes BIGINT NOT NULL,
    sha256 TEXT,
    erased_at BIGINT
);

CREATE INDEX recordings_by_board ON recordings (board, id);

CREATE INDEX recordings_in_order ON recordings (project, id);

CREATE INDEX recordings_kept ON recordings (id) WHERE erased_at IS NULL;

CREATE TABLE refused_keys (
    public_key BLOB NOT NULL PRIMARY KEY,
    board TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE revoked_tokens (
    audit TEXT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

CREATE INDEX revoked_tokens_by_end ON revoked_tokens (until);

CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL
);

CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY);

CREATE TABLE services (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    project TEXT NOT NULL,
    port BIGINT NOT NULL,
    protocol TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
, extra TEXT NOT NULL DEFAULT '{}', serial BIGINT NOT NULL DEFAULT 0);

CREATE UNIQUE INDEX services_by_name ON services (project, name);

CREATE UNIQUE INDEX services_by_serial ON services (serial);

CREATE INDEX services_in_order ON services (project, id);

CREATE TABLE transfers (
    id TEXT NOT NULL PRIMARY KEY,
    board TEXT NOT NULL UNIQUE REFERENCES boards (id) ON DELETE CASCADE,
    giver TEXT NOT NULL,
    receiver TEXT NOT NULL,
    offered_by TEXT NOT NULL,
    offered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX transfers_by_giver ON transfers (giver, id);

CREATE INDEX transfers_by_receiver ON transfers (receiver, id);

CREATE TABLE upstream_boards (
    board TEXT NOT NULL PRIMARY KEY REFERENCES boards (id) ON DELETE CASCADE,
    code TEXT UNIQUE,
    kind TEXT,
    mobile BIGINT NOT NULL,
    config TEXT NOT NULL,
    extra TEXT NOT NULL,
    connectivity TEXT NOT NULL,
    legacy BIGINT NOT NULL,
    connected_once BIGINT NOT NULL,
    agent TEXT
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    enabled BIGINT NOT NULL
, about TEXT NOT NULL DEFAULT '{}', tokens_since BIGINT NOT NULL DEFAULT 0);

