//! The journal on real files: a kill at every step, a tail torn at every byte, sizes.

use crate::cloud::now;
use lightning_rod::journal::{Error, Journal, MAX_ANSWER, Repeat, Turn, Work};
use model::OperationId;
use rpc::Envelope;
use rpc::envelope::{End, FaultKind};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

const OPERATIONS: u128 = 4;
/// begin, effect and end of each operation: the child waits for leave before each step and after the last one.
const STEPS: usize = OPERATIONS as usize * 3 + 1;

fn id(number: u128) -> OperationId {
    Uuid::from_u128(number).into()
}

fn work(operation: OperationId, repeat: Repeat) -> Work {
    let deadline = now().after(Duration::from_secs(3600));
    Work { operation, repeat, method: "PluginCall".into(), deadline, now: now() }
}

/// Odd operations must never be repeated, even ones may.
fn repeat(number: u128) -> Repeat {
    if number % 2 == 1 { Repeat::Never } else { Repeat::Harmless }
}

/// Runs only as the child of the test below: works through all operations, asking for leave at each step.
#[tokio::test]
async fn child_of_the_crash_test() {
    let Ok(dir) = std::env::var("JOURNAL_CRASH_DIR") else { return };
    let dir = Path::new(&dir);
    let journal = Journal::open(&dir.join("journal"), now()).unwrap();
    let ask_leave = || {
        println!("\nSTEP");
        std::io::stdout().flush().unwrap();
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
    };
    for number in 0..OPERATIONS {
        ask_leave();
        let turn = journal.begin(work(id(number), repeat(number))).await.unwrap();
        let answer = match turn {
            Turn::Answer(answer) => answer,
            Turn::Run => {
                ask_leave();
                append(&dir.join(format!("effect-{number}")), "x");
                ask_leave();
                journal.end(id(number), format!("answer {number}")).await;
                format!("answer {number}")
            }
        };
        append(&dir.join(format!("answer-{number}")), &format!("{answer}\n"));
    }
    ask_leave();
    println!("\nDONE");
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
}

fn spawn(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::child_of_the_crash_test", "--nocapture"])
        .env("JOURNAL_CRASH_DIR", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

/// Lets the child make `steps` steps, then kills it; true when it came to its end before.
fn let_run(dir: &Path, steps: usize) -> bool {
    let (mut child, mut lines) = spawn(dir);
    let mut granted = 0;
    let mut line = String::new();
    let is_done = loop {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended early");
        match line.trim() {
            "STEP" if granted == steps => break false,
            "STEP" => {
                granted += 1;
                child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            }
            "DONE" => break true,
            _ => {}
        }
    };
    let _ = child.kill();
    child.wait().unwrap();
    is_done
}

#[test]
fn a_kill_at_any_step_neither_repeats_nor_loses_an_operation() {
    for steps in 0..STEPS {
        let dir = tempfile::tempdir().unwrap();
        assert!(!let_run(dir.path(), steps));
        assert!(let_run(dir.path(), usize::MAX));
        assert!(let_run(dir.path(), usize::MAX));
        for number in 0..OPERATIONS {
            let read = |what: &str| {
                std::fs::read_to_string(dir.path().join(format!("{what}-{number}")))
                    .unwrap_or_default()
            };
            let (effects, answers) = (read("effect").len(), read("answer"));
            let good = format!("answer {number}");
            let last = answers.lines().last().unwrap();
            match repeat(number) {
                Repeat::Never => {
                    assert!(effects <= 1, "{number} ran {effects} times, killed after {steps}");
                    assert!(last == good && effects == 1 || is_unknown(last), "{last}");
                }
                Repeat::Harmless => assert!(effects >= 1 && last == good, "{last}"),
            }
            let mut distinct: Vec<_> = answers.lines().collect();
            distinct.dedup();
            assert_eq!(distinct.len(), 1, "answers differ: {answers}");
        }
    }
}

fn is_unknown(text: &str) -> bool {
    Envelope::parse(&text.into()).is_ok_and(|e| e.kind == Some(FaultKind::End(End::Unknown)))
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_and_what_is_before_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, now()).unwrap();
    for number in 0..3 {
        assert_eq!(journal.begin(work(id(number), Repeat::Never)).await.unwrap(), Turn::Run);
        journal.end(id(number), format!("answer {number}")).await;
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let journal = Journal::open(&path, now()).unwrap();
        for number in 0..3 {
            match journal.begin(work(id(number), Repeat::Never)).await.unwrap() {
                Turn::Answer(text) => {
                    assert!(text == format!("answer {number}") || is_unknown(&text), "{text}");
                }
                Turn::Run => journal.end(id(number), format!("answer {number}")).await,
            }
        }
    }
}

#[tokio::test]
async fn those_who_ask_while_it_runs_get_the_same_answer_and_too_many_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("journal"), now()).unwrap();
    assert_eq!(journal.begin(work(id(1), Repeat::Never)).await.unwrap(), Turn::Run);
    let asking: Vec<_> = (0..lightning_rod::journal::MAX_WAITING + 1)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.begin(work(id(1), Repeat::Never)).await })
        })
        .collect();
    let mut asking = asking.into_iter();
    // They queue in order on one thread of the test, so the last one is the one too many.
    let last = asking.next_back().unwrap().await.unwrap();
    assert!(matches!(last, Err(Error::Waiting)), "{last:?}");
    journal.end(id(1), "done".into()).await;
    for one in asking {
        assert_eq!(one.await.unwrap().unwrap(), Turn::Answer("done".into()));
    }
}

#[tokio::test]
async fn the_file_stays_bounded_and_recent_answers_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, now()).unwrap();
    let answer = "x".repeat(MAX_ANSWER - 16);
    for number in 0..72 {
        assert_eq!(journal.begin(work(id(number), Repeat::Never)).await.unwrap(), Turn::Run);
        journal.end(id(number), format!("{number} {answer}")).await;
    }
    assert!(
        std::fs::metadata(&path).unwrap().len() <= lightning_rod::journal::MAX_FILE + (4 << 20)
    );
    let again = async |journal: &Journal, number: u128| match journal
        .begin(work(id(number), Repeat::Never))
        .await
        .unwrap()
    {
        Turn::Answer(text) => text.starts_with(&format!("{number} ")),
        Turn::Run => false,
    };
    assert!(again(&journal, 71).await && again(&journal, 60).await);
    drop(journal);
    let journal = Journal::open(&path, now()).unwrap();
    assert!(again(&journal, 71).await);
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    std::fs::write(&path, "something else entirely").unwrap();
    let error = Journal::open(&path, now()).unwrap_err();
    assert!(error.to_string().contains("no journal of this agent"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else entirely");
}
