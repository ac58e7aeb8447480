//! Where the dump comes from: a file, standard input, or `mysqldump` run on a URL.
//!
//! Invariants: nothing of the URL is ever part of a shell line; a password is handed over in the child's environment, never
//! among its arguments, and never shown; a child is waited for, and one that failed fails the import.

use super::found::Found;
use super::{Error, dump};
use std::fs::File;
use std::io::{self, BufReader};
use std::process::{Child, Command, Stdio};

const SCHEME: &str = "mysql://";
/// The variable that holds the database's password.
const PASSWORD: &str = "IOTRONIC_IMPORT_PASSWORD";
const BUFFER: usize = 256 * 1024;
/// Programs that dump, newest name last.
const PROGRAMS: [&str; 2] = ["mysqldump", "mariadb-dump"];
/// Tables of no use elsewhere that grow without bound.
const IGNORED: [&str; 3] = ["requests", "results", "sessions"];

/// Reads the source into `found`.
pub(super) fn read(from: &str, database: &str, found: &mut Found) -> Result<(), Error> {
    if let Some(rest) = from.strip_prefix(SCHEME) {
        return read_server(&Address::parse(rest)?, found);
    }
    if from == "-" {
        return dump::read(BufReader::with_capacity(BUFFER, io::stdin()), database, found);
    }
    let file = File::open(from).map_err(|source| Error::Read { what: from.to_owned(), source })?;
    dump::read(BufReader::with_capacity(BUFFER, file), database, found)
}

/// The source as it may be shown.
pub(super) fn shown(from: &str) -> String {
    let Some(rest) = from.strip_prefix(SCHEME) else { return from.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{SCHEME}{user}@{host}")
        }
        None => from.to_owned(),
    }
}

fn read_server(address: &Address, found: &mut Found) -> Result<(), Error> {
    let mut child = start(address)?;
    let Some(output) = child.stdout.take() else {
        return Err(Error::Mysqldump("mysqldump has no output".into()));
    };
    let read = dump::read(BufReader::with_capacity(BUFFER, output), &address.database, found);
    if read.is_err() {
        // It may be gone already.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|source| Error::Read { what: "mysqldump".into(), source })?;
    match (read, status.success()) {
        (Ok(()), true) => Ok(()),
        // What it wrote to standard error is on ours already.
        (_, false) if status.code().is_some() => {
            Err(Error::Mysqldump(format!("mysqldump failed ({status}); it says above why")))
        }
        (read, _) => read,
    }
}

fn start(address: &Address) -> Result<Child, Error> {
    for program in PROGRAMS {
        match address.command(program).spawn() {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Mysqldump(format!("cannot run {program}: {error}"))),
        }
    }
    Err(Error::Mysqldump("there is no mysqldump on the path; install mariadb-client, or dump elsewhere and give the file".into()))
}

/// Where a database is.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    user: String,
    password: Option<String>,
    host: String,
    port: Option<u16>,
    socket: Option<String>,
    database: String,
}

impl Address {
    /// `USER[:PASSWORD]@HOST[:PORT]/DATABASE[?socket=PATH]`, with `%xx` for what has a meaning of its own.
    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Url(what.to_owned());
        let (login, rest) = text.rsplit_once('@').ok_or_else(|| wrong("the URL names no user"))?;
        let (place, path) = rest.split_once('/').ok_or_else(|| wrong("it names no database"))?;
        let (database, query) = path.split_once('?').unwrap_or((path, ""));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(plain(password)?)),
            None => (login, None),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => {
                (host, Some(port.parse().map_err(|_| wrong("the port is not a number"))?))
            }
            None => (place, None),
        };
        let socket = match query.split_once('=') {
            Some(("socket", path)) => Some(plain(path)?),
            None if query.is_empty() => None,
            _ => return Err(wrong("only socket=PATH may stand behind the question mark")),
        };
        let address = Self {
            user: plain(user)?,
            password,
            host: plain(host)?,
            port,
            socket,
            database: plain(database)?,
        };
        if [&address.user, &address.host].into_iter().any(String::is_empty) {
            return Err(wrong("the URL lacks a user or a host"));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if address.database.is_empty() || !address.database.chars().all(is_name) {
            return Err(wrong("the name of the database has letters, digits and '_' only"));
        }
        Ok(address)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args([
            "--single-transaction",
            "--skip-lock-tables",
            "--skip-triggers",
            "--hex-blob",
        ]);
        command.args(["--default-character-set=utf8mb4", "--no-tablespaces"]);
        command.arg(format!("--user={}", self.user)).arg(format!("--host={}", self.host));
        if let Some(port) = self.port {
            command.arg(format!("--port={port}"));
        }
        if let Some(socket) = &self.socket {
            command.arg(format!("--socket={socket}"));
        }
        for table in IGNORED {
            command.arg(format!("--ignore-table={}.{table}", self.database));
        }
        command.arg(&self.database).stdin(Stdio::null()).stdout(Stdio::piped());
        let password = self.password.clone().or_else(|| std::env::var(PASSWORD).ok());
        if let Some(password) = password {
            command.env("MYSQL_PWD", password);
        }
        command.env_remove(PASSWORD);
        command
    }
}

/// Text with its `%xx` resolved; control characters are refused.
fn plain(text: &str) -> Result<String, Error> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let code = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        out.push(code.ok_or_else(|| Error::Url("a '%' is not followed by two digits".into()))?);
    }
    let text = String::from_utf8(out).map_err(|_| Error::Url("the URL is not UTF-8".into()))?;
    if text.chars().any(char::is_control) {
        return Err(Error::Url("the URL has control characters".into()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_arguments_and_its_password_is_none_of_them() {
        let address = Address::parse("iot:p%40ss'@db.example:3307/iotronic?socket=/run/x").unwrap();
        assert_eq!(address.password.as_deref(), Some("p@ss'"));
        let command = address.command("mysqldump");
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap()).collect();
        assert!(
            words.contains(&"--host=db.example") && words.contains(&"--port=3307"),
            "{words:?}"
        );
        assert!(!words.iter().any(|word| word.contains("p@ss")), "{words:?}");
        assert_eq!(shown("mysql://iot:p@ss@db/iotronic"), "mysql://iot@db/iotronic");
    }

    #[test]
    fn a_database_that_looks_like_an_option_and_a_url_without_parts_are_refused() {
        for wrong in [
            "u@h/--all",
            "u@h/",
            "u@h",
            "h/d",
            "@h/d",
            "u@h:x/d",
            "u@h/d?a=b",
            "u%0a@h/d",
            "u%4@h/d",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
