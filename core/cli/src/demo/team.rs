//! The cast of the demo: who takes part and what each can do.

/// What someone can do; a task requires one of these.
pub const COUNT: &str = "count";
pub const INSPECT: &str = "inspect";
pub const SUMMARIZE: &str = "summarize";
pub const EDIT: &str = "edit";
pub const PLAN: &str = "plan";
pub const LINKS: &str = "links";

/// The task that all others lead up to.
pub const REPORT_TASK: &str = "report";
/// The type of the event that says whom the demo killed.
pub const KILLED: &str = "demo.killed";
/// Who publishes that event: the process that started the others.
pub const DIRECTOR: &str = "director";

/// One who takes part, in a process of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// Their id in the hub.
    pub name: &'static str,
    /// What they can do.
    pub can: &'static [&'static str],
}

impl Role {
    /// Whether they take tasks as they come; the planner and the editor have their one own.
    pub fn is_worker(&self) -> bool {
        !self.can.contains(&PLAN) && !self.can.contains(&EDIT)
    }

    /// Whether they are a Node program, which takes part where the Node package is.
    pub fn needs_node(&self) -> bool {
        self.can.contains(&LINKS)
    }
}

/// Everyone. Counting and inspecting have two each, so that one of them can die.
pub const TEAM: [Role; 7] = [
    Role { name: "planner", can: &[PLAN] },
    Role { name: "counter", can: &[COUNT] },
    Role { name: "inspector", can: &[INSPECT] },
    Role { name: "allrounder", can: &[COUNT, INSPECT] },
    Role { name: "summarizer", can: &[SUMMARIZE] },
    Role { name: "linker", can: &[LINKS] },
    Role { name: "editor", can: &[EDIT] },
];

/// The one of this name.
pub fn role(name: &str) -> Option<Role> {
    TEAM.into_iter().find(|role| role.name == name)
}
