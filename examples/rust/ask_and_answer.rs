//! A question and its answer as one call. Whoever is asked reads its inbox; whoever asks waits, but not for ever.

use std::error::Error;

use folkmoot::{Hub, HubConfig, Result, agents, messages};

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let hub = Hub::open(":memory:", HubConfig::default())?;
    for name in ["asker", "librarian", "sleeper"] {
        hub.run(agents::Register::new(name))?;
    }

    let librarian = {
        let hub = hub.clone();
        std::thread::spawn(move || answer_one(&hub))
    };
    let asked = hub.run(messages::Ask::new("asker", "librarian", "Where is the atlas?"))?;
    let answer = asked.answer.ok_or("the librarian did not answer")?;
    println!("{}: {}", answer.sender_id, answer.content);
    librarian.join().map_err(|_| "the librarian broke off")??;

    // Nobody reads this inbox: the question stays there, and the asker goes on.
    let patient =
        messages::Ask { wait_seconds: Some(0.2), ..messages::Ask::new("asker", "sleeper", "Are you awake?") };
    match hub.run(patient)?.answer {
        None => println!("no answer from the sleeper in time"),
        Some(answer) => return Err(format!("a sleeper answered: {}", answer.content).into()),
    }
    let waiting = hub.run(messages::Inbox { unread_only: Some(true), ..messages::Inbox::new("sleeper") })?;
    println!("the sleeper will find {} question", waiting.messages.len());
    hub.close();
    Ok(())
}

/// Waits for a message and answers it.
fn answer_one(hub: &Hub) -> Result<()> {
    let inbox = messages::Inbox {
        unread_only: Some(true),
        wait_seconds: Some(10.0),
        ..messages::Inbox::new("librarian")
    };
    for question in hub.run(inbox)?.messages {
        println!("{}: {}", question.sender_id, question.content);
        hub.run(messages::Send {
            reply_to: Some(question.message_id),
            ..messages::Send::new("librarian", "On the second shelf.").to([question.sender_id])
        })?;
    }
    Ok(())
}
