//! Connected clients: who is at a session right now, at most so many at once.
//!
//! A client is a place that a process holds: a dashboard, a socket of a server, an embedded agent at work. The place is a
//! lease that lives while its process beats, so that a killed process gives its places back by itself; closing the hub
//! gives them back at once. Places are counters beside the log, like beats: connecting is no event. Taking part in a
//! session needs no client.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Session, SessionError, access};
use crate::error::{Error, Result};
use crate::hub::{Check, Scope};
use crate::id;
use crate::leases::Lease;
use crate::operations::Compose;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Input of `session.connect`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The session.
    pub session_id: String,
    /// What the client is called in this session; a new id when left out. Connecting again under the same name keeps
    /// the same place.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The participant that is at it; nobody in particular when left out.
    #[serde(default)]
    pub agent_id: Option<String>,
}

/// Answer of `session.connect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// The client.
    pub client_id: String,
    /// The session.
    pub session_id: String,
    /// The participant that is at it.
    pub agent_id: Option<String>,
    /// How many clients are connected now, this one counted.
    pub clients: u64,
    /// The most that may be.
    pub max_clients: u64,
}

/// Input of `session.disconnect`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// The session.
    pub session_id: String,
    /// The client.
    pub client_id: String,
}

/// Answer of `session.disconnect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnected {
    /// The client.
    pub client_id: String,
    /// The session.
    pub session_id: String,
    /// Whether it was connected.
    pub was_connected: bool,
    /// How many clients are connected now.
    pub clients: u64,
}

/// A connected client as the tables have it.
struct Client {
    client_id: String,
    agent_id: Option<String>,
    lease: Lease,
}

const CLIENTS: &str =
    "SELECT c.session_id, c.client_id, c.agent_id, c.token, ifnull(h.renewals, 0) FROM client c
    LEFT JOIN holder h ON h.holder = c.holder";

fn client(row: &Row<'_>, ttl: Duration) -> rusqlite::Result<Client> {
    let (session_id, client_id): (String, String) = (row.get(0)?, row.get(1)?);
    // A name holds no tab.
    let entity = format!("client:{session_id}\t{client_id}");
    let lease = Lease { entity, token: row.get::<_, i64>(3)? as u64, count: row.get(4)?, ttl };
    Ok(Client { client_id, agent_id: row.get(2)?, lease })
}

fn ttl(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The clients of a session whose places have not lapsed, by what this process has seen.
fn connected(cx: &Decide<'_>, session_id: &str) -> Result<Vec<Client>> {
    let ttl = ttl(cx.config.presence_ttl_seconds);
    let mut statement = cx.db.prepare_cached(&format!("{CLIENTS} WHERE c.session_id = ?1"))?;
    let rows = statement.query_map([session_id], |row| client(row, ttl))?;
    let mut clients = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    clients.retain(|client| !cx.leases.left(&client.lease, cx.boot).is_zero());
    Ok(clients)
}

/// How many clients are connected to a session.
pub(crate) fn count(db: &Connection, session_id: &str) -> Result<u64> {
    let count: i64 =
        super::tables::value(db, "SELECT count(*) FROM client WHERE session_id = ?1", [session_id])?;
    Ok(count as u64)
}

/// The leases of all who are connected.
pub(crate) fn leases(db: &Connection, seconds: f64) -> Result<Vec<Lease>> {
    let mut statement = db.prepare_cached(CLIENTS)?;
    let rows = statement.query_map([], |row| client(row, ttl(seconds)))?;
    rows.map(|client| Ok(client?.lease)).collect()
}

/// `session.connect` itself; the call around it has this process beat.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Take(Connect);

impl Change for Take {
    type Output = Connected;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Connected> {
        let Connect { session_id, client_id, agent_id } = &self.0;
        let (session, by) =
            access::within(cx, session_id, agent_id.as_deref(), "nobody can connect to it any more")?;
        let agent_id = agent_id.as_deref().or(by.agent_id());
        if let Some(agent_id) = agent_id {
            access::participant(&session, "agent_id", agent_id)?;
        }
        let client_id = cx.id_or_new("client_id", client_id.as_deref())?;
        let others = self.others(cx, &session, &client_id, agent_id)?;
        if others >= session.max_clients {
            let name = format!("clients connected to session {session_id:?}");
            return Err(Error::limit(&name, session.max_clients, others + 1)
                .with("limit_name", "max_clients")
                .with("session_id", session_id.as_str())
                .hint("wait until one disconnects (session.disconnect); what is said can be read without a client"));
        }
        let token = cx.below(1 << 52);
        cx.db
            .prepare_cached("INSERT OR REPLACE INTO client VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![session_id, client_id, agent_id, cx.holder, token as i64])?;
        Ok(Connected {
            client_id,
            session_id: session_id.clone(),
            agent_id: agent_id.map(str::to_owned),
            clients: others + 1,
            max_clients: session.max_clients,
        })
    }
}

impl Take {
    /// How many others are connected; refuses a name that another agent has.
    fn others(
        &self,
        cx: &Decide<'_>,
        session: &Session,
        client_id: &str,
        agent_id: Option<&str>,
    ) -> Result<u64> {
        let clients = connected(cx, &session.session_id)?;
        let own = clients.iter().find(|client| client.client_id == client_id);
        if own.is_some_and(|own| own.agent_id.as_deref() != agent_id) {
            return Err(Error::already_exists("client", client_id)
                .with("field", "client_id")
                .hint("another agent is connected under this name: leave client_id out, or choose another"));
        }
        Ok(clients.len() as u64 - u64::from(own.is_some()))
    }
}

impl Compose for Connect {
    type Output = Connected;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Connected> {
        let core = scope.core;
        // Beats first: a place must not lapse because the first beat comes late.
        core.keeper.hold_places(core)?;
        core.change(scope.op.name, Class::Shared, scope.by, Take(self))
    }
}

impl Change for Disconnect {
    type Output = Disconnected;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Disconnected> {
        id::check_name("client_id", &self.client_id)?;
        access::known(cx.db, &self.session_id)?;
        let place = [&self.session_id, &self.client_id];
        let of: Option<Option<String>> = cx
            .db
            .prepare_cached("SELECT agent_id FROM client WHERE session_id = ?1 AND client_id = ?2")?
            .query_row(place, |row| row.get(0))
            .optional()?;
        if let (Some(of), Some(agent_id)) = (&of, cx.by.agent_id())
            && of.as_deref() != Some(agent_id)
        {
            let error = SessionError::Rule {
                rule: "clients".to_owned(),
                session_id: self.session_id.clone(),
                why: format!("client {:?} is not of agent {agent_id:?}", self.client_id),
            };
            return Err(Error::from(error).with("field", "client_id"));
        }
        cx.db
            .prepare_cached("DELETE FROM client WHERE session_id = ?1 AND client_id = ?2")?
            .execute(place)?;
        Ok(Disconnected {
            client_id: self.client_id.clone(),
            session_id: self.session_id.clone(),
            was_connected: of.is_some(),
            clients: count(cx.db, &self.session_id)?,
        })
    }
}

/// Gives a place back whose process was not heard of for its time, if it still was not. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Lapse {
    pub session_id: String,
    pub client_id: String,
    pub token: u64,
    /// The counter that was seen standing.
    pub count: i64,
}

impl Change for Lapse {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let gone = cx
            .db
            .prepare_cached(
                "DELETE FROM client WHERE session_id = ?1 AND client_id = ?2 AND token = ?3
                 AND ifnull((SELECT h.renewals FROM holder h WHERE h.holder = client.holder), 0) = ?4",
            )?
            .execute(params![self.session_id, self.client_id, self.token as i64, self.count])?;
        Ok(gone > 0)
    }
}

/// Gives back all places of a process that is closing its hub.
pub(crate) fn let_go(db: &Connection, holder: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM client WHERE holder = ?1")?.execute([holder])?;
    Ok(())
}
