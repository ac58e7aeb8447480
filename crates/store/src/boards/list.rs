//! Lists of boards: one statement, whatever the filter; a selector becomes one condition on the label table for each term.

use super::{BoardRow, SELECT, read, read_light};
use crate::sql::{Reader, Statement, all};
use crate::{Error, Page};
use model::board::Status;
use model::label::{Selector, Term};
use model::{FleetId, PluginId, ProjectId, ServiceId, Timestamp, UserId};

/// Which boards.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Of this status; without it, all but decommissioned ones.
    pub status: Option<Status>,
    /// In this fleet, put there or by its rule.
    pub fleet: Option<FleetId>,
    /// With this plugin on them.
    pub plugin: Option<PluginId>,
    /// With this service open.
    pub service: Option<ServiceId>,
    /// With these labels.
    pub selector: Selector,
    /// With this text in the name, in upper or lower case.
    pub text: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Of which.
    pub among: Among,
    /// Also of other projects, where this person may look by a delegation.
    pub lent_to: Option<Borrower>,
}

/// A part of all boards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Among {
    /// All.
    #[default]
    All,
    /// Those that can be booked.
    Offered,
}

/// Somebody to whom boards may be delegated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Borrower {
    /// Who.
    pub user: UserId,
    /// What they want to do with the boards; none finds what is delegated for whatever.
    pub action: Option<&'static str>,
    /// When.
    pub now: Timestamp,
}

/// Boards in order of creation.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<BoardRow>, Error> {
    all(from, statement(SELECT, scope, filter, page), read).await
}

/// As [`list`], without what a list does not show and what makes ten thousand rows slow: of the facts only the position is
/// read, load and capabilities are left out.
///
/// # Errors
/// The database failed.
pub async fn list_light<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<BoardRow>, Error> {
    all(from, statement(SELECT, scope, filter, page), read_light).await
}

fn statement(
    select: &'static str,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Statement {
    let mut statement = Statement::new("list boards", select);
    match (scope, &filter.lent_to) {
        (Some(project), Some(borrower)) => push_reachable(&mut statement, project, borrower),
        _ => _ = statement.and_equals("b.project", scope),
    }
    if let Some(fleet) = filter.fleet {
        statement.push(" AND b.id IN (SELECT m.board FROM fleet_members m WHERE m.fleet = ");
        statement.push_bind(fleet).push(")");
    }
    if let Some(plugin) = filter.plugin {
        statement
            .push(" AND EXISTS (SELECT 1 FROM injections i WHERE i.board = b.id AND i.plugin = ");
        statement.push_bind(plugin).push(")");
    }
    if let Some(service) = filter.service {
        statement
            .push(" AND EXISTS (SELECT 1 FROM exposures e WHERE e.board = b.id AND e.service = ");
        statement.push_bind(service).push(")");
    }
    statement.and_equals("b.name", filter.name.as_deref());
    match filter.status {
        Some(status) => statement.and_equals("b.status", Some(status.word())),
        None => statement.push(" AND b.status <> 'decommissioned'"),
    };
    if filter.among == Among::Offered {
        statement.push(
            " AND EXISTS (SELECT 1 FROM contributions c WHERE c.board = b.id AND c.offered = 1)",
        );
    }
    if let Some(text) = &filter.text {
        statement.push(" AND LOWER(b.name) LIKE ").push_bind(contains(text)).push(" ESCAPE '!'");
    }
    for term in filter.selector.terms() {
        push_term(&mut statement, term);
    }
    statement.page("b.id", page)
}

/// Of the project, or by a delegation whose every link gives the right now.
fn push_reachable(statement: &mut Statement, project: &ProjectId, borrower: &Borrower) {
    statement.push(" AND (b.project = ").push_bind(project);
    statement.push(" OR EXISTS (SELECT 1 FROM delegations d WHERE d.delegated = ");
    statement.push_bind(&borrower.user).push(" AND d.revoked_at IS NULL AND d.starts_at <= ");
    statement.push_bind(borrower.now).push(" AND d.ends_at > ").push_bind(borrower.now);
    if let Some(action) = borrower.action {
        // Names of actions hold nothing that would have to be escaped in a pattern.
        statement.push(" AND d.rights LIKE ").push_bind(format!("%\"{action}\"%"));
    }
    statement.push(
        " AND (d.resource IN ('board:' || b.id, 'project:' || b.project) OR (d.resource LIKE 'fleet:%' AND EXISTS \
         (SELECT 1 FROM fleet_members m WHERE m.board = b.id AND m.fleet = SUBSTR(d.resource, 7)))",
    );
    if borrower.action.is_none() {
        // Who was lent a plugin or a service finds the boards where it may be.
        statement.push(
            " OR d.resource LIKE '%@' || b.id OR (d.project = b.project AND d.resource NOT LIKE '%@%' AND \
             (d.resource LIKE 'plugin:%' OR d.resource LIKE 'service:%'))",
        );
    }
    statement.push(")))");
}

fn contains(text: &str) -> String {
    let escaped = text.to_ascii_lowercase().replace('!', "!!").replace('%', "!%");
    format!("%{}%", escaped.replace('_', "!_"))
}

fn push_term(statement: &mut Statement, term: &Term) {
    let (prefix, key, values) = match term {
        Term::In(key, values) => ("", key, values.as_slice()),
        Term::NotIn(key, values) => ("NOT ", key, values.as_slice()),
        Term::Present(key) => ("", key, [].as_slice()),
        Term::Absent(key) => ("NOT ", key, [].as_slice()),
    };
    statement.push(" AND ").push(prefix);
    statement.push("EXISTS (SELECT 1 FROM board_labels l WHERE l.board = b.id AND l.key = ");
    statement.push_bind(key.as_str());
    for (index, value) in values.iter().enumerate() {
        statement.push(if index == 0 { " AND l.value IN (" } else { ", " });
        statement.push_bind(value.as_str());
    }
    statement.push(if values.is_empty() { ")" } else { "))" });
}
