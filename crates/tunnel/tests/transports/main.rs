//! One suite over every transport: what somebody sees through a forwarded port must not depend on what carries it.
//!
//! `stand` builds a cloud, a board and a line between them that can be cut; `checks` says what must hold. A new transport is
//! one more variant of [`stand::Transport`] and one line below.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(unreachable_pub, reason = "shared by the modules of this test")]

mod checks;
#[path = "../common/mod.rs"]
mod common;
mod stand;
#[path = "../wstun/support.rs"]
#[allow(dead_code, reason = "the suite uses a part")]
mod support;

macro_rules! on {
    ($($module:ident: $transport:ident;)*) => {
        $(mod $module {
            every_check! { $transport }
        })*
    };
}

macro_rules! every_check {
    ($transport:ident) => {
        tests! { $transport:
            bytes_arrive_whole_and_in_order_both_ways
            a_client_that_has_finished_hears_the_whole_answer
            a_service_that_has_finished_hears_the_whole_upload
            a_reset_of_the_client_is_no_finish
            a_reset_of_the_service_is_no_finish
            a_line_cut_in_the_middle_is_no_finish
            a_stalled_reader_holds_up_its_writer_and_nobody_else
            bytes_that_are_written_and_read_one_by_one_arrive
            hundreds_at_once_carry_their_own_bytes
            nothing_is_left_of_many_short_connections
        }
    };
}

macro_rules! tests {
    ($transport:ident: $($check:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            crate::checks::$check(crate::stand::Transport::$transport).await;
        })*
    };
}

on! {
    websocket: WebSocket;
    secure_websocket: SecureWebSocket;
    websocket_in_crumbs: Crumbs;
    wstun: Wstun;
    secure_wstun: SecureWstun;
}
