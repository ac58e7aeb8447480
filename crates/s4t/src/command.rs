//! The command line as a whole: global options, and the nouns.

use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::session::{Session, Source};
use crate::{
    audit, board, booking, claim, contribution, copy, delegation, event, fleet, forward, login,
    operation, plugin, project, quota, recording, right, service, terminal, transfer,
};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::io::Write as _;

/// Operates a Stack4Things cloud: boards, plugins, services, fleets.
#[derive(Parser)]
#[command(name = "s4t", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Line {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    style: Style,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Sign in and remember it.
    Login(login::Login),
    /// Forget a remembered sign-in.
    Logout,
    /// Show who one is signed in as.
    Whoami,
    /// Boards: devices that are part of the cloud.
    #[command(subcommand)]
    Board(board::Command),
    /// Claims: rights to enrol boards.
    #[command(subcommand)]
    Claim(claim::Command),
    /// Plugins: code that runs on boards.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Services: what listens on boards.
    #[command(subcommand)]
    Service(service::Command),
    /// Fleets: named sets of boards.
    #[command(subcommand)]
    Fleet(fleet::Command),
    /// Delegations: what others may do with one's boards, and until when.
    #[command(subcommand)]
    Delegation(delegation::Command),
    /// Transfers: boards that are offered to another project.
    #[command(subcommand)]
    Transfer(transfer::Command),
    /// Rights: what a board lets one do without its cloud, for minutes.
    #[command(subcommand)]
    Right(right::Command),
    /// Contributions: in which hours a board is lent, how much of it, and to whom without asking.
    #[command(subcommand)]
    Contribution(contribution::Command),
    /// Bookings: boards for oneself and for a time, out of what their owners offer.
    #[command(subcommand)]
    Booking(booking::Command),
    /// Open a terminal on a board, or run a command there.
    Ssh(terminal::Ssh),
    /// Run one program on a board, with exactly these arguments.
    Exec(terminal::Exec),
    /// Copy files to a board or from it.
    Cp(copy::Cp),
    /// Reach ports of a board from here, without public ports.
    Forward(forward::Forward),
    /// Projects: who owns what, and whether upstream boards may be among it.
    #[command(subcommand)]
    Project(project::Command),
    /// Quotas: how much a project has and may have.
    #[command(subcommand)]
    Quota(quota::Command),
    /// Recordings of terminals: whose are recorded, and what was shown.
    #[command(subcommand)]
    Recording(recording::Command),
    /// Operations: what was asked of boards.
    #[command(subcommand)]
    Operation(operation::Command),
    /// Audit: who changed rights, commanded boards and reached their services.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Events: everything that changed.
    Events(event::Events),
    /// Print the completion script of a shell.
    Completion(Completion),
}

#[derive(Args)]
struct Completion {
    /// bash, zsh, fish, elvish or powershell.
    shell: clap_complete::Shell,
}

impl Line {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut out = Output::new(self.style);
        match self.noun {
            Noun::Completion(completion) => return complete(&completion),
            Noun::Login(login) => return login.run(&self.source),
            Noun::Logout => return login::logout(),
            Noun::Right(right::Command::Narrow(narrowing)) => return narrowing.run(&mut out),
            Noun::Right(right::Command::Show { right }) => return right::show(&mut out, &right),
            Noun::Audit(audit::Command::Verify(verify)) if verify.is_offline() => {
                return verify.run(None, &mut out);
            }
            _ => {}
        }
        let session = Session::open(&self.source)?;
        match self.noun {
            Noun::Whoami => login::whoami(&session, &mut out),
            Noun::Board(command) => command.run(&session, &mut out),
            Noun::Claim(command) => command.run(&session, &mut out),
            Noun::Plugin(command) => command.run(&session, &mut out),
            Noun::Service(command) => command.run(&session, &mut out),
            Noun::Fleet(command) => command.run(&session, &mut out),
            Noun::Delegation(command) => command.run(&session, &mut out),
            Noun::Transfer(command) => command.run(&session, &mut out),
            Noun::Right(command) => command.run(&session, &mut out),
            Noun::Contribution(command) => command.run(&session, &mut out),
            Noun::Booking(command) => command.run(&session, &mut out),
            Noun::Ssh(ssh) => ssh.run(&session),
            Noun::Exec(exec) => exec.run(&session),
            Noun::Cp(cp) => cp.run(&session),
            Noun::Forward(forward) => forward.run(session),
            Noun::Project(command) => command.run(&session, &mut out),
            Noun::Quota(command) => command.run(&session, &mut out),
            Noun::Recording(command) => command.run(&session, &mut out),
            Noun::Operation(command) => command.run(&session, &mut out),
            Noun::Audit(command) => command.run(&session, &mut out),
            Noun::Events(events) => events.run(&session, &mut out),
            Noun::Completion(_) | Noun::Login(_) | Noun::Logout => Ok(()),
        }
    }
}

fn complete(completion: &Completion) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completion.shell, &mut Line::command(), "s4t", &mut script);
    std::io::stdout().write_all(&script).map_err(Failure::output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }
}
