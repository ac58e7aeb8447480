//! The reader of dumps, on text in memory.

#![allow(clippy::string_slice, reason = "a dump is cut at each of its bytes, which are ASCII")]

use super::*;
use proptest::prelude::*;

#[derive(Default)]
struct Rows(Vec<(String, Row)>);

impl Sink for Rows {
    fn wants(&self, table: &str) -> bool {
        matches!(table, "boards" | "fleets")
    }

    fn row(&mut self, table: &str, row: Row) -> Result<(), Error> {
        self.0.push((table.to_owned(), row));
        Ok(())
    }
}

fn rows(dump: &str) -> Result<Vec<(String, Row)>, Error> {
    let mut rows = Rows::default();
    read(dump.as_bytes(), "iotronic", &mut rows).map(|()| rows.0)
}

const TABLE: &str = "CREATE TABLE `boards` (\n  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'a ) , ; b',\n  `uuid` varchar(36) \
    DEFAULT NULL,\n  `name` enum('a','b') DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`uuid`,`name`),\n  \
    CONSTRAINT `c` FOREIGN KEY (`x`) REFERENCES `fleets` (`uuid`) ON DELETE CASCADE\n) ENGINE=InnoDB;\n";

#[test]
fn rows_of_several_lines_come_with_the_columns_of_their_table() {
    let dump = format!(
        "{TABLE}INSERT INTO `boards` VALUES\n(1,'u-1','it''s \\'x\\\\ ; \\n'),(2,NULL,0x4142);\n"
    );
    let rows = rows(&dump).unwrap();
    let name = |index: usize| rows[index].1.text("name").unwrap();
    assert_eq!(name(0).as_deref(), Some("it's 'x\\ ; \n"));
    assert_eq!(name(1).as_deref(), Some("AB"));
    assert_eq!(rows[1].1.text("uuid"), Ok(None));
    assert_eq!(rows[0].1.parse::<i64>("id"), Ok(1));
}

#[test]
fn columns_listed_by_the_insert_win_and_need_no_table() {
    let rows = rows("INSERT INTO `fleets` (`name`, `id`) VALUES (_binary 'f',-3);").unwrap();
    assert_eq!(rows[0].1.parse::<i64>("id"), Ok(-3));
    assert!(super::tests::rows("INSERT INTO `fleets` VALUES ('f',3);").is_err());
}

#[test]
fn settings_comments_and_tables_of_no_use_are_passed_over() {
    let dump = format!(
        "/*M!999999\\- enable the sandbox mode */\n-- MariaDB dump 10.19\n/*!40101 SET NAMES utf8mb4 */;\nLOCK TABLES `x` WRITE;\n\
         # note; 'open\nINSERT INTO `x` VALUES (1,'it\\'s ; -- no'),(2,'a''b');\n{TABLE}-- it's;\nINSERT INTO `boards` VALUES (1,'u','n');\n\
         UNLOCK TABLES;\n-- Dump completed on 2026-01-01\n"
    );
    assert_eq!(rows(&dump).unwrap().len(), 1);
}

#[test]
fn of_several_databases_one_is_read() {
    let insert = "INSERT INTO `boards` VALUES (1,'u','n');\n";
    let dump = format!(
        "USE `nova`;\n{TABLE}{insert}USE `iotronic`;\n{TABLE}{insert}{insert}USE `other`;\n{insert}"
    );
    assert_eq!(rows(&dump).unwrap().len(), 2);
    let none = rows(&format!("USE `nova`;\n{TABLE}{insert}")).unwrap_err().to_string();
    assert!(none.contains("--database"), "{none}");
}

#[test]
fn a_dump_that_is_cut_off_anywhere_is_an_error() {
    let dump = format!(
        "-- MySQL dump 10.13\n{TABLE}INSERT INTO `boards` VALUES (1,'u','n');\n-- Dump completed\n"
    );
    assert!(rows(&dump).is_ok());
    for end in 16..dump.len() - 3 {
        assert!(rows(&dump[..end]).is_err(), "cut at {end}: {:?}", &dump[..end]);
    }
}

#[test]
fn rows_of_the_wrong_width_and_odd_values_are_refused_by_place() {
    for row in ["(1,'u')", "(1,'u','n',4)", "(1,'u',NOW())", "(1,'u',0x4)", "(1,,'n')", "1"] {
        let error = rows(&format!("{TABLE}INSERT INTO `boards` VALUES {row};")).unwrap_err();
        assert!(matches!(error, Error::Dump { .. }), "{row}: {error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(bytes.as_slice(), "iotronic", &mut Rows::default());
    }

    #[test]
    fn any_words_of_dumps_give_rows_or_an_error(words in proptest::collection::vec(
        prop::sample::select(vec!["CREATE", "TABLE", "`boards`", "(", ")", ",", ";", "INSERT", "INTO", "VALUES", "'a\\", "'", "NULL",
            "0x", "x", "--", "/*", "*/", "USE", "_binary", "`", "\n", "#"]), 0..40)) {
        let _ = read(words.join(" ").as_bytes(), "iotronic", &mut Rows::default());
    }
}
