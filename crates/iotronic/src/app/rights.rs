//! Rights that a board honours without its cloud: given to whoever may do the same through the cloud, for minutes.
//!
//! Invariant: the epoch that a right carries was read before it was asked whether its holder may have it; so one that rests
//! on something revoked in between is of an epoch that is over, and the board refuses it; and it outlives no delegation that
//! it rests on.

use crate::app::access::{Basis, Caller};
use crate::app::{Error, boards, plugins};
use crate::cloud::Cloud;
use api::rights::{MAX_LIFE_S, New, Right as Shown};
use model::{Invalid, Kind, Timestamp};
use rpc::Method;
use rpc::right::{Act, Acts, Grant, MAX_HOLDER, MAX_HOPS, Right, Thing};
use serde_json::json;
use std::time::Duration;
use store::audit::Entry;
use store::boards::BoardRow;

const SECOND: i64 = 1_000_000;

/// Gives a right out.
///
/// # Errors
/// There is no such board or plugin, the caller may not do that itself, or the board honours no rights.
pub async fn issue(cloud: &Cloud, caller: &Caller, ident: &str, new: New) -> Result<Shown, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    let (acts, life, depth) = read(&new)?;
    check(&board)?;
    let now = cloud.now().micros();
    let issued_at = Timestamp::from_micros(now.saturating_sub(now.rem_euclid(SECOND)));
    let mut life = life;
    for act in acts.iter() {
        let asker = caller.clone().about(act.action());
        // What rests on a delegation ends with it.
        let basis = boards::basis(
            &cloud.store,
            &asker,
            (board.id, &board.project, None),
            "board",
            cloud.now(),
        );
        if let Basis::Delegation(_, end) = basis.await? {
            life = life.min(issued_at.until(end));
        }
    }
    let thing = match &new.plugin {
        None => Thing::Board,
        Some(plugin) => {
            Thing::Plugin(plugins::for_board(cloud, caller, &board, plugin).await?.0.id)
        }
    };
    let grant = Grant {
        board: board.id,
        holder: holder(caller),
        issued_at,
        life,
        epoch: board.rights_epoch,
        depth,
        acts,
        thing,
    };
    tell(cloud, caller, &board, &grant).await?;
    let right = Right::issue(&cloud.key, &grant);
    tracing::info!(board = %board.id, holder = grant.holder, ?acts, depth, "gave a right out");
    Ok(Shown {
        right: right.to_string(),
        board: board.id,
        acts: acts.iter().map(|act| act.word().to_owned()).collect(),
        plugin: match thing {
            Thing::Board => None,
            Thing::Plugin(plugin) => Some(plugin),
        },
        until: issued_at.after(Duration::from_secs(life.as_secs())),
        depth,
    })
}

/// Written before it is given out: what the board does with it, the cloud may never hear.
async fn tell(
    cloud: &Cloud,
    caller: &Caller,
    board: &BoardRow,
    grant: &Grant,
) -> Result<(), Error> {
    let acts: Vec<&str> = grant.acts.iter().map(Act::word).collect();
    let plugin = match grant.thing {
        Thing::Board => None,
        Thing::Plugin(plugin) => Some(plugin),
    };
    let detail = json!({
        "acts": acts, "plugin": plugin, "life_s": grant.life.as_secs(), "depth": grant.depth, "epoch": grant.epoch,
    });
    let entry = Entry::new("right:issue", "board", board.id).of(&board.project).with(detail);
    let entry = entry.or_by(Some(&caller.principal().user));
    Ok(cloud.store.write(move |tx| Box::pin(tx.audit(entry))).await?)
}

fn read(new: &New) -> Result<(Acts, Duration, u8), Invalid> {
    if new.acts.is_empty() {
        return Err(Invalid::new("acts are empty; name at least one of status, logs, call"));
    }
    let acts = new.acts.iter().map(|word| word.parse::<Act>()).collect::<Result<Acts, _>>()?;
    let life = new.life_s.unwrap_or(MAX_LIFE_S);
    if !(1..=MAX_LIFE_S).contains(&life) {
        return Err(Invalid::new(format!("life_s {life} is not 1 to {MAX_LIFE_S}")));
    }
    let depth = new.depth.unwrap_or(0);
    if usize::from(depth) > MAX_HOPS {
        return Err(Invalid::new(format!("depth {depth} is not 0 to {MAX_HOPS}")));
    }
    Ok((acts, Duration::from_secs(life.into()), depth))
}

fn check(board: &BoardRow) -> Result<(), Error> {
    if board.parked.is_some() {
        let text = "the board is parked until somebody decides which machine it is";
        return Err(Error::new(Kind::Conflict, text));
    }
    let word = Method::RightsEpoch.word();
    if board.legacy || !board.capabilities.iter().any(|capability| capability == word) {
        let text = "the board's agent honours no rights; update it";
        return Err(Error::new(Kind::Conflict, text));
    }
    Ok(())
}

/// Who is named in the board's log.
fn holder(caller: &Caller) -> String {
    let user = caller.principal().user.as_str();
    user.chars()
        .scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= MAX_HOLDER).then_some(c)
        })
        .collect()
}
