//! Two agents meet in a hub: each sees that the other is there, one writes, the other reads and answers.

use folkmoot::{Hub, HubConfig, Result, agents, messages};

fn main() -> Result<()> {
    // ":memory:" is a hub that ends with this program; a path is one that other processes can open too.
    let hub = Hub::open(":memory:", HubConfig::default())?;
    for (name, role) in [("ana", "researcher"), ("bob", "writer")] {
        hub.run(agents::Register { role: Some(role.into()), ..agents::Register::new(name) })?;
        hub.hold_agent(name)?;
    }

    // At each tool call an agent says what it does; the call returns at once.
    hub.run(agents::UpdatePresence {
        agent_id: "ana".into(),
        tool_name: Some("web_search".into()),
        tokens: Some(1_250),
        ..Default::default()
    })?;
    for presence in hub.run(agents::ListPresence::default())?.agents {
        let tool = presence.last_tool_name.unwrap_or_else(|| "nothing yet".into());
        println!("{} is {}, last used {tool}", presence.agent_id, presence.status.as_str());
    }

    let sent = hub.run(messages::Send::new("ana", "I found three sources. Shall I go on?").to(["bob"]))?;
    let inbox = hub.run(messages::Inbox { unread_only: Some(true), ..messages::Inbox::new("bob") })?;
    for message in &inbox.messages {
        println!("{} to bob: {}", message.sender_id, message.content);
    }
    hub.run(messages::Send {
        reply_to: Some(sent.message_id.clone()),
        ..messages::Send::new("bob", "Three are enough.").to(["ana"])
    })?;
    hub.run(messages::MarkRead {
        message_ids: vec![sent.message_id],
        agent_id: "bob".into(),
        idempotency_key: None,
    })?;

    let thread = hub.run(messages::GetThread::new(&sent.conversation_thread_id))?;
    println!("the thread has {} messages", thread.messages.len());
    hub.close();
    Ok(())
}
