//! The local user as whom shells run: looked up in `/etc/passwd` and `/etc/group`, and judged.
//!
//! Invariant: root only where the settings say so; an agent that is not root opens shells of its own user alone, because it
//! cannot become another. Deliberately not here: users of a directory service, and becoming that user (`launcher`).

use crate::settings;
use model::Kind;
use rpc::Fault;
use std::path::{Path, PathBuf};

/// Shells of accounts that nobody signs in to.
const NO_SHELLS: [&str; 3] = ["nologin", "false", "sync"];

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

impl Account {
    /// The account that the settings name, if it may be used by an agent that runs as `own`.
    pub(crate) fn find(settings: &settings::Terminal, own: u32) -> Result<Self, Fault> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::find_in(settings, own, &read("/etc/passwd"), &read("/etc/group"))
    }

    fn find_in(
        settings: &settings::Terminal,
        own: u32,
        passwd: &str,
        group: &str,
    ) -> Result<Self, Fault> {
        let refused = |text: String| Err(Fault::new(Kind::Forbidden, text));
        let Some(name) = settings.user.as_deref() else {
            return refused(
                "this board's owner allows no terminals; set terminal.user in its settings".into(),
            );
        };
        let Some(mut account) = passwd.lines().find_map(|line| parse(line, name)) else {
            return refused(format!(
                "this board has no user {name:?}; set terminal.user to one that it has"
            ));
        };
        if account.uid == 0 && !settings.allow_root {
            return refused(format!(
                "{name} is root on this board; set terminal.user to another user, or terminal.allow_root = true"
            ));
        }
        if own != 0 && account.uid != own {
            return refused(format!(
                "this board's agent is not root and cannot become {name}; run it as {name} or as root"
            ));
        }
        if let Some(shell) = &settings.shell {
            account.shell.clone_from(shell);
        } else if is_no_shell(&account.shell) {
            let shell = account.shell.display();
            return refused(format!(
                "{name} has the shell {shell} on this board, which is none; set terminal.shell"
            ));
        }
        account.groups = groups(group, name, account.gid);
        Ok(account)
    }
}

fn parse(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let mut next = || fields.next();
    let (found, _, uid, gid) = (next()?, next()?, next()?, next()?);
    let (_, home, shell) = (next()?, next()?, next()?);
    if found != name {
        return None;
    }
    let shell = if shell.is_empty() { "/bin/sh" } else { shell };
    Some(Account {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        groups: Vec::new(),
        home: home.into(),
        shell: shell.into(),
    })
}

/// The user's own group, and those that list the user.
fn groups(group: &str, name: &str, own: u32) -> Vec<u32> {
    let listed = group.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let (gid, members) = (fields.next()?.parse::<u32>().ok()?, fields.next()?);
        members.split(',').any(|member| member == name).then_some(gid)
    });
    let mut groups: Vec<u32> = listed.chain([own]).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn is_no_shell(shell: &Path) -> bool {
    let name = shell.file_name().unwrap_or_default();
    NO_SHELLS.iter().any(|none| name == *none)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# a remark\nbroken:x\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n\
        daemon:x:2:2::/:/usr/sbin/nologin\nold:x:1001:100::/home/old:\n";
    const GROUP: &str =
        "root:x:0:\ndialout:x:20:old,pi\ngpio:x:997:pi\npiano:x:50:pip\nnonsense\nusers:x:100:\n";

    fn find(
        user: &str,
        own: u32,
        change: impl Fn(&mut settings::Terminal),
    ) -> Result<Account, Fault> {
        let mut settings = settings::Terminal { user: Some(user.to_owned()), ..Default::default() };
        change(&mut settings);
        Account::find_in(&settings, own, PASSWD, GROUP)
    }

    #[test]
    fn a_user_comes_with_all_groups_and_a_shell() {
        let pi = find("pi", 0, |_| {}).unwrap();
        assert_eq!((pi.uid, pi.gid, pi.groups), (1000, 1000, vec![20, 997, 1000]));
        assert_eq!((pi.home, pi.shell), ("/home/pi".into(), "/bin/bash".into()));
        assert_eq!(find("pi", 1000, |_| {}).unwrap().uid, 1000);
        assert_eq!(find("old", 0, |_| {}).unwrap().shell, Path::new("/bin/sh"));
        let given = find("daemon", 0, |settings| settings.shell = Some("/bin/dash".into()));
        assert_eq!(given.unwrap().shell, Path::new("/bin/dash"));
    }

    #[test]
    fn whom_it_may_not_be_is_refused_with_a_cure() {
        let none = settings::Terminal::default();
        let fault = Account::find_in(&none, 0, PASSWD, GROUP).unwrap_err();
        assert!(fault.message.contains("set terminal.user"), "{fault}");
        for (user, own, cure) in [
            ("nobody-here", 0, "set terminal.user to one"),
            ("broken", 0, "set terminal.user to one"),
            ("root", 0, "terminal.allow_root"),
            ("pi", 1001, "run it as pi"),
            ("daemon", 0, "set terminal.shell"),
        ] {
            let fault = find(user, own, |_| {}).unwrap_err();
            assert_eq!(fault.kind, Kind::Forbidden);
            assert!(fault.message.contains(cure), "{fault}");
        }
        assert_eq!(find("root", 0, |settings| settings.allow_root = true).unwrap().uid, 0);
    }
}
