//! What `mysqldump` writes, as rows: a small tolerant reader of `CREATE TABLE`, `USE` and `INSERT INTO … VALUES`.
//!
//! Invariants: one row is held at a time; statements and tables that nobody wants are passed over without being held; a
//! dump that is cut off is an error, never a short dump; nothing is evaluated. Deliberately not here: SQL.

mod tokens;

#[cfg(test)]
mod tests;

use super::Error;
use super::record::Row;
use std::collections::HashMap;
use std::io::BufRead;
use std::rc::Rc;
use tokens::{Frame, Token, Tokens};

/// Most columns of a table that is read.
const MAX_COLUMNS: usize = 200;
/// Words that open a line of `CREATE TABLE` and are no columns.
const KEYS: [&[u8]; 10] = [
    b"PRIMARY",
    b"KEY",
    b"UNIQUE",
    b"CONSTRAINT",
    b"INDEX",
    b"FULLTEXT",
    b"SPATIAL",
    b"CHECK",
    b"FOREIGN",
    b"PERIOD",
];

/// Who takes the rows.
pub(super) trait Sink {
    /// Whether rows of this table are of use.
    fn wants(&self, table: &str) -> bool;
    /// One row.
    ///
    /// # Errors
    /// It holds too much already.
    fn row(&mut self, table: &str, row: Row) -> Result<(), Error>;
}

/// Reads a whole dump; in one of several databases only what stands under `USE database`.
pub(super) fn read(input: impl BufRead, database: &str, sink: &mut impl Sink) -> Result<(), Error> {
    let mut reader = Reader {
        tokens: Tokens::new(input),
        database,
        is_ours: true,
        columns: HashMap::new(),
        tables: 0,
        sink,
    };
    while reader.statement()? {}
    if reader.tokens.frame() == Frame::Open {
        return Err(reader
            .tokens
            .wrong("its last line (Dump completed) is missing; it is cut off, dump again"));
    }
    if reader.tables == 0 {
        return Err(reader.tokens.wrong(format!(
            "there is no table of IoTronic in it; name the database that has them with --database ({database} was looked at)"
        )));
    }
    Ok(())
}

struct Reader<'a, R, S> {
    tokens: Tokens<R>,
    database: &'a str,
    /// Whether the current database is the one that is read.
    is_ours: bool,
    columns: HashMap<String, Rc<[String]>>,
    /// Tables of use that were seen.
    tables: usize,
    sink: &'a mut S,
}

impl<R: BufRead, S: Sink> Reader<'_, R, S> {
    /// One statement; says whether there may be another.
    fn statement(&mut self) -> Result<bool, Error> {
        let Some(token) = self.tokens.next()? else { return Ok(false) };
        match token {
            Token::Sign(b';') => {}
            token if is(&token, "USE") => self.select()?,
            token if self.is_ours && is(&token, "CREATE") => self.create()?,
            token if self.is_ours && (is(&token, "INSERT") || is(&token, "REPLACE")) => {
                self.insert()?;
            }
            token => {
                self.tokens.put_back(token);
                self.tokens.skip_statement()?;
            }
        }
        Ok(true)
    }

    fn select(&mut self) -> Result<(), Error> {
        let name = self.name()?;
        self.is_ours = name == self.database;
        self.tokens.skip_statement()
    }

    fn create(&mut self) -> Result<(), Error> {
        let token = self.tokens.must()?;
        if !is(&token, "TABLE") {
            self.tokens.put_back(token);
            return self.tokens.skip_statement();
        }
        let table = self.name()?;
        if !self.sink.wants(&table) {
            return self.tokens.skip_statement();
        }
        self.expect(b'(')?;
        let columns = self.definitions()?;
        self.columns.insert(table, columns.into());
        self.tables += 1;
        self.tokens.skip_statement()
    }

    /// The names of the columns between the parentheses of `CREATE TABLE`.
    fn definitions(&mut self) -> Result<Vec<String>, Error> {
        let mut columns = Vec::new();
        loop {
            match self.tokens.must()? {
                Token::Name(name) => columns.push(self.text(name)?),
                Token::Word(word) if !KEYS.iter().any(|key| word.eq_ignore_ascii_case(key)) => {
                    columns.push(self.text(word)?);
                }
                _ => {}
            }
            if columns.len() > MAX_COLUMNS {
                return Err(self
                    .tokens
                    .wrong(format!("a table has more than {MAX_COLUMNS} columns")));
            }
            if self.end_of_definition()? == End::Last {
                return Ok(columns);
            }
        }
    }

    fn end_of_definition(&mut self) -> Result<End, Error> {
        let mut depth = 0_usize;
        loop {
            match self.tokens.must()? {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') if depth == 0 => return Ok(End::Last),
                Token::Sign(b')') => depth -= 1,
                Token::Sign(b',') if depth == 0 => return Ok(End::More),
                _ => {}
            }
        }
    }

    fn insert(&mut self) -> Result<(), Error> {
        let table = self.name()?;
        if !self.sink.wants(&table) {
            return self.tokens.skip_statement();
        }
        let columns = self.columns_of(&table)?;
        loop {
            self.expect(b'(')?;
            let row = self.values(Rc::clone(&columns))?;
            self.sink.row(&table, row)?;
            match self.tokens.must()? {
                Token::Sign(b',') => {}
                Token::Sign(b';') => return Ok(()),
                token => {
                    self.tokens.put_back(token);
                    return self.tokens.skip_statement();
                }
            }
        }
    }

    /// The columns an `INSERT` lists, or else those of its table.
    fn columns_of(&mut self, table: &str) -> Result<Rc<[String]>, Error> {
        let columns = match self.tokens.must()? {
            Token::Sign(b'(') => {
                self.tables += 1;
                self.definitions()?.into()
            }
            token => {
                self.tokens.put_back(token);
                self.columns.get(table).cloned().ok_or_else(|| {
                    self.tokens.wrong(format!(
                        "the columns of table {table} are not in it; dump with the definitions of tables, or with --complete-insert"
                    ))
                })?
            }
        };
        let token = self.tokens.must()?;
        if is(&token, "VALUES") || is(&token, "VALUE") {
            return Ok(columns);
        }
        Err(self.tokens.wrong("VALUES is missing in an INSERT"))
    }

    fn values(&mut self, columns: Rc<[String]>) -> Result<Row, Error> {
        let mut values = Vec::with_capacity(columns.len());
        loop {
            values.push(self.value()?);
            match self.tokens.must()? {
                Token::Sign(b',') if values.len() < columns.len() => {}
                Token::Sign(b')') if values.len() == columns.len() => break,
                _ => return Err(self.tokens.wrong("a row has not the columns of its table")),
            }
        }
        Ok(Row::new(columns, values))
    }

    fn value(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let word = match self.tokens.must()? {
            Token::Text(text) => return Ok(Some(text)),
            Token::Word(word) => word,
            _ => return Err(self.tokens.wrong("a value is neither text, number nor NULL")),
        };
        if word.eq_ignore_ascii_case(b"NULL") {
            return Ok(None);
        }
        if let [b'0', b'x' | b'X', digits @ ..] = word.as_slice() {
            return self.hex(digits).map(Some);
        }
        if let [b'x' | b'X'] = word.as_slice() {
            return match self.tokens.must()? {
                Token::Text(digits) => self.hex(&digits).map(Some),
                _ => Err(self.tokens.wrong("a hexadecimal value has no digits")),
            };
        }
        // `_binary 'text'`: which alphabet the text is in.
        if word.first() == Some(&b'_') {
            return self.value();
        }
        Ok(Some(word))
    }

    fn hex(&self, digits: &[u8]) -> Result<Vec<u8>, Error> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let pairs = digits.chunks(2).map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        bytes.ok_or_else(|| self.tokens.wrong("a hexadecimal value is malformed"))
    }

    /// The name behind `USE`, `CREATE TABLE [IF NOT EXISTS]`, `INSERT [IGNORE] [INTO]`.
    fn name(&mut self) -> Result<String, Error> {
        loop {
            match self.tokens.must()? {
                Token::Name(name) => return self.text(name),
                Token::Word(word) => {
                    let filler =
                        ["IF", "NOT", "EXISTS", "IGNORE", "INTO", "DELAYED", "LOW_PRIORITY"];
                    if !filler.iter().any(|filler| word.eq_ignore_ascii_case(filler.as_bytes())) {
                        return self.text(word);
                    }
                }
                _ => return Err(self.tokens.wrong("the name of a table is missing")),
            }
        }
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, Error> {
        String::from_utf8(bytes).map_err(|_| self.tokens.wrong("a name is not UTF-8"))
    }

    fn expect(&mut self, sign: u8) -> Result<(), Error> {
        match self.tokens.must()? {
            Token::Sign(found) if found == sign => Ok(()),
            _ => Err(self.tokens.wrong(format!("{:?} is missing", char::from(sign)))),
        }
    }
}

#[derive(PartialEq, Eq)]
enum End {
    More,
    Last,
}

fn is(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
}
