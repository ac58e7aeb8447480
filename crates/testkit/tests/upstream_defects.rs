//! What upstream's cloud and client get wrong, one row for each case of the contract, and which test shows the right answer here.
//!
//! Invariants: every mark of the contract has exactly one row; a row names tests or steps of the script that exist, or says why
//! there is nothing to show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use testkit::upstream::script::steps;

/// Letters of marks, and the numbers that the contract has under each.
const CONTRACT: [(char, &[u8]); 7] = [
    // Upstream's routes by number: crashes, unscoped lists, inverted filters.
    (
        'R',
        &[2, 6, 16, 17, 20, 21, 22, 23, 24, 25, 26, 30, 33, 34, 35, 41, 42, 45, 50, 52, 55, 57, 59],
    ),
    // Differences between its client and its server.
    ('D', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
    // Defects of security, availability and correctness; features it lacks.
    ('S', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
    ('A', &[1, 2, 3, 4, 5, 6, 7, 8]),
    ('C', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ('F', &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    // Faults that were seen while it ran.
    ('L', &[1, 2, 3, 4, 5, 6, 7]),
];

/// Mark, what upstream does, and what shows the right answer: `file: test`; `played: step`, which the real server answers beside
/// ours and whose difference stands in `docs/compatibility.md`; or `nothing: why`. More of them follow on lines of their own.
const TABLE: &str = "\
R2 | `/v1` leaves out resources that it has | v1_errors: the_versions_are_told_to_everybody
R6 | a board is shown to any project | matrix: to_another_projects_administrator_nothing_of_this_project_exists
R16 | a GET that commands a board | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
    | session: a_change_by_cookie_needs_the_word_of_this_very_session
R17 | an object is declared as text | played: the sockets and processes of a board
R20 | anybody enables web services | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
R21 | anybody disables web services | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
R22 | anybody renews certificates | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
R23 | the ports of a board are those of all boards | played: ports of a board
R24 | a port of a board is compared with the wrong object | played: a port of a board that is not there
R25 | a port is forced through a type of text | nothing: there are no network ports yet; upstream's answer to a failure is given
R26 | anybody detaches ports | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
R30 | code comes back pickled | v1_things: a_plugins_code_is_answered_pickled_and_kept_plain
R33 | changed code is stored raw | v1_things: a_plugins_code_is_answered_pickled_and_kept_plain
R34 | services of all projects are listed | played: services as a stranger
    | played: services
R35 | public services of all projects are listed | played: public services
    | played: services in detail
R41 | ports of all projects are listed | played: ports
R42 | anybody looks at ports and deletes them | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
    | matrix: each_role_may_do_exactly_what_the_table_of_routes_says
R45 | fleets in detail crash | played: fleets in detail
    | played: iotronic fleet-list --detail
R50 | boards of a fleet are found by its id only | played: boards of a fleet by name
    | played: boards of a fleet with a trailing slash
R52 | web services in detail crash | played: web services in detail
R55 | a list with a capital letter | played: enabled web services
R57 | requests in detail crash | played: requests in detail
R59 | results of a request that is not there crash | played: the results of a request that is not there
D1 | the client asks for 1.9 first | v1_errors: the_one_version_is_negotiated
D2 | the client cuts a port that ends in 1 | v1_defects: the_usual_port_of_the_api_is_one_that_upstreams_client_does_not_cut
D3 | boards-in-fleet asks what the server lacks | played: iotronic boards-in-fleet by status
    | played: iotronic boards-in-fleet --detail
D4 | port-list --detail reads `detail` as a port | played: iotronic port-list --detail
D5 | fields without the agent crash | played: iotronic board-list with fields
    | played: boards with fields without the agent
D6 | mac_addr is no field | defects: a_board_shows_its_hardware_address_and_the_session_it_has_now
D7 | plugin-inject and plugin-remove swallow refusals | played: iotronic plugin-inject of nothing
    | played: inject a plugin that is not there
D8 | DELETE comes as application/octet-stream | defects: nothing_follows_a_204_and_the_next_answer_is_read_from_the_same_connection
D9 | ports are sent as text | v1_things: services_and_fleets_keep_their_extra_and_read_ports_as_text
D10 | --is-plublic, and --secure that is always true | played: iotronic plugin-create of a public one
    | played: iotronic expose-webservice
D11 | 409, 503 and a refused connection are tried again | played: iotronic board-create with a code that is taken
D12 | no command for actions, requests, status | played: an action
    | played: requests, one a page
    | played: the sockets and processes of a board
D13 | another SDK's paths and trailing slashes | v1_defects: paths_of_another_sdk_that_upstream_lacks_too_are_not_found_in_upstreams_shape
S1 | anonymous WAMP with all rights | legacy: a_legacy_board_can_do_nothing_to_others
    | control: a_board_reaches_no_uri_but_its_own
S2 | a board is whoever knows its uuid | legacy: only_a_legacy_board_that_registered_here_connects
    | legacy: a_second_session_of_a_board_is_refused_while_the_first_lives_and_takes_over_when_not
    | enrolment: unknown_keys_wrong_signatures_and_keys_of_boards_given_up_stay_outside
S3 | a code replays the configuration | legacy: a_code_is_answered_until_the_first_connection_and_refused_afterwards
S4 | any client opens any port | legacy_services: a_board_opens_the_port_of_its_own_service_and_no_other
S5 | certificates are not checked | rod_tls: a_certificate_that_nobody_vouches_for_is_taken_only_when_the_settings_ignore_it
    | rod_tls: a_certificate_for_another_name_is_not_believed
S6 | pickles are executed as root | rod_procedures: a_pickle_that_is_no_string_is_refused_and_never_done
    | v1_things: a_plugins_code_is_answered_pickled_and_kept_plain
S7 | words of packages, interfaces, names and archives reach a shell | shell_words: words_for_a_shell_are_refused_or_carried_as_data_in_every_field
    | shell_words: every_route_that_leads_to_a_board_is_listed
    | legacy_requests: words_for_the_shell_of_an_upstream_agent_never_reach_it
    | rod_words: no_word_of_a_call_is_ever_run
    | rod_native_words: no_word_of_a_call_of_our_cloud_is_ever_run
    | rod_words: no_word_of_the_settings_that_a_cloud_hands_out_is_ever_run
    | rod_backup: an_archive_writes_nothing_outside_the_folder
S8 | a local page on all interfaces, open before and after the first boot | rod_page: an_enrolled_board_shows_its_page_too_and_there_is_none_by_default
    | rod_page: other_sites_and_broken_requests_configure_nothing
S9 | no policy on web services and ports | v1_defects: what_upstream_lets_anybody_do_needs_a_role_and_the_own_project
S10 | any member reads any board, its code included | played: a board as a stranger
S11 | boards of other projects are changed and deleted | matrix: to_another_projects_administrator_nothing_of_this_project_exists
S12 | services, fleets, ports and requests of everybody are listed | played: services as a stranger
    | played: fleets as a stranger
    | played: ports
    | played: requests as a stranger
S13 | secrets in plain configuration | v1_defects: the_configuration_of_a_board_holds_no_secret_but_its_code
    | durability: the_files_are_the_owners_alone
A1 | a thread is blocked by each call | defects: a_board_that_does_not_answer_keeps_nobody_else_waiting
A2 | a call outlives its request | control: a_board_that_never_answers_costs_the_timeout_and_no_more
    | v1_commands: what_is_asked_of_a_board_that_is_away_is_refused_and_never_done
A3 | nothing waits for boards that are away | commands: commands_for_a_board_that_is_away_wait_and_arrive_in_order
A4 | ports are handed out from memory | forwarding: a_cloud_that_is_started_again_opens_what_was_enabled
    | forwarding: a_port_that_somebody_else_has_is_a_conflict_until_it_is_free
A5 | names of agents are remembered for ever | legacy: boards_of_another_cloud_find_the_agent_by_the_name_they_were_told
A6 | boards of an agent that died stay with it | legacy: a_board_comes_back_by_itself_after_the_cloud_was_started_again
A7 | the registration agent is read at the start only | nothing: router, agent and API are one process; there is no registration agent to be found
A8 | plugins, tunnels and sleeps block the board's agent | rod_procedures: a_call_that_takes_long_keeps_no_other_waiting
    | rod_commands: a_running_call_is_cancelled_and_says_so
C1 | what the rows of routes and of the client say | replay: our_cloud_answers_the_script_as_upstream_does_but_for_what_is_listed
C2 | an online board cannot be deleted: destroyBoard, destroyNode | legacy: a_board_that_is_given_up_is_told_to_forget_and_its_session_ends
    | defects: a_board_of_0_4_is_told_to_forget_by_the_name_that_it_knows
C3 | a board with several valid sessions is an error | defects: a_board_shows_its_hardware_address_and_the_session_it_has_now
C4 | the filter of services has another name | played: services of all
    | played: services in detail
C5 | the filter of ports returns nothing | nothing: there are no network ports yet, so the lists are empty
C6 | a request that failed is COMPLETED like one that did not | legacy_requests: a_request_to_many_boards_counts_down_to_nothing_whatever_kind_they_are
    | v1_commands: what_a_board_refuses_is_told_with_its_reason
C7 | a certificate that was not got is a success | nothing: there are no web services yet
C8 | requests never expire | commands: a_deadline_expires_what_waits_and_leaves_undecided_what_is_out
    | legacy_plugins: a_result_that_never_comes_leaves_the_operation_unknown_at_its_deadline
C9 | the results of boards that left stay PENDING | legacy_plugins: nothing_is_sent_twice_a_lost_answer_is_unknown
    | defects: an_injection_into_many_boards_names_no_larger_request_to_upstreams_agents
C10 | changed code cannot be loaded by boards | legacy_plugins: calls_go_out_in_upstreams_shape
    | v1_things: a_plugins_code_is_answered_pickled_and_kept_plain
F1 | no work that is asked for now and looked at later | rest_commands: a_command_is_accepted_and_its_end_is_waited_for
F2 | no events | streams: events_come_as_they_are_committed_and_resume_without_gap
F3 | no metrics | serve: health_version_and_metrics_are_served
F4 | no logs of boards | streams: a_boards_log_is_read_and_followed
F5 | no operations of fleets | legacy_requests: a_request_to_many_boards_counts_down_to_nothing_whatever_kind_they_are
F6 | no update over the air | rod_actions: what_the_owner_allows_is_done
F7 | UDP is offered and not carried | played: create a service with a long protocol
    | played: create a service with little
F8 | no IPv6 | defects: a_service_is_reached_over_ipv6_too
F9 | agents are chosen by chance | nothing: one process serves all boards; several machines come later
F10 | no quota | nothing: everything has a bound for all; bounds for each project come later
F11 | no audit | operations: operations_are_listed_by_board_state_and_method_and_events_tell_their_story
F12 | no containers | nothing: plugins are processes with limits; containers come later
F13 | no functions | nothing: functions come later
F14 | no delegation | delegations: a_lent_board_is_listed_found_by_name_and_used_as_far_as_the_rights_go
F15 | no screen of requests | pages: an operation waits for a board that is away, is withdrawn, done again, and succeeds
L1 | a refused board leaves its code taken | v1_defects: a_refused_board_leaves_nothing_behind_and_its_code_is_free
L2 | 204 with a body | defects: nothing_follows_a_204_and_the_next_answer_is_read_from_the_same_connection
L3 | a list costs queries for each row | nothing: a matter of speed, not of tests: `docs/benchmarks.md` measures lists
L4 | online before it can be called | legacy: a_board_is_online_only_when_it_can_be_called
L5 | errors in the log of a board without nginx | nothing: upstream's agent's own; ours needs no nginx
L6 | departures delay registrations | enrolment: no_more_machines_enrol_at_one_time_than_the_limit
L7 | any peer calls any board | legacy: a_legacy_board_can_do_nothing_to_others
    | password: a_wrong_password_or_a_foreign_project_ends_the_upstream_client_with_an_error";

/// Names of files in the table.
const FILES: [(&str, &str); 33] = [
    ("rod_native_words", "crates/lightning-rod/tests/component/words.rs"),
    ("commands", "crates/iotronic/tests/boards/commands.rs"),
    ("control", "crates/iotronic/tests/boards/control.rs"),
    ("defects", "crates/iotronic/tests/boards/defects.rs"),
    ("delegations", "crates/iotronic/tests/rest/delegations.rs"),
    ("durability", "crates/store/tests/durability.rs"),
    ("enrolment", "crates/iotronic/tests/boards/enrolment.rs"),
    ("forwarding", "crates/iotronic/tests/boards/forwarding.rs"),
    ("legacy", "crates/iotronic/tests/boards/legacy.rs"),
    ("legacy_plugins", "crates/iotronic/tests/boards/legacy_plugins.rs"),
    ("legacy_requests", "crates/iotronic/tests/boards/legacy_requests.rs"),
    ("legacy_services", "crates/iotronic/tests/boards/legacy_services.rs"),
    ("matrix", "crates/iotronic/tests/rest/matrix.rs"),
    ("operations", "crates/testkit/tests/operations.rs"),
    ("pages", "dashboard/tests/browser/work.browser.ts"),
    ("password", "crates/testkit/tests/upstream_password.rs"),
    ("replay", "crates/testkit/tests/upstream_v1.rs"),
    ("rest_commands", "crates/iotronic/tests/rest/commands.rs"),
    ("rod_actions", "crates/lightning-rod/tests/component/actions.rs"),
    ("rod_backup", "crates/lightning-rod/src/backup/tests.rs"),
    ("rod_commands", "crates/lightning-rod/tests/component/commands.rs"),
    ("rod_page", "crates/lightning-rod/tests/component/upstream/page.rs"),
    ("rod_procedures", "crates/lightning-rod/tests/component/upstream/procedures.rs"),
    ("rod_tls", "crates/lightning-rod/tests/component/upstream/tls.rs"),
    ("rod_words", "crates/lightning-rod/tests/component/upstream/words.rs"),
    ("serve", "crates/testkit/tests/serve.rs"),
    ("session", "crates/iotronic/tests/rest/session.rs"),
    ("shell_words", "crates/iotronic/tests/boards/shell_words.rs"),
    ("streams", "crates/iotronic/tests/rest/streams.rs"),
    ("v1_commands", "crates/iotronic/tests/rest/v1_commands.rs"),
    ("v1_defects", "crates/iotronic/tests/rest/v1_defects.rs"),
    ("v1_errors", "crates/iotronic/tests/rest/v1_errors.rs"),
    ("v1_things", "crates/iotronic/tests/rest/v1_things.rs"),
];

struct Row {
    mark: String,
    upstream: String,
    shown: Vec<(String, String)>,
}

fn shown(text: &str) -> (String, String) {
    let (what, name) = text.split_once(": ").unwrap_or_else(|| panic!("no colon in {text:?}"));
    (what.to_owned(), name.to_owned())
}

fn table() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in TABLE.lines() {
        if let Some(more) = line.trim_start().strip_prefix("| ") {
            rows.last_mut().unwrap().shown.push(shown(more));
            continue;
        }
        let cells: Vec<_> = line.split(" | ").collect();
        let [mark, upstream, first] = cells.try_into().unwrap_or_else(|cells| panic!("{cells:?}"));
        let (mark, upstream) = (mark.to_owned(), upstream.to_owned());
        rows.push(Row { mark, upstream, shown: vec![shown(first)] });
    }
    rows
}

#[test]
fn every_case_of_the_contract_has_exactly_one_row() {
    let mut rows = BTreeMap::<_, u32>::new();
    for row in table() {
        assert!(!row.upstream.is_empty(), "{} says nothing", row.mark);
        *rows.entry(row.mark).or_default() += 1;
    }
    let wanted: BTreeMap<_, u32> = CONTRACT
        .iter()
        .flat_map(|(letter, numbers)| numbers.iter().map(move |n| (format!("{letter}{n}"), 1)))
        .collect();
    assert_eq!(rows, wanted);
}

#[test]
fn what_a_row_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let played: BTreeSet<_> = steps().iter().map(|step| step.name).collect();
    let files = BTreeMap::from(FILES);
    for row in table() {
        for (what, name) in &row.shown {
            let mark = &row.mark;
            match what.as_str() {
                "played" => assert!(played.contains(name.as_str()), "{mark}: no step {name:?}"),
                "nothing" => assert_eq!(row.shown.len(), 1, "{mark} is shown and is not"),
                file => {
                    let path = files.get(file).unwrap_or_else(|| panic!("{mark}: no file {file}"));
                    let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
                    assert!(is_test(&text, name), "{mark}: no test {name:?} in {path}");
                }
            }
        }
    }
}

/// Whether a source has a test of this name: a Rust function that is marked as one, or a journey of the pages.
fn is_test(text: &str, name: &str) -> bool {
    if text.contains(&format!("journey('{name}'")) {
        return true;
    }
    let Some((before, _)) = text.split_once(&format!("fn {name}()")) else { return false };
    let mark = before.rsplit('\n').find(|line| line.trim().starts_with("#["));
    mark.is_some_and(|line| line.contains("test"))
}
