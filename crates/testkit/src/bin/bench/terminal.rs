//! A key pressed in a terminal on the board, until its echo is on the screen.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::{median, quantile};

/// Keys pressed, one after the other.
const KEYS: usize = 1000;
/// Keys before those that count: the shell has just started.
const WARM_UP: usize = 50;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let open = timed(|| stage.board.terminal("?command=cat").leave());
    let mut terminal = stage.board.terminal("?command=cat");
    let mut press = |number: usize| {
        let key = [b'a' + u8::try_from(number % 26).unwrap_or(0)];
        timed(|| {
            terminal.send(&key);
            let _ = terminal.wait_for(std::str::from_utf8(&key).unwrap());
        })
    };
    for number in 0..WARM_UP {
        let _ = press(number);
    }
    let times: Vec<f64> = (0..KEYS).map(press).collect();
    vec![
        Figure::new("terminal echo, p99", quantile(&times, 0.99), "ms")
            .goal(Goal::AtMost(50.0))
            .beside(format!("p50 {}", short(median(&times)))),
        Figure::new("opening a terminal, to its shell", open, "ms"),
    ]
}
