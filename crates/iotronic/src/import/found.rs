//! What the dump holds, as records: read and checked one by one, so that whatever cannot be brought is known by its reason
//! before anything is written.
//!
//! Invariant: at most [`MAX_ROWS`] rows and [`MAX_HELD`] bytes are held; more is an error, not a part.

use super::Error;
use super::dump::Sink;
use super::people::People;
use super::record::Row;
use super::report::{Noun, Report};
use model::board::Position;
use model::service::Port;
use model::{BoardId, FleetId, PluginId, ProjectId, ServiceId, UserId};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Most rows that are held.
const MAX_ROWS: usize = 2_000_000;
/// Most bytes that are held.
const MAX_HELD: usize = 1024 * 1024 * 1024;

const FLEETS: &str = "fleets";
const BOARDS: &str = "boards";
const LOCATIONS: &str = "locations";
const PLUGINS: &str = "plugins";
const SERVICES: &str = "services";
const INJECTIONS: &str = "injection_plugins";
const EXPOSURES: &str = "exposed_services";
const BROUGHT: [&str; 7] = [FLEETS, BOARDS, LOCATIONS, PLUGINS, SERVICES, INJECTIONS, EXPOSURES];
/// Known, of use to a person, and not brought.
const LEFT: [&str; 3] = ["ports_on_boards", "webservices", "enabled_webservices"];
/// Services that upstream makes for its own web services.
const HELPERS: [&str; 2] = ["webservice", "webservice_ssl"];

#[derive(Debug, Clone)]
pub(super) struct Fleet {
    pub(super) serial: i64,
    pub(super) id: FleetId,
    pub(super) name: String,
    pub(super) project: ProjectId,
    pub(super) description: String,
    pub(super) extra: Value,
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) serial: i64,
    pub(super) id: BoardId,
    pub(super) code: Option<String>,
    pub(super) name: String,
    pub(super) kind: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) owner: UserId,
    pub(super) project: ProjectId,
    pub(super) fleet: Option<FleetId>,
    pub(super) mobile: bool,
    /// Whether an upstream agent has spoken for it already.
    pub(super) was_seen: bool,
    pub(super) config: Value,
    pub(super) extra: Value,
    pub(super) connectivity: Value,
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Plugin {
    pub(super) serial: i64,
    pub(super) id: PluginId,
    pub(super) name: String,
    pub(super) owner: UserId,
    pub(super) public: bool,
    pub(super) callable: bool,
    pub(super) code: String,
    pub(super) parameters: Value,
    pub(super) extra: Value,
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) serial: i64,
    pub(super) id: ServiceId,
    pub(super) name: String,
    pub(super) project: ProjectId,
    pub(super) port: Port,
    pub(super) extra: Value,
    pub(super) remarks: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Injection {
    pub(super) board: BoardId,
    pub(super) plugin: PluginId,
    pub(super) on_boot: bool,
    pub(super) times: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Exposure {
    pub(super) board: BoardId,
    pub(super) service: ServiceId,
    pub(super) port: Port,
}

/// What the dump holds.
pub(super) struct Found {
    pub(super) people: People,
    pub(super) fleets: Vec<Fleet>,
    pub(super) boards: Vec<Board>,
    pub(super) plugins: Vec<Plugin>,
    pub(super) services: Vec<Service>,
    pub(super) injections: Vec<Injection>,
    pub(super) exposures: Vec<Exposure>,
    /// By the integer id of the board.
    pub(super) positions: HashMap<i64, Position>,
    /// What is known already of rows that are not brought.
    pub(super) report: Report,
    rows: usize,
    held: usize,
}

impl Found {
    pub(super) fn new(people: People) -> Self {
        Self {
            people,
            fleets: Vec::new(),
            boards: Vec::new(),
            plugins: Vec::new(),
            services: Vec::new(),
            injections: Vec::new(),
            exposures: Vec::new(),
            positions: HashMap::new(),
            report: Report::default(),
            rows: 0,
            held: 0,
        }
    }

    fn hold(&mut self, row: &Row) -> Result<(), Error> {
        self.rows += 1;
        self.held = self.held.saturating_add(row.size());
        if self.rows > MAX_ROWS {
            return Err(Error::TooMuch { limit: "2,000,000 rows" });
        }
        if self.held > MAX_HELD {
            return Err(Error::TooMuch { limit: "1 GiB of values" });
        }
        Ok(())
    }

    fn take(&mut self, table: &str, row: &Row) -> (Noun, Result<(), String>) {
        match table {
            FLEETS => (Noun::Fleet, self.fleet(row)),
            BOARDS => (Noun::Board, self.board(row)),
            LOCATIONS => (Noun::Location, self.location(row)),
            PLUGINS => (Noun::Plugin, self.plugin(row)),
            SERVICES => (Noun::Service, self.service(row)),
            INJECTIONS => (Noun::Injection, self.injection(row)),
            _ => (Noun::Exposure, self.exposure(row)),
        }
    }

    fn fleet(&mut self, row: &Row) -> Result<(), String> {
        let mut remarks = Vec::new();
        self.fleets.push(Fleet {
            serial: row.parse("id")?,
            id: row.parse("uuid")?,
            name: row.text("name")?.unwrap_or_default(),
            project: self.people.project(row.text("project")?)?,
            description: row.text("description")?.unwrap_or_default(),
            extra: row.object("extra", &mut remarks),
            remarks,
        });
        Ok(())
    }

    fn board(&mut self, row: &Row) -> Result<(), String> {
        let mut remarks = Vec::new();
        let status = row.text("status")?.unwrap_or_default();
        let board = Board {
            serial: row.parse("id")?,
            id: row.parse("uuid")?,
            code: row.text("code")?.filter(|code| !code.is_empty()),
            name: row.text("name")?.unwrap_or_default(),
            kind: row.text("type")?,
            agent: row.text("agent")?.filter(|agent| !agent.is_empty()),
            owner: self.people.owner(row.text("owner")?)?,
            project: self.people.project(row.text("project")?)?,
            fleet: row.parse_optional("fleet")?,
            mobile: row.yes("mobile"),
            was_seen: !matches!(status.as_str(), "" | "registered"),
            config: row.object("config", &mut remarks),
            extra: row.object("extra", &mut remarks),
            connectivity: row.object("connectivity", &mut remarks),
            remarks,
        };
        if let Some(agent) = &board.agent {
            self.report.agent(agent);
        }
        self.boards.push(board);
        Ok(())
    }

    fn location(&mut self, row: &Row) -> Result<(), String> {
        let board = row.parse("board_id")?;
        let degrees = |column| row.parse::<f64>(column);
        let altitude = row.parse_optional::<f64>("altitude")?.unwrap_or_default();
        let value = json!({ "latitude": degrees("latitude")?, "longitude": degrees("longitude")?, "altitude": altitude });
        let position = serde_json::from_value(value).map_err(|error| error.to_string())?;
        // A board has one; the newest row is the one that upstream shows.
        self.positions.insert(board, position);
        Ok(())
    }

    fn plugin(&mut self, row: &Row) -> Result<(), String> {
        let mut remarks = Vec::new();
        self.plugins.push(Plugin {
            serial: row.parse("id")?,
            id: row.parse("uuid")?,
            name: row.text("name")?.unwrap_or_default(),
            owner: self.people.owner(row.text("owner")?)?,
            public: row.yes("public"),
            callable: row.yes("callable"),
            code: row.text("code")?.unwrap_or_default(),
            parameters: row.object("parameters", &mut remarks),
            extra: row.object("extra", &mut remarks),
            remarks,
        });
        Ok(())
    }

    fn service(&mut self, row: &Row) -> Result<(), String> {
        let name = row.text("name")?.unwrap_or_default();
        if HELPERS.contains(&name.as_str()) {
            return Err("upstream made it for its own web services; it is of no use here".into());
        }
        let protocol = row.text("protocol")?.unwrap_or_default();
        if !protocol.is_empty() && !protocol.eq_ignore_ascii_case("tcp") {
            return Err(format!("its protocol is {protocol}; only TCP is forwarded"));
        }
        let mut remarks = Vec::new();
        self.services.push(Service {
            serial: row.parse("id")?,
            id: row.parse("uuid")?,
            name,
            project: self.people.project(row.text("project")?)?,
            port: row.parse("port")?,
            extra: row.object("extra", &mut remarks),
            remarks,
        });
        Ok(())
    }

    fn injection(&mut self, row: &Row) -> Result<(), String> {
        let (board, plugin) = (row.parse("board_uuid")?, row.parse("plugin_uuid")?);
        // Upstream tells the first time from later ones, and does not count.
        let times = if row.text("status")?.as_deref() == Some("updated") { 2 } else { 1 };
        self.injections.push(Injection { board, plugin, on_boot: row.yes("onboot"), times });
        Ok(())
    }

    fn exposure(&mut self, row: &Row) -> Result<(), String> {
        let (board, service) = (row.parse("board_uuid")?, row.parse("service_uuid")?);
        self.exposures.push(Exposure { board, service, port: row.parse("public_port")? });
        Ok(())
    }
}

impl Sink for Found {
    fn wants(&self, table: &str) -> bool {
        BROUGHT.contains(&table) || LEFT.contains(&table)
    }

    fn row(&mut self, table: &str, row: Row) -> Result<(), Error> {
        if LEFT.contains(&table) {
            self.report.leave(table);
            return Ok(());
        }
        self.hold(&row)?;
        let (noun, taken) = self.take(table, &row);
        if let Err(reason) = taken {
            self.report.skip(noun, row.label(), reason);
        }
        Ok(())
    }
}
