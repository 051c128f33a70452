//! The table of operations: declared once, for every face.
//!
//! A row says how an operation is called, what its input is (the type carries fields, docs and limits), how it is
//! acknowledged, who may call it, where it stands in REST, which errors it may answer beside the common ones, and what
//! it does, in one sentence. Python, Node, REST, the reference pages and the parity table are generated from here.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::core::Core;
use crate::error::{Code, Error, Result};
use crate::hub::{Check, Operate, Scope};
use crate::input::read_input;
use crate::pipeline::command::{Change, Class, Command, Pending, Query, to_json};
use crate::principal::Principal;
use crate::sessions::{self, channels};
use crate::{activity, agents, events, memory, messages, tasks};

/// Errors that any operation may answer.
pub const COMMON_ERRORS: &[Code] =
    &[Code::InvalidInput, Code::LimitExceeded, Code::Unavailable, Code::Storage, Code::Internal];

/// One row of the table.
pub struct Operation {
    /// `noun.verb`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// How it is acknowledged.
    pub class: Class,
    /// The scope a token needs, as `area:read`, `area:write` or `area:admin`.
    pub scope: &'static str,
    /// Method and path under `/api/v1`.
    pub route: &'static str,
    /// Whether it is shown to models as a tool.
    pub mcp: bool,
    /// Errors beside [`COMMON_ERRORS`].
    pub errors: &'static [Code],
    /// The JSON Schema of its input.
    pub input_schema: fn() -> Schema,
    /// The JSON Schema of its answer.
    pub output_schema: fn() -> Schema,
    pub(crate) run: Run,
    /// Refuses what has not the form of its input.
    pub(crate) check: fn(&[u8]) -> Result<()>,
}

impl Operation {
    /// The noun: `task` of `task.claim`.
    pub fn noun(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(noun, _)| noun)
    }

    /// The verb: `claim` of `task.claim`.
    pub fn verb(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(_, verb)| verb)
    }

    /// Whether it may wait for something to happen.
    pub fn may_wait(&self) -> bool {
        matches!(self.run, Run::Compose(_))
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What runs without the queue: from input to answer, both as JSON.
pub(crate) type Direct = fn(&Arc<Core>, &Principal, &[u8]) -> Result<Vec<u8>>;

/// How a row runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Through the pipeline.
    Change(fn(&[u8]) -> Result<Box<dyn Command>>),
    /// Straight from the tables.
    Query(Direct),
    /// Made of other operations and waits.
    Compose(fn(&Scope<'_>, &[u8], &mut Check<'_>) -> Result<Vec<u8>>),
    /// Taken into memory at once.
    Relaxed(Direct),
}

/// An operation made of others, which may wait.
pub trait Compose:
    serde::de::DeserializeOwned + serde::Serialize + schemars::JsonSchema + Send + 'static
{
    /// What it answers.
    type Output: serde::Serialize + serde::de::DeserializeOwned + schemars::JsonSchema + Send + 'static;

    /// Runs it; asks `check` while it waits.
    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Self::Output>;
}

/// A relaxed operation: checked and taken into memory at once.
pub trait Relax:
    serde::de::DeserializeOwned + serde::Serialize + schemars::JsonSchema + Send + 'static
{
    /// What it answers.
    type Output: serde::Serialize + serde::de::DeserializeOwned + schemars::JsonSchema + Send + 'static;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn relax(self, core: &Arc<Core>, by: &Principal) -> Result<Self::Output>;
}

fn check_input<T: serde::de::DeserializeOwned>(input: &[u8]) -> Result<()> {
    read_input::<T>(input).map(drop)
}

fn parse_change<C: Change>(input: &[u8]) -> Result<Box<dyn Command>> {
    Ok(Box::new(Pending::for_json(read_input::<C>(input)?)))
}

fn run_query<Q: Query>(core: &Arc<Core>, by: &Principal, input: &[u8]) -> Result<Vec<u8>> {
    let query: Q = read_input(input)?;
    to_json(&core.storage.read(|reader| query.read(reader, by))?)
}

fn run_compose<C: Compose>(scope: &Scope<'_>, input: &[u8], check: &mut Check<'_>) -> Result<Vec<u8>> {
    to_json(&read_input::<C>(input)?.compose(scope, check)?)
}

fn run_relaxed<R: Relax>(core: &Arc<Core>, by: &Principal, input: &[u8]) -> Result<Vec<u8>> {
    to_json(&read_input::<R>(input)?.relax(core, by)?)
}

fn schema<T: schemars::JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

macro_rules! run_of {
    (change, $input:ty) => {
        Run::Change(parse_change::<$input>)
    };
    (query, $input:ty) => {
        Run::Query(run_query::<$input>)
    };
    (compose, $input:ty) => {
        Run::Compose(run_compose::<$input>)
    };
    (relaxed, $input:ty) => {
        Run::Relaxed(run_relaxed::<$input>)
    };
}

macro_rules! output_of {
    (change, $input:ty) => {
        <$input as Change>::Output
    };
    (query, $input:ty) => {
        <$input as Query>::Output
    };
    (compose, $input:ty) => {
        <$input as Compose>::Output
    };
    (relaxed, $input:ty) => {
        <$input as Relax>::Output
    };
}

macro_rules! operate {
    (change, $name:literal, $class:ident, $self:ident, $core:ident, $by:ident, $check:ident) => {
        $core.change($name, Class::$class, $by, $self)
    };
    (query, $name:literal, $class:ident, $self:ident, $core:ident, $by:ident, $check:ident) => {
        $core.storage.read(|reader| $self.read(reader, $by))
    };
    (compose, $name:literal, $class:ident, $self:ident, $core:ident, $by:ident, $check:ident) => {
        $self.compose(&Scope { core: $core, by: $by, op: find($name)? }, $check)
    };
    (relaxed, $name:literal, $class:ident, $self:ident, $core:ident, $by:ident, $check:ident) => {
        $self.relax($core, $by)
    };
}

macro_rules! operations {
    ($( #[doc = $doc:literal] $form:ident $class:ident $name:literal($input:ty)
        $scope:literal $route:literal $(mcp $mcp:literal)? [$($error:ident),*] )*) => {
        /// Every operation, by noun.
        pub static OPERATIONS: &[Operation] = &[$(
            Operation {
                name: $name,
                doc: $doc.trim_ascii(),
                class: Class::$class,
                scope: $scope,
                route: $route,
                mcp: false $(|| $mcp)?,
                errors: &[$(Code::$error),*],
                input_schema: schema::<$input>,
                output_schema: schema::<output_of!($form, $input)>,
                run: run_of!($form, $input),
                check: check_input::<$input>,
            },
        )*];
        $(
            impl Operate for $input {
                const NAME: &'static str = $name;
                type Output = output_of!($form, $input);

                #[allow(private_interfaces, unused_variables)]
                fn operate(self, core: &Arc<Core>, by: &Principal, check: &mut Check<'_>) -> Result<Self::Output> {
                    operate!($form, $name, $class, self, core, by, check)
                }
            }
        )*
    };
}

operations! {
    /// Registers an agent, or updates it when it is known, and marks it present.
    change Durable "agent.register"(agents::Register) "agents:write" "POST /agents/register" mcp true [NotAllowed]
    /// Lists agents with their presence.
    query Read "agent.list"(agents::List) "agents:read" "GET /agents" mcp true []
    /// Gets one agent with its presence.
    query Read "agent.get"(agents::Get) "agents:read" "GET /agents/{agent_id}" [NotFound]
    /// Sets an agent's status.
    compose Durable "agent.set_status"(agents::SetStatus) "agents:write" "PUT /agents/{agent_id}/status" [NotFound, NotAllowed]
    /// Shows that an agent is alive: renews its presence and the leases of its tasks.
    change Shared "agent.heartbeat"(agents::Heartbeat) "agents:write" "POST /agents/{agent_id}/heartbeat" [NotFound, NotAllowed]
    /// Takes an agent offline; what it holds lapses with its leases.
    compose Durable "agent.leave"(agents::Leave) "agents:write" "POST /agents/{agent_id}/leave" [NotFound, NotAllowed]

    /// Takes what an agent has just done: moves its counters, status and times. Returns at once.
    relaxed Relaxed "presence.update"(agents::UpdatePresence) "agents:write" "POST /presence/{agent_id}" [NotFound, NotAllowed]
    /// Lists the presence of every agent.
    compose Read "presence.list"(agents::ListPresence) "agents:read" "GET /presence" []
    /// Gets the presence of one agent.
    compose Read "presence.get"(agents::GetPresence) "agents:read" "GET /presence/{agent_id}" [NotFound]

    /// Makes a task.
    change Durable "task.create"(tasks::Create) "tasks:write" "POST /tasks" mcp true [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Makes several tasks together: all of them, or none.
    change Durable "task.create_many"(tasks::CreateMany) "tasks:write" "POST /tasks/create_many" [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Gets one task.
    query Read "task.get"(tasks::Get) "tasks:read" "GET /tasks/{task_id}" mcp true [NotFound]
    /// Lists tasks, newest first.
    query Read "task.list"(tasks::List) "tasks:read" "GET /tasks" mcp true []
    /// Shows tasks in columns by status.
    query Read "task.board"(tasks::Board) "tasks:read" "GET /tasks_board" mcp true []
    /// Shows who held a task when, and what it logged.
    query Read "task.history"(tasks::History) "tasks:read" "GET /tasks/{task_id}/history" [NotFound]
    /// Claims the best task that an agent can do, or one by id; waits for one when asked to. Null when there is none.
    compose Durable "task.claim"(tasks::Claim) "tasks:write" "POST /tasks/claim" mcp true [NotFound, Conflict, NotAllowed]
    /// Claims several of the best tasks that an agent can do.
    change Durable "task.claim_many"(tasks::ClaimMany) "tasks:write" "POST /tasks/claim_many" [NotFound, NotAllowed]
    /// Shows that a claimed task is still worked on.
    change Shared "task.renew"(tasks::Renew) "tasks:write" "POST /tasks/{task_id}/renew" [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Reports progress, a phase or a line of log; renews the lease.
    change Durable "task.progress"(tasks::Progress) "tasks:write" "POST /tasks/{task_id}/progress" mcp true [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Completes a task with its result.
    change Durable "task.complete"(tasks::Complete) "tasks:write" "POST /tasks/{task_id}/complete" mcp true [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Completes several tasks that an agent holds: all of them, or none.
    change Durable "task.complete_many"(tasks::CompleteMany) "tasks:write" "POST /tasks/complete_many" [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Ends an attempt with an error; the task is tried again while attempts are left, unless told not to.
    change Durable "task.fail"(tasks::Fail) "tasks:write" "POST /tasks/{task_id}/fail" mcp true [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Gives a claimed task back; the attempt does not count.
    change Durable "task.release"(tasks::Release) "tasks:write" "POST /tasks/{task_id}/release" mcp true [NotFound, LeaseLost, Conflict, NotAllowed]
    /// Calls a task off, with its parts.
    change Durable "task.cancel"(tasks::Cancel) "tasks:write" "POST /tasks/{task_id}/cancel" [NotFound, Conflict, NotAllowed]
    /// Reserves a task for an agent, lets the engine choose one (`auto`), or takes the reservation away.
    change Durable "task.assign"(tasks::Assign) "tasks:write" "POST /tasks/{task_id}/assign" [NotFound, Conflict, NotAllowed]
    /// Changes what a task asks for, while nobody holds it.
    change Durable "task.update"(tasks::Update) "tasks:write" "PUT /tasks/{task_id}" [NotFound, Conflict, NotAllowed]
    /// Moves work that nobody has begun from agents with more than their load, or offline, to those with room.
    change Durable "task.rebalance"(tasks::Rebalance) "tasks:write" "POST /tasks/rebalance" []
    /// Waits for a task to end.
    compose Read "task.wait"(tasks::Wait) "tasks:read" "GET /tasks/{task_id}/wait" [NotFound]

    /// Sets a key to a value, as its next version.
    change Durable "memory.set"(memory::Set) "memory:write" "PUT /memory/{key}" mcp true [Conflict, NotAllowed]
    /// Gets a key's newest value, or one of its versions.
    compose Read "memory.get"(memory::Get) "memory:read" "GET /memory/{key}" mcp true [NotFound, NotAllowed]
    /// Gets many keys at once; those that are not there come back as null.
    query Read "memory.get_many"(memory::GetMany) "memory:read" "POST /memory/get_many" [NotAllowed]
    /// Changes several keys together: all of them, or none.
    change Durable "memory.set_many"(memory::SetMany) "memory:write" "POST /memory/set_many" [Conflict, NotAllowed]
    /// Deletes a key; its history stays readable.
    change Durable "memory.delete"(memory::Delete) "memory:write" "DELETE /memory/{key}" [NotFound, Conflict, NotAllowed]
    /// Lists keys with their newest values, by prefix.
    query Read "memory.list"(memory::List) "memory:read" "GET /memory" mcp true []
    /// Lists the versions of a key, newest first.
    query Read "memory.history"(memory::History) "memory:read" "GET /memory/{key}?history" [NotFound, NotAllowed]
    /// Shows what changed between two versions of a key, as a JSON patch.
    query Read "memory.diff"(memory::Diff) "memory:read" "GET /memory/{key}?diff" [NotFound, NotAllowed]
    /// Finds keys by words in the key or its value.
    compose Read "memory.search"(memory::Search) "memory:read" "GET /memory?search" mcp true []
    /// Changes parts of a value by JSON merge patch.
    change Durable "memory.patch"(memory::Patch) "memory:write" "PATCH /memory/{key}" [NotFound, Conflict, NotAllowed]
    /// Adds to a number; a key that is not there counts as 0.
    change Durable "memory.increment"(memory::Increment) "memory:write" "POST /memory/{key}/increment" [Conflict, NotAllowed]
    /// Says who may read and write the keys under a prefix.
    change Durable "memory.set_access"(memory::SetAccess) "memory:admin" "PUT /memory_access" [NotAllowed]
    /// Records a change of something remembered elsewhere.
    change Durable "memory.record_update"(memory::RecordUpdate) "memory:write" "POST /memory_updates" [NotAllowed]

    /// Sends a message to agents, to a session or to all.
    change Durable "message.send"(messages::Send) "messages:write" "POST /messages" mcp true [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Gets one message.
    query Read "message.get"(messages::Get) "messages:read" "GET /messages/{message_id}" [NotFound]
    /// Lists messages by any field, newest first.
    query Read "message.list"(messages::List) "messages:read" "GET /messages" mcp true []
    /// Reads an agent's inbox, unread first; waits for a message when asked to.
    compose Read "message.inbox"(messages::Inbox) "messages:read" "GET /agents/{agent_id}/inbox" mcp true [NotFound, NotAllowed]
    /// Marks messages as read by an agent.
    change Shared "message.mark_read"(messages::MarkRead) "messages:write" "POST /messages/mark_read" mcp true [NotFound, NotAllowed]
    /// Acknowledges a message, as one of those it is for.
    change Durable "message.ack"(messages::Acknowledge) "messages:write" "POST /messages/{message_id}/ack" mcp true [NotFound, NotAllowed]
    /// Asks a question and waits for its answer.
    compose Durable "message.ask"(messages::Ask) "messages:write" "POST /messages/ask" mcp true [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Reacts to a message with an emoji or a word.
    change Durable "message.react"(messages::React) "messages:write" "POST /messages/{message_id}/reactions" [NotFound, Conflict, NotAllowed]
    /// Takes a reaction back.
    change Durable "message.unreact"(messages::Unreact) "messages:write" "DELETE /messages/{message_id}/reactions" [NotFound, NotAllowed]
    /// Changes the content of a message; the log keeps what it was.
    change Durable "message.edit"(messages::Edit) "messages:write" "PATCH /messages/{message_id}" [NotFound, Conflict, NotAllowed]
    /// Takes the content of a message back; the log keeps that it happened.
    change Durable "message.redact"(messages::Redact) "messages:write" "DELETE /messages/{message_id}" [NotFound, NotAllowed]
    /// Finds messages by words in their content.
    compose Read "message.search"(messages::Search) "messages:read" "GET /messages/search" mcp true []
    /// Counts messages by type, agent and time, and says how fast questions are answered.
    query Read "message.stats"(messages::Stats) "messages:read" "GET /messages/stats" []
    /// Gets the newest messages of a thread, in order.
    query Read "thread.get"(messages::GetThread) "messages:read" "GET /threads/{thread_id}" mcp true [NotFound]
    /// Condenses a thread or a session: a digest taken out of its messages, with the summary of a plugged-in summarizer.
    compose Read "thread.summarize"(messages::Summarize) "messages:read" "POST /threads/summarize" mcp true [NotFound]

    /// Records what an agent does; it stays open until it is completed.
    change Durable "activity.record"(activity::Record) "activities:write" "POST /collaboration/record-activity" mcp true [AlreadyExists, NotAllowed]
    /// Completes a recorded activity with its result and outcome.
    change Durable "activity.complete"(activity::Complete) "activities:write" "POST /collaboration/complete-activity" mcp true [NotFound, Conflict, NotAllowed]
    /// Reads the feed, newest first: what was recorded, and what the engine did.
    compose Read "activity.feed"(activity::Feed) "activities:read" "GET /collaboration/activity-feed" mcp true []
    /// Says how everyone is now: the summary that listeners get every two seconds.
    compose Read "activity.status"(activity::Status) "activities:read" "GET /collaboration/agent-status" mcp true []
    /// Counts activities by type, agent, department and time, and says how long they take.
    compose Read "activity.stats"(activity::Stats) "activities:read" "GET /collaboration/activity-stats" []
    /// Writes the feed as CSV, JSON or JSON Lines, oldest first, a part at a time.
    compose Read "activity.export"(activity::Export) "activities:read" "GET /collaboration/activity-export" []
    /// Reads the events of a span or a session with the seconds after which each is to be played.
    compose Read "activity.replay"(activity::Replay) "activities:read" "GET /collaboration/activity-replay" []

    /// Starts a session: a piece of work that agents do together, with channels and a shared state.
    change Durable "session.start"(sessions::Start) "sessions:write" "POST /sessions" mcp true [NotFound, AlreadyExists, NotAllowed]
    /// Gets a session with its participants, channels, decisions, newest messages and activities.
    compose Read "session.get"(sessions::Get) "sessions:read" "GET /sessions/{session_id}" mcp true [NotFound, NotAllowed]
    /// Lists sessions, newest first.
    query Read "session.list"(sessions::List) "sessions:read" "GET /sessions" mcp true []
    /// Joins a session; answers its channels and its shared state as they stand.
    change Durable "session.join"(sessions::Join) "sessions:write" "POST /sessions/{session_id}/join" mcp true [NotFound, Conflict, NotAllowed]
    /// Leaves a session, or declines an invitation to it.
    change Durable "session.leave"(sessions::Leave) "sessions:write" "POST /sessions/{session_id}/leave" mcp true [NotFound, Conflict, NotAllowed]
    /// Invites agents to a session.
    change Durable "session.invite"(sessions::Invite) "sessions:write" "POST /sessions/{session_id}/invite" mcp true [NotFound, Conflict, NotAllowed]
    /// Sets the rules of a session: who may join, who may post what where, how often, who must have reviewed.
    change Durable "session.set_rules"(sessions::SetRules) "sessions:write" "PUT /sessions/{session_id}/rules" [NotFound, Conflict, NotAllowed]
    /// Ends a session with an outcome: what is in it can be read, and no more comes into it.
    change Durable "session.end"(sessions::End) "sessions:write" "POST /sessions/{session_id}/end" mcp true [NotFound, Conflict, NotAllowed]
    /// Records what was decided in a session, by whom, why, and from what it came.
    change Durable "session.record_decision"(sessions::RecordDecision) "sessions:write" "POST /sessions/{session_id}/decisions" mcp true [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Gets the shared state of a session with its version.
    query Read "session.get_state"(sessions::GetState) "sessions:read" "GET /sessions/{session_id}/state" mcp true [NotFound, NotAllowed]
    /// Changes the shared state of a session by a patch, against an expected version or merged field by field.
    change Durable "session.patch_state"(sessions::PatchState) "sessions:write" "PATCH /sessions/{session_id}/state" mcp true [NotFound, Conflict, NotAllowed]
    /// Takes one of the places of a session's clients; this process keeps it until it disconnects or ends.
    compose Shared "session.connect"(sessions::Connect) "sessions:write" "POST /sessions/{session_id}/clients" [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Gives the place of a client back.
    change Shared "session.disconnect"(sessions::Disconnect) "sessions:write" "DELETE /sessions/{session_id}/clients/{client_id}" [NotFound, NotAllowed]
    /// Makes a channel in a session.
    change Durable "channel.create"(channels::Create) "sessions:write" "POST /sessions/{session_id}/channels" [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Lists the channels of a session.
    query Read "channel.list"(channels::List) "sessions:read" "GET /sessions/{session_id}/channels" [NotFound, NotAllowed]
    /// Posts a message to a channel of a session.
    compose Durable "channel.post"(channels::Post) "sessions:write" "POST /sessions/{session_id}/channels/{channel}/messages" mcp true [NotFound, AlreadyExists, Conflict, NotAllowed]
    /// Reads what was said in a channel: the newest, or on from a `seq`.
    query Read "channel.history"(channels::History) "sessions:read" "GET /sessions/{session_id}/channels/{channel}/messages" mcp true [NotFound, NotAllowed]

    /// Publishes an event of your own; it is always of kind `event.published`.
    change Durable "event.publish"(events::Publish) "events:write" "POST /events" mcp true [Conflict, NotAllowed]
    /// Reads the log from after a `seq`, with a filter.
    compose Read "event.read"(events::Read) "events:read" "GET /events" []
    /// Opens a durable consumer: a named cursor that remembers what was acknowledged.
    change Shared "consumer.open"(events::OpenConsumer) "events:write" "POST /consumers" []
    /// Reads what a consumer has not acknowledged yet; waits for it when asked to.
    compose Read "consumer.read"(events::ReadConsumer) "events:read" "GET /consumers/{name}/events" [NotFound]
    /// Acknowledges everything up to a `seq`.
    change Shared "consumer.ack"(events::AckConsumer) "events:write" "POST /consumers/{name}/ack" [NotFound]

    /// Says how the hub is: version, file, newest `seq`.
    compose Read "hub.status"(events::HubStatus) "hub:read" "GET /hub/status" []
    /// Counts agents, tasks, messages, keys and events.
    compose Read "hub.stats"(events::HubStats) "hub:read" "GET /hub/stats" []
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Operation>> =
    LazyLock::new(|| OPERATIONS.iter().map(|operation| (operation.name, operation)).collect());

/// The operation of this name.
///
/// # Errors
///
/// `invalid_input`, with the nearest right name.
pub fn find(name: &str) -> Result<&'static Operation> {
    if let Some(operation) = BY_NAME.get(name) {
        return Ok(operation);
    }
    let error = Error::invalid("operation", name, "is not an operation");
    let nearest = OPERATIONS
        .iter()
        .map(|operation| (strsim::jaro_winkler(name, operation.name), operation.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match nearest {
        Some((likeness, nearest)) if likeness > 0.7 => error.hint(format!("did you mean {nearest:?}?")),
        _ => error,
    })
}
